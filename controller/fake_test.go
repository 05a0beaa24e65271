package controller

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"

	"github.com/stampede-bench/stampede/internal/wire"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/schedule"
	"github.com/stampede-bench/stampede/workload/dataset"
)

// fake is an agent that keeps to the protocol and sends nothing anywhere: each
// request succeeds after a fixed time.
type fake struct {
	r       *rig
	id      string
	name    string
	latency time.Duration
	version string
	refuse  string // why it can't prepare
	hang    bool   // never gets ready

	// Locks are taken in the order mu, fakeShard.mu, wire.
	wire   sync.Mutex
	stream grpc.BidiStreamingClient[stampedev1.SessionRequest, stampedev1.SessionResponse]
	dead   bool // sends nothing any more
	begun  map[string]map[int32]*stampedev1.StartPhase
	shifts []*stampedev1.Shift

	mu      sync.Mutex
	conn    *grpc.ClientConn
	cancel  context.CancelFunc
	secret  []byte
	welcome *stampedev1.Welcome
	renewal struct{ sequence, at int64 }
	beat    int64
	silent  bool // sends no heartbeats
	shards  map[wire.Ref]*fakeShard
	served  map[int64]int // entries sent, by index
	forgot  []string
	probe   *stampedev1.ProbeResult // answer; nil is a good one
	flushes []time.Time             // when it was asked to empty the prefix cache
	noFlush string                  // kind of failure of that
	mute    bool                    // does not answer that
	ended   error
	resend  bool                              // sends every batch twice
	heard   func(*stampedev1.SessionResponse) // told of every message before it is obeyed
	deaf    bool                              // does not obey StopShard
	audit   *stampedev1.SelfAudit             // what it says of itself when it is done
	clock   func(time.Time) time.Duration     // by how much its clock is ahead; nil: not at all
}

func (r *rig) agent(name string) *fake {
	r.t.Helper()
	f := &fake{
		r: r, id: uuid.NewString(), name: name, latency: 50 * time.Millisecond, version: "dev",
		shards: map[wire.Ref]*fakeShard{}, served: map[int64]int{}, begun: map[string]map[int32]*stampedev1.StartPhase{},
	}
	return f
}

// join connects and waits for the Welcome.
func (f *fake) join() *fake {
	f.r.t.Helper()
	if err := f.connect(); err != nil {
		f.r.t.Fatalf("agent %s: %v", f.name, err)
	}
	return f
}

func (f *fake) connect() error {
	ctx, cancel := context.WithCancel(f.r.ctx)
	conn := f.r.dial()
	stream, err := stampedev1.NewAgentServiceClient(conn).Session(ctx)
	if err != nil {
		cancel()
		return err
	}
	f.mu.Lock()
	hello := &stampedev1.Hello{AgentId: f.id, Name: f.name, Version: f.version, ResumeSecret: f.secret, CpuCount: 2}
	for ref := range f.shards {
		hello.Shards = append(hello.Shards, ref.Proto())
	}
	f.mu.Unlock()
	if err := stream.Send(&stampedev1.SessionRequest{Message: &stampedev1.SessionRequest_Hello{Hello: hello}}); err != nil {
		cancel()
		return err
	}
	first, err := stream.Recv()
	if err != nil {
		cancel()
		_ = conn.Close()
		return err
	}
	f.mu.Lock()
	f.conn, f.cancel = conn, cancel
	f.welcome, f.secret = first.GetWelcome(), first.GetWelcome().GetSessionSecret()
	f.beat = 0
	f.hold(stream, false)
	shards := slices.Collect(maps.Values(f.shards))
	f.mu.Unlock()
	go f.receive(stream)
	go f.hearts(ctx)
	for _, s := range shards {
		s.resend()
	}
	return nil
}

// cut breaks the connection; the load goes on.
func (f *fake) cut() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cancel()
	_ = f.conn.Close()
	f.hold(nil, false)
}

// hold says where messages go; a dead agent sends none.
func (f *fake) hold(stream grpc.BidiStreamingClient[stampedev1.SessionRequest, stampedev1.SessionResponse], dead bool) {
	f.wire.Lock()
	defer f.wire.Unlock()
	f.stream, f.dead = stream, dead
}

// kill is the end of the process.
func (f *fake) kill() {
	f.mu.Lock()
	f.hold(nil, true)
	for _, s := range f.shards {
		s.stop(0)
	}
	f.mu.Unlock()
	f.cut()
}

func (f *fake) send(m *stampedev1.SessionRequest) {
	f.wire.Lock()
	defer f.wire.Unlock()
	if f.stream != nil && !f.dead {
		_ = f.stream.Send(m)
	}
}

func (f *fake) hearts(ctx context.Context) {
	for ctx.Err() == nil {
		f.heartbeat()
		select {
		case <-time.After(f.welcome.GetHeartbeatPeriod().AsDuration()):
		case <-ctx.Done():
		}
	}
}

func (f *fake) heartbeat() {
	f.mu.Lock()
	if f.silent {
		f.mu.Unlock()
		return
	}
	f.beat++
	h := &stampedev1.Heartbeat{
		Sequence: f.beat, SentUnixNanos: f.now().UnixNano(),
		LastRenewalSequence: f.renewal.sequence, LastRenewalReceivedUnixNanos: f.renewal.at,
	}
	for _, s := range f.shards {
		h.Shards = append(h.Shards, s.progress())
	}
	f.mu.Unlock()
	f.send(&stampedev1.SessionRequest{Message: &stampedev1.SessionRequest_Heartbeat{Heartbeat: h}})
}

func (f *fake) now() time.Time { return time.Now().Add(f.ahead()) }

func (f *fake) ahead() time.Duration {
	if f.clock == nil {
		return 0
	}
	return f.clock(time.Now())
}

func (f *fake) receive(stream grpc.BidiStreamingClient[stampedev1.SessionRequest, stampedev1.SessionResponse]) {
	for {
		m, err := stream.Recv()
		if err != nil {
			f.mu.Lock()
			f.ended = err
			f.mu.Unlock()
			return
		}
		f.handle(m)
	}
}

func (f *fake) handle(m *stampedev1.SessionResponse) {
	if f.heard != nil {
		f.heard(m)
	}
	switch m := m.GetMessage().(type) {
	case *stampedev1.SessionResponse_LeaseRenewal:
		f.mu.Lock()
		f.renewal.sequence, f.renewal.at = m.LeaseRenewal.GetSequence(), f.now().UnixNano()
		for _, p := range m.LeaseRenewal.GetPermits() {
			if ref, err := wire.RefFromProto(p.GetRef()); err == nil && f.shards[ref] != nil {
				f.shards[ref].allow(p)
			}
		}
		f.mu.Unlock()
	case *stampedev1.SessionResponse_Probe:
		answer := f.probe
		if answer == nil {
			answer = &stampedev1.ProbeResult{Model: "first-model", ServerVersion: "1"}
		}
		if m.Probe.GetFlushCache() {
			answer = f.flush()
			if f.mute {
				return
			}
		}
		answer.RunId, answer.Sequence = m.Probe.GetRunId(), m.Probe.GetSequence()
		f.send(&stampedev1.SessionRequest{Message: &stampedev1.SessionRequest_ProbeResult{ProbeResult: answer}})
	case *stampedev1.SessionResponse_StartShard:
		f.startShard(m.StartShard)
	case *stampedev1.SessionResponse_StartPhase:
		f.startPhase(m.StartPhase)
	case *stampedev1.SessionResponse_Shift:
		f.wire.Lock()
		f.shifts = append(f.shifts, m.Shift)
		f.wire.Unlock()
		f.mu.Lock()
		defer f.mu.Unlock()
		for _, s := range f.shards {
			s.poke()
		}
	case *stampedev1.SessionResponse_StopShard:
		f.mu.Lock()
		defer f.mu.Unlock()
		for ref, s := range f.shards {
			if ref.RunID == m.StopShard.GetRunId() && !f.deaf {
				s.stop(m.StopShard.GetDrainTimeout().AsDuration())
			}
		}
	case *stampedev1.SessionResponse_SampleAck:
		f.mu.Lock()
		defer f.mu.Unlock()
		if ref, err := wire.RefFromProto(m.SampleAck.GetRef()); err == nil && f.shards[ref] != nil {
			f.shards[ref].acked(m.SampleAck.GetBatchSequence())
		}
	case *stampedev1.SessionResponse_ForgetRun:
		f.mu.Lock()
		defer f.mu.Unlock()
		f.forgot = append(f.forgot, m.ForgetRun.GetRunId())
		maps.DeleteFunc(f.shards, func(ref wire.Ref, _ *fakeShard) bool { return ref.RunID == m.ForgetRun.GetRunId() })
	}
}

// shifted is how much earlier an entry is due by the shifts so far.
func (f *fake) shifted(runID string, nominal int64) (sum int64) {
	f.wire.Lock()
	defer f.wire.Unlock()
	for _, m := range f.shifts {
		if m.GetRunId() == runID && nominal >= m.GetFromOffsetNanos() {
			sum += m.GetDeltaNanos()
		}
	}
	return sum
}

func (f *fake) startPhase(m *stampedev1.StartPhase) {
	f.wire.Lock()
	if f.begun[m.GetRunId()] == nil {
		f.begun[m.GetRunId()] = map[int32]*stampedev1.StartPhase{}
	}
	f.begun[m.GetRunId()][m.GetPhase()] = m
	f.wire.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, s := range f.shards {
		s.poke()
	}
}

func (f *fake) startShard(m *stampedev1.StartShard) {
	ref, err := wire.RefFromProto(m.GetRef())
	if err != nil {
		f.r.t.Error(err)
		return
	}
	f.mu.Lock()
	known := f.shards[ref] != nil
	f.mu.Unlock()
	if known {
		return
	}
	if f.hang {
		return
	}
	s := &fakeShard{f: f, ref: ref, start: m, news: make(chan struct{}, 1), giveUp: make(chan struct{}), permits: map[int32]int64{}}
	if f.refuse != "" {
		s.update(stampedev1.ShardState_SHARD_STATE_FAILED, 0)
		return
	}
	eff, _, err := wire.SpecFromProto(m.GetSpec())
	if err == nil {
		s.corpus, _, err = dataset.Open(eff, m.GetCorpusFileName(), f.fetch(m.GetCorpusHash()), dataset.Options{RunID: ref.RunID})
	}
	if err == nil {
		s.plan, err = schedule.Compile(eff, s.corpus)
	}
	if err != nil {
		f.r.t.Errorf("agent %s can't prepare: %v", f.name, err)
		return
	}
	s.spec, s.next = eff, make([]int64, len(s.plan.Phases))
	copy(s.next, m.GetFromSessions())
	s.allow(m.GetPermit())
	f.mu.Lock()
	f.shards[ref] = s
	f.mu.Unlock()
	for _, p := range m.GetPhases() {
		f.startPhase(p)
	}
	s.update(stampedev1.ShardState_SHARD_STATE_READY, 0)
	go s.work()
}

// fetch gets a corpus as agents do.
func (f *fake) fetch(hash string) *dataset.File {
	if hash == "" {
		return nil
	}
	stream, err := stampedev1.NewAgentServiceClient(f.conn).FetchCorpus(f.r.ctx, &stampedev1.FetchCorpusRequest{CorpusHash: hash})
	if err != nil {
		f.r.t.Error(err)
		return nil
	}
	var data []byte
	for {
		m, err := stream.Recv()
		if err != nil {
			break
		}
		data = append(data, m.GetData()...)
	}
	file, err := dataset.OpenFile(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		f.r.t.Error(err)
	}
	return file
}

// leave says goodbye, finishes what is in flight, and goes.
func (f *fake) leave() {
	f.send(&stampedev1.SessionRequest{Message: &stampedev1.SessionRequest_Goodbye{Goodbye: &stampedev1.Goodbye{Reason: "SIGTERM"}}})
	f.mu.Lock()
	for _, s := range f.shards {
		s.stop(time.Minute)
	}
	f.mu.Unlock()
	go func() {
		time.Sleep(2 * time.Second)
		f.cut()
	}()
}

func (f *fake) phaseOf(runID string, i int32) *stampedev1.StartPhase {
	f.wire.Lock()
	defer f.wire.Unlock()
	return f.begun[runID][i]
}

// flush is the answer to the question to empty the prefix cache.
func (f *fake) flush() *stampedev1.ProbeResult {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.flushes = append(f.flushes, time.Now())
	return &stampedev1.ProbeResult{ErrorKind: f.noFlush}
}
