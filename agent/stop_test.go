package agent

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/stampede-bench/stampede/internal/wire"
	"github.com/stampede-bench/stampede/measure"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
)

func statuses(samples []measure.Sample) map[measure.Status]int {
	n := map[measure.Status]int{}
	for _, s := range samples {
		n[s.Status]++
	}
	return n
}

const closedLoad = `
endpoint: {url: "http://target/v1", model: m}
load: {stages: [{concurrency: 4, duration: 1h}, {concurrency: 8, duration: 1h}]}
`

func TestStopDrainsThenCancels(t *testing.T) {
	tests := []struct {
		name  string
		load  string
		drain time.Duration
		took  time.Duration
		want  map[measure.Status]int
	}{
		// Entries 0 to 5 are in flight; each takes a second.
		{"open loop, all can end", constant, 2 * time.Second, 950 * time.Millisecond, map[measure.Status]int{measure.Succeeded: 6}},
		{"open loop, some can end", constant, 700 * time.Millisecond, 700 * time.Millisecond, map[measure.Status]int{measure.Succeeded: 3, measure.Cancelled: 3}},
		{"open loop, at once", constant, 0, 0, map[measure.Status]int{measure.Cancelled: 6}},
		{"closed loop, all can end", closedLoad, time.Second, 450 * time.Millisecond, map[measure.Status]int{measure.Succeeded: 4}},
		{"closed loop, at once", closedLoad, 0, 0, map[measure.Status]int{measure.Cancelled: 4}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				defer b.close()
				b.d.latency = func(string) time.Duration { return time.Second }
				_, end := b.agent()
				b.start(test.load, ref("run", 0, 1))
				b.release("run", 0, 0, 0)
				time.Sleep(300*time.Millisecond + 550*time.Millisecond)
				stopped := time.Now()
				b.stop("run", test.drain)
				b.until(done, 1, time.Minute)
				if took := time.Since(stopped); took < test.took || took > test.took+50*time.Millisecond {
					t.Errorf("it took %v, want %v", took, test.took)
				}
				got := statuses(b.c.samples(t))
				for _, s := range []measure.Status{measure.Succeeded, measure.Cancelled} {
					if got[s] != test.want[s] {
						t.Errorf("samples by status: %v, want %v", got, test.want)
					}
				}
				if len(b.c.told(dispatched)) != 1 || len(b.c.told(drained)) != 1 {
					t.Errorf("updates: %v", b.c.updates)
				}
				d := b.c.told(done)[0]
				if d.GetLastBatchSequence() != int64(len(b.c.batches)) || d.GetSelfAudit() == nil {
					t.Errorf("done says %v after %d batches", d, len(b.c.batches))
				}
				if err := end(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestSecondStopGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.close()
		b.d.latency = func(string) time.Duration { return time.Hour }
		_, end := b.agent()
		b.start(constant, ref("run", 0, 1))
		b.release("run", 0, 0, 0)
		time.Sleep(500 * time.Millisecond)
		b.stop("run", 30*time.Second)
		time.Sleep(time.Second)
		b.stop("run", 0)
		b.until(done, 1, 100*time.Millisecond)
		if err := end(); err != nil {
			t.Error(err)
		}
	})
}

func TestStopBeforeTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.close()
		_, end := b.agent()
		b.start(constant, ref("run", 0, 1))
		b.stop("run", time.Second)
		b.until(done, 1, 100*time.Millisecond)
		if len(b.d.sent) != 0 || len(b.c.told(dispatched)) != 0 {
			t.Error("something was sent of a run that never began")
		}
		if err := end(); err != nil {
			t.Error(err)
		}
	})
}

func TestForgetRunFreesEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.close()
		b.c.ack = func(*stampedev1.SampleBatch) bool { return false }
		a, end := b.agent()
		b.start(constant, ref("run", 0, 1))
		b.release("run", 0, 0, 0)
		time.Sleep(time.Second)
		b.c.tell(&stampedev1.SessionResponse{Message: &stampedev1.SessionResponse_ForgetRun{ForgetRun: &stampedev1.ForgetRun{RunId: "run"}}})
		time.Sleep(time.Second)
		synctest.Wait()
		if n, bytes := a.outbox.held(); n != 0 || bytes != 0 || a.run("run") != nil || !b.d.closed {
			t.Errorf("%d batches of %d bytes, run %v, client closed %t", n, bytes, a.run("run"), b.d.closed)
		}
		if err := end(); err != nil {
			t.Error(err)
		}
	})
}

func TestSeveralRunsAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.close()
		b.d.latency = func(string) time.Duration { return 30 * time.Millisecond }
		_, end := b.agent()
		b.start(constant, ref("one", 0, 2), ref("one", 1, 2))
		b.start(closedLoad, ref("two", 0, 1))
		b.release("one", 0, 0, 0)
		b.release("two", 0, 0, 0)
		b.until(done, 2, time.Minute)
		b.stop("two", time.Second)
		b.until(done, 3, time.Second)
		byRun := map[string]int{}
		for _, s := range b.d.sent {
			byRun[s.id[:3]]++
		}
		if byRun["one"] != 20 || byRun["two"] < 4*50 {
			t.Errorf("sent by run: %v", byRun)
		}
		if err := end(); err != nil {
			t.Error(err)
		}
	})
}

func TestFailedPreparationIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.close()
		_, end := b.agent(func(c *Config) { c.Name = "x" })
		_, m := spec(t, constant)
		b.c.tell(&stampedev1.SessionResponse{Message: &stampedev1.SessionResponse_StartShard{
			StartShard: &stampedev1.StartShard{Ref: ref("run", 0, 1).Proto(), Spec: m, CorpusHash: "feed"},
		}})
		b.until(failed, 1, time.Second)
		if u := b.c.told(failed)[0]; !strings.Contains(u.GetMessage(), "feed") || u.GetErrorKind() == "" {
			t.Errorf("it says %v", u)
		}
		if err := end(); err != nil {
			t.Error(err)
		}
	})
}

func TestEntriesThatCannotBeBuiltFail(t *testing.T) {
	for _, load := range []string{constant, `
endpoint: {url: "http://target/v1", model: m}
load: {stages: [{concurrency: 2, requests: 20}]}`} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t)
			defer b.close()
			b.d.refuse = func(id string) error {
				if strings.HasSuffix(id, "5") {
					return errors.New("too long")
				}
				return nil
			}
			_, end := b.agent()
			b.conduct(load, 1)
			got := statuses(b.c.samples(t))
			if got[measure.Succeeded] != 18 || got[measure.Failed] != 2 {
				t.Errorf("samples by status: %v", got)
			}
			if err := end(); err != nil {
				t.Error(err)
			}
		})
	}
}

// takeOver hands out a shard of a run that has begun.
func (b *bench) takeOver(text string, r wire.Ref, change func(*stampedev1.StartShard)) {
	b.t.Helper()
	_, m := spec(b.t, text)
	r.Attempt = 2
	start := &stampedev1.StartShard{
		Ref: r.Proto(), Spec: m, AgentCount: 1, AnchorTime: timestamppb.New(b.anchor), Permit: everything(r, 0),
		Phases: []*stampedev1.StartPhase{{RunId: r.RunID, AnchorTime: timestamppb.New(b.anchor)}},
	}
	change(start)
	b.c.tell(&stampedev1.SessionResponse{Message: &stampedev1.SessionResponse_StartShard{StartShard: start}})
}

func TestTakeoverOpenLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.close()
		_, end := b.agent()
		// The run began 750 ms ago, its agent died with a permit up to 450 ms: entries
		// 5, 6 and 7 are overdue.
		b.anchor = time.Now().Add(-750 * time.Millisecond)
		b.takeOver(constant, ref("run", 0, 1), func(m *stampedev1.StartShard) { m.FromOffsetNanos = int64(450 * time.Millisecond) })
		b.until(done, 1, time.Minute)
		if len(b.d.sent) != 12 || b.d.sent[0].id != "run-8" {
			t.Errorf("sent %v, want entries 8 to 19", b.d.sent)
		}
		for i, s := range b.d.sent {
			if want := b.anchorMono() + int64(8+i)*int64(100*time.Millisecond); s.at != want {
				t.Errorf("%s was sent %v late", s.id, time.Duration(s.at-want))
			}
		}
		if err := end(); err != nil {
			t.Error(err)
		}
	})
}

func TestTakeoverClosedLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.close()
		_, end := b.agent()
		b.anchor = time.Now().Add(-500 * time.Millisecond)
		// Slots 1 and 3 of 4 move here, from session 10 on.
		b.takeOver(`
endpoint: {url: "http://target/v1", model: m}
load: {stages: [{concurrency: 4, requests: 20}]}`, ref("run", 1, 2), func(m *stampedev1.StartShard) { m.FromSessions = []int64{10} })
		b.until(done, 1, time.Minute)
		var ids []string
		for _, s := range b.d.sent {
			ids = append(ids, s.id)
		}
		if want := []string{"run-11", "run-13", "run-15", "run-17", "run-19"}; !slices.Equal(ids, want) || b.d.most != 2 {
			t.Errorf("sent %v with %d in flight, want %v with 2", ids, b.d.most, want)
		}
		for _, s := range b.c.samples(t) {
			if s.Intended < int64(500*time.Millisecond) {
				t.Errorf("session %d is said to be intended at %v, before the takeover", s.Session, time.Duration(s.Intended))
			}
		}
		if err := end(); err != nil {
			t.Error(err)
		}
	})
}

func TestShiftMovesEntries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.close()
		_, end := b.agent()
		b.start(constant, ref("run", 0, 1))
		b.release("run", 0, 0, 0)
		for range 2 { // once and again, as after a resume
			b.c.tell(&stampedev1.SessionResponse{Message: &stampedev1.SessionResponse_Shift{Shift: &stampedev1.Shift{
				RunId: "run", FromOffsetNanos: int64(950 * time.Millisecond), DeltaNanos: int64(50 * time.Millisecond),
			}}})
		}
		b.until(done, 1, time.Minute)
		for i, s := range b.c.samples(t) {
			want := time.Duration(i) * 100 * time.Millisecond
			if i >= 10 {
				want -= 50 * time.Millisecond
			}
			if s.Intended != int64(want) || s.Sent != int64(want) || s.ScheduleOffset != int64(i)*int64(100*time.Millisecond) {
				t.Errorf("entry %d was sent at %v, want %v", i, time.Duration(s.Sent), want)
			}
		}
		if err := end(); err != nil {
			t.Error(err)
		}
	})
}
