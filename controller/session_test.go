package controller

import (
	"math"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/stampede-bench/stampede/internal/wire"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/schedule"
)

func (r *rig) session() grpc.BidiStreamingClient[stampedev1.SessionRequest, stampedev1.SessionResponse] {
	r.t.Helper()
	stream, err := stampedev1.NewAgentServiceClient(r.dial()).Session(r.ctx)
	if err != nil {
		r.t.Fatal(err)
	}
	return stream
}

func TestVersionsMustFit(t *testing.T) {
	for _, tc := range []struct {
		controller, agent string
		ok                bool
	}{
		{"1.4.0", "1.4.9", true},
		{"v1.4.0", "1.4.0-rc.1", true},
		{"1.4.0", "dev", true},
		{"dev", "2.0.0", true},
		{"1.4.0", "1.5.0", false},
		{"1.4.0", "2.4.0", false},
		{"1.4.0", "", false},
	} {
		if err := fits(tc.controller, tc.agent); (err == nil) != tc.ok {
			t.Errorf("%q with %q: %v", tc.controller, tc.agent, err)
		}
	}
	inBubble(t, Config{Version: "1.4.0"}, func(r *rig) {
		f := r.agent("old")
		f.version = "1.3.0"
		wantCode(t, f.connect(), "PermissionDenied", `version "1.3.0" of the agent does not go with version "1.4.0"`)
	})
}

func TestALiveAgentCantBeTakenOver(t *testing.T) {
	inBubble(t, Config{}, func(r *rig) {
		a := r.agent("a").join()
		r.sleep(2 * time.Second)
		thief := r.agent("thief")
		thief.id = a.id
		wantCode(t, thief.connect(), "PermissionDenied", "only be resumed with its secret")
		thief.secret = make([]byte, secretBytes)
		wantCode(t, thief.connect(), "PermissionDenied", "only be resumed with its secret")
		if n := len(r.agents()); n != 1 {
			t.Errorf("%d agents", n)
		}
		// With the secret, the session before ends.
		again := r.agent("a")
		again.id, again.secret = a.id, a.secret
		again.join()
		r.settled()
		a.mu.Lock()
		wantCode(t, a.ended, "PermissionDenied", "began another session")
		a.mu.Unlock()
		if !again.welcome.GetResumed() || len(r.agents()) != 1 {
			t.Error("the session was not resumed")
		}
		// Once the lease is over and nobody counts on it, the id is free.
		again.cut()
		r.sleep(3 * time.Second)
		thief.secret = nil
		wantCode(t, thief.connect(), "PermissionDenied", "only be resumed with its secret")
		r.sleep(8 * time.Second)
		thief.join()
	})
}

func TestSessionsThatKeepToNoRules(t *testing.T) {
	hello := func(id string) *stampedev1.SessionRequest {
		return &stampedev1.SessionRequest{Message: &stampedev1.SessionRequest_Hello{Hello: &stampedev1.Hello{AgentId: id, Version: "dev"}}}
	}
	const uuid = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
	batch := func(runID string, stride int64) *stampedev1.SessionRequest {
		return &stampedev1.SessionRequest{Message: &stampedev1.SessionRequest_SampleBatch{SampleBatch: &stampedev1.SampleBatch{
			Ref: &stampedev1.ShardRef{RunId: runID, Shard: &stampedev1.Shard{Stride: stride}, ShardAttempt: 1}, BatchSequence: 1,
		}}}
	}
	for _, tc := range []struct {
		name       string
		send       []*stampedev1.SessionRequest
		code, text string
	}{
		{"no hello", nil, "FailedPrecondition", "no hello within 10s"},
		{"something before hello", []*stampedev1.SessionRequest{batch("x", 1)}, "InvalidArgument", "must be a hello"},
		{"no uuid", []*stampedev1.SessionRequest{hello("../../x")}, "InvalidArgument", "agent_id"},
		{"two hellos", []*stampedev1.SessionRequest{hello(uuid), hello(uuid)}, "InvalidArgument", "one hello"},
		{"a shard that can't be", []*stampedev1.SessionRequest{hello(uuid), batch("x", 0)}, "InvalidArgument", "stride"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inBubble(t, Config{}, func(r *rig) {
				stream := r.session()
				for _, m := range tc.send {
					if err := stream.Send(m); err != nil {
						t.Fatal(err)
					}
				}
				var err error
				for err == nil {
					_, err = stream.Recv()
				}
				wantCode(t, err, tc.code, tc.text)
			})
		})
	}
	t.Run("heartbeats without end", func(t *testing.T) {
		inBubble(t, Config{}, func(r *rig) {
			stream := r.session()
			_ = stream.Send(hello(uuid))
			for range maxHeartbeatRate + 10 {
				_ = stream.Send(&stampedev1.SessionRequest{Message: &stampedev1.SessionRequest_Heartbeat{Heartbeat: &stampedev1.Heartbeat{Sequence: 1}}})
			}
			var err error
			for err == nil {
				_, err = stream.Recv()
			}
			wantCode(t, err, "ResourceExhausted", "heartbeats")
		})
	})
	t.Run("an unknown run", func(t *testing.T) {
		inBubble(t, Config{}, func(r *rig) {
			stream := r.session()
			_ = stream.Send(hello(uuid))
			_ = stream.Send(batch("nobody.1", 1))
			for range 2 {
				m, err := stream.Recv()
				if err != nil {
					t.Fatal(err)
				}
				if m.GetWelcome() == nil && m.GetForgetRun().GetRunId() != "nobody.1" {
					t.Errorf("answer %v", m)
				}
			}
			if n := r.c.strange.Load(); n != 1 {
				t.Errorf("%d messages counted as strange", n)
			}
		})
	})
}

func TestForgedSamplesCountForNothing(t *testing.T) {
	inBubble(t, Config{}, func(r *rig) {
		a, b := r.agent("a").join(), r.agent("b").join()
		id := r.run(endpoint + "load: {stages: [{concurrency: 4, duration: 3s}]}")
		r.sleep(2 * time.Second)
		forged := func(f *fake, edit func(*stampedev1.Sample)) {
			f.mu.Lock()
			defer f.mu.Unlock()
			for _, s := range f.shards {
				m := &stampedev1.Sample{Attempt: 1, Outcome: stampedev1.Outcome_OUTCOME_SUCCEEDED}
				edit(m)
				s.ship(m)
			}
		}
		other := int64(1)
		for ref := range b.shards {
			other = ref.Shard.Offset
		}
		forged(a, func(s *stampedev1.Sample) { s.Index, s.Session = other, other })           // another's
		forged(a, func(s *stampedev1.Sample) { s.Index, s.Session = 1<<40, 1<<40 })           // far beyond its permit
		forged(a, func(s *stampedev1.Sample) { s.Index, s.Session = -5, -5 })                 // before the first
		forged(a, func(s *stampedev1.Sample) { s.Phase = 7 })                                 // no such phase
		forged(a, func(s *stampedev1.Sample) { s.Turn = 3 })                                  // no such turn
		forged(a, func(s *stampedev1.Sample) { s.Index = 1 })                                 // index and session differ
		forged(a, func(s *stampedev1.Sample) { s.Outcome = stampedev1.Outcome_OUTCOME_LOST }) // never an agent's word
		forged(a, func(s *stampedev1.Sample) { s.ChunkTokenCounts = []int32{1, 2, 3} })       // no gaps for them
		end := r.finished(id)
		wantState(t, end, stampedev1.State_STATE_SUCCEEDED)
		if lost := r.account(end, int64(len(a.served)+len(b.served)), []*fake{a, b}); lost != 0 {
			t.Errorf("%d lost", lost)
		}
	})
}

func TestPermitsNeverShrinkAndStopAtTheirBounds(t *testing.T) {
	const second = int64(time.Second)
	open := &schedule.Phase{Index: 0, Kind: schedule.Open, Sessions: 100, Duration: 20 * second, Predictable: true}
	closed := &schedule.Phase{Index: 1, Kind: schedule.Closed, Slots: 8, Sessions: 2000, Nominal: 20 * second}
	ref := wire.Ref{RunID: "r", Shard: schedule.Shard{Offset: 0, Stride: 2}, Attempt: 1}
	now := time.Now()
	p := newPermits(11*time.Second, 0)
	p.add(ref, "a", []int64{0, 0})
	p.foresee([]released{{phase: open}, {phase: closed, base: 20 * second}})
	if m := p.renew(ref, "a", nil, now); m.GetDispatchUntilOffsetNanos() != 11*second || m.GetPhase() != 1 || m.GetDispatchUntilSession() != 512 {
		t.Errorf("first permit %v", m)
	}
	if p.renew(ref, "b", nil, now) != nil {
		t.Error("a permit for somebody else's shard")
	}
	p.start(now)
	p.release(released{phase: open})
	p.release(released{phase: closed, base: 20 * second})
	if m := p.renew(ref, "a", nil, now.Add(5*time.Second)); m.GetDispatchUntilOffsetNanos() != 16*second {
		t.Errorf("after five seconds: %v", m)
	}
	if m := p.renew(ref, "a", nil, now.Add(-5*time.Second)); m.GetDispatchUntilOffsetNanos() != 16*second {
		t.Errorf("shrunk: %v", m)
	}
	progress := &stampedev1.ShardProgress{Phase: 1, NextSession: 1 << 40} // more than it was granted
	if m := p.renew(ref, "a", progress, now.Add(30*time.Second)); m.GetDispatchUntilOffsetNanos() != 20*second || m.GetDispatchUntilSession() != 1024 {
		t.Errorf("at the end: %v", m)
	}
	for range 5 {
		p.renew(ref, "a", progress, now.Add(30*time.Second))
	}
	if m := p.renew(ref, "a", progress, now.Add(30*time.Second)); m.GetDispatchUntilSession() != 2000 {
		t.Errorf("beyond the last session: %v", m)
	}
	if !p.begun(ref, 1, 1999) || p.begun(ref, 1, 2000) {
		t.Error("begun is not bounded by what was granted")
	}
	p.kill(ref)
	closed.Sessions = 5000
	if m := p.renew(ref, "a", progress, now.Add(40*time.Second)); m.GetDispatchUntilSession() != 2000 {
		t.Errorf("granted to a dead attempt: %v", m)
	}

	limited := newPermits(11*time.Second, 2*second)
	limited.add(ref, "a", []int64{0, 0})
	limited.start(now)
	limited.release(released{phase: open})
	if m := limited.renew(ref, "a", nil, now.Add(time.Second)); m.GetDispatchUntilOffsetNanos() != 2*second {
		t.Errorf("beyond max_run_time: %v", m)
	}
}

// TestHostileMember: an agent of a run that lies about everything it may speak of
// spoils no more than its own part, and the report is written.
func TestHostileMember(t *testing.T) {
	inBubble(t, Config{}, func(r *rig) {
		good, bad := r.agent("good").join(), r.agent("bad").join()
		id := r.run(endpoint + "load: {stages: [{rate: 20, arrival: constant, duration: 10s}]}")
		r.sleep(5 * time.Second)
		bad.mu.Lock()
		for ref, s := range bad.shards {
			for _, edit := range []func(*stampedev1.Sample){
				func(s *stampedev1.Sample) { s.Phase = -1 },
				func(s *stampedev1.Sample) { s.Phase, s.Index, s.Session = math.MinInt32, math.MinInt64, math.MinInt64 },
				func(s *stampedev1.Sample) { s.Index, s.Session = math.MaxInt64, math.MaxInt64 },
				func(s *stampedev1.Sample) { s.Turn = math.MinInt32 },
				func(s *stampedev1.Sample) { at := int64(math.MaxInt64); s.SentNanos, s.EndNanos = &at, &at },
				func(s *stampedev1.Sample) { at := int64(time.Hour); s.SentNanos, s.EndNanos = &at, &at }, // in the future
				func(s *stampedev1.Sample) { s.ChunkGapNanos = []int64{math.MaxInt64, math.MaxInt64} },
				func(s *stampedev1.Sample) { s.StampUncertaintyNanos = -1 },
			} {
				m := &stampedev1.Sample{
					Index: ref.Shard.Offset + 198, Session: ref.Shard.Offset + 198, // not sent yet
					Attempt: 1, Outcome: stampedev1.Outcome_OUTCOME_SUCCEEDED,
				}
				edit(m)
				s.ship(m)
			}
			for state := range stampedev1.ShardState(8) {
				if state == stampedev1.ShardState_SHARD_STATE_DONE || state == stampedev1.ShardState_SHARD_STATE_FAILED {
					continue // those end its part
				}
				for _, phase := range []int32{-1, 0, 1, math.MaxInt32, math.MinInt32} {
					s.tell(&stampedev1.ShardUpdate{Ref: ref.Proto(), State: state, Phase: phase, NextSession: math.MinInt64})
				}
			}
			bad.send(&stampedev1.SessionRequest{Message: &stampedev1.SessionRequest_Heartbeat{Heartbeat: &stampedev1.Heartbeat{
				Sequence: math.MinInt64, SentUnixNanos: math.MaxInt64, LastRenewalSequence: math.MaxInt64, LastRenewalReceivedUnixNanos: math.MinInt64,
				CpuUtilization: math.NaN(), ClockStepCount: math.MaxInt64,
				Shards: []*stampedev1.ShardProgress{{
					Ref: ref.Proto(), Phase: math.MinInt32, NextSession: math.MaxInt64, SentCount: math.MinInt64, InFlightCount: math.MinInt64,
					DispatchedOffsetNanos: math.MaxInt64, OpenSessionCount: math.MinInt64,
				}},
			}}})
		}
		bad.audit = &stampedev1.SelfAudit{
			CpuSeconds: math.NaN(), CpuUtilizationMax: math.Inf(1), GcPauseMaxNanos: math.MinInt64, DetailShedCount: math.MinInt64, ClockStepCount: math.MaxInt64,
		}
		bad.mu.Unlock()
		end := r.finished(id)
		if _, err := r.tests.GetReport(r.ctx, &stampedev1.GetReportRequest{TestId: id}); err != nil {
			t.Errorf("no report: %v", err)
		}
		if p := end.GetProgress(); p.GetPlannedCount() != 200 || p.GetSucceededCount()+p.GetLostCount() != 200 || p.GetSucceededCount() < 100 {
			t.Errorf("%v, want 200 planned, succeeded or lost, all of the good one's", p)
		}
		rows := r.samples(id)
		for index := range good.served {
			if rows[index].GetOutcome() != stampedev1.Outcome_OUTCOME_SUCCEEDED {
				t.Errorf("entry %d of the good agent did not succeed", index)
			}
		}
	})
}
