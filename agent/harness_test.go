package agent

import (
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/stampede-bench/stampede/internal/clock"
	"github.com/stampede-bench/stampede/internal/wire"
	"github.com/stampede-bench/stampede/measure"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/schedule"
	"github.com/stampede-bench/stampede/target"
	"github.com/stampede-bench/stampede/workload"
)

const (
	ready      = stampedev1.ShardState_SHARD_STATE_READY
	dispatched = stampedev1.ShardState_SHARD_STATE_PHASE_DISPATCHED
	drained    = stampedev1.ShardState_SHARD_STATE_PHASE_DRAINED
	done       = stampedev1.ShardState_SHARD_STATE_DONE
	failed     = stampedev1.ShardState_SHARD_STATE_FAILED
)

// fakeController plays the other side: it answers heartbeats, acknowledges
// batches and writes down everything it hears.
type fakeController struct {
	stampedev1.UnimplementedAgentServiceServer
	lease, period time.Duration
	skew          time.Duration // controller clock minus agent clock
	dictated      time.Duration // heartbeat period in renewals
	maxInFlight   int64
	corpora       map[string][]byte

	// permit answers a shard's progress; nil permits everything.
	permit func(ref wire.Ref, p *stampedev1.ShardProgress) *stampedev1.Permit
	// ack says whether a batch is acknowledged; nil acknowledges all.
	ack func(b *stampedev1.SampleBatch) bool

	mu       sync.Mutex
	down     chan *stampedev1.SessionResponse
	cut      context.CancelFunc
	sessions int
	hellos   []*stampedev1.Hello
	beats    []*stampedev1.Heartbeat
	updates  []*stampedev1.ShardUpdate
	batches  []*stampedev1.SampleBatch
	probes   []*stampedev1.ProbeResult
	goodbyes []*stampedev1.Goodbye
	refuse   error
	silent   bool // hears and says nothing
}

// Session implements AgentServiceServer.
func (f *fakeController) Session(stream grpc.BidiStreamingServer[stampedev1.SessionRequest, stampedev1.SessionResponse]) error {
	m, err := stream.Recv()
	if err != nil {
		return err
	}
	ctx, cut := context.WithCancel(stream.Context())
	defer cut()
	down := make(chan *stampedev1.SessionResponse, 1000)
	f.mu.Lock()
	if f.refuse != nil {
		defer f.mu.Unlock()
		return f.refuse
	}
	f.down, f.cut = down, cut
	f.sessions++
	f.hellos = append(f.hellos, m.GetHello())
	n := f.sessions
	f.mu.Unlock()
	down <- &stampedev1.SessionResponse{Message: &stampedev1.SessionResponse_Welcome{Welcome: &stampedev1.Welcome{
		SessionId: fmt.Sprint("session-", n), SessionSecret: []byte{byte(n)}, LeaseDuration: durationpb.New(f.lease),
		HeartbeatPeriod: durationpb.New(f.period), MaxInflightBytes: f.maxInFlight, Resumed: n > 1,
	}}}
	heard := make(chan error, 1)
	go func() {
		for {
			m, err := stream.Recv()
			if err != nil {
				heard <- err
				return
			}
			f.hear(m, down)
		}
	}()
	for {
		select {
		case m := <-down:
			if err := stream.Send(m); err != nil {
				return err
			}
		case <-heard:
			return nil
		case <-ctx.Done():
			return fmt.Errorf("cut")
		}
	}
}

// hear writes down one message and answers it.
func (f *fakeController) hear(m *stampedev1.SessionRequest, down chan<- *stampedev1.SessionResponse) {
	received := time.Now().Add(f.skew).UnixNano()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.silent {
		return
	}
	switch m := m.GetMessage().(type) {
	case *stampedev1.SessionRequest_Heartbeat:
		f.beats = append(f.beats, m.Heartbeat)
		renewal := &stampedev1.LeaseRenewal{
			Sequence: m.Heartbeat.GetSequence(), ReceivedUnixNanos: received, SentUnixNanos: received,
			HeartbeatPeriod: durationpb.New(f.dictated),
		}
		for _, p := range m.Heartbeat.GetShards() {
			ref, _ := wire.RefFromProto(p.GetRef())
			if f.permit != nil {
				renewal.Permits = append(renewal.Permits, f.permit(ref, p))
				continue
			}
			renewal.Permits = append(renewal.Permits, everything(ref, p.GetPhase()))
		}
		down <- &stampedev1.SessionResponse{Message: &stampedev1.SessionResponse_LeaseRenewal{LeaseRenewal: renewal}}
	case *stampedev1.SessionRequest_ShardUpdate:
		f.updates = append(f.updates, m.ShardUpdate)
	case *stampedev1.SessionRequest_SampleBatch:
		f.batches = append(f.batches, m.SampleBatch)
		if f.ack == nil || f.ack(m.SampleBatch) {
			down <- ackOf(m.SampleBatch)
		}
	case *stampedev1.SessionRequest_ProbeResult:
		f.probes = append(f.probes, m.ProbeResult)
	case *stampedev1.SessionRequest_Goodbye:
		f.goodbyes = append(f.goodbyes, m.Goodbye)
	}
}

func ackOf(b *stampedev1.SampleBatch) *stampedev1.SessionResponse {
	return &stampedev1.SessionResponse{Message: &stampedev1.SessionResponse_SampleAck{
		SampleAck: &stampedev1.SampleAck{Ref: b.GetRef(), BatchSequence: b.GetBatchSequence()},
	}}
}

func everything(ref wire.Ref, phase int32) *stampedev1.Permit {
	return &stampedev1.Permit{Ref: ref.Proto(), DispatchUntilOffsetNanos: never, Phase: phase, DispatchUntilSession: never}
}

// FetchCorpus implements AgentServiceServer.
func (f *fakeController) FetchCorpus(r *stampedev1.FetchCorpusRequest, stream grpc.ServerStreamingServer[stampedev1.FetchCorpusResponse]) error {
	f.mu.Lock()
	data, there := f.corpora[r.GetCorpusHash()]
	f.corpora["fetches"] = append(f.corpora["fetches"], 1)
	f.mu.Unlock()
	if !there {
		return fmt.Errorf("no corpus %s", r.GetCorpusHash())
	}
	for piece := range slices.Chunk(data, 10) {
		if err := stream.Send(&stampedev1.FetchCorpusResponse{Data: piece}); err != nil {
			return err
		}
	}
	return nil
}

func (f *fakeController) sessionCount() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.sessions
}

func (f *fakeController) tell(m *stampedev1.SessionResponse) {
	f.mu.Lock()
	down := f.down
	f.mu.Unlock()
	down <- m
}

// told returns copies of the updates with a state.
func (f *fakeController) told(state stampedev1.ShardState) []*stampedev1.ShardUpdate {
	f.mu.Lock()
	defer f.mu.Unlock()
	var some []*stampedev1.ShardUpdate
	for _, u := range f.updates {
		if u.GetState() == state {
			some = append(some, proto.CloneOf(u))
		}
	}
	return some
}

// samples returns every sample of every batch, batches that came twice once.
func (f *fakeController) samples(t testing.TB) []measure.Sample {
	t.Helper()
	f.mu.Lock()
	defer f.mu.Unlock()
	type key struct {
		ref      wire.Ref
		sequence int64
	}
	seen := map[key]bool{}
	var all []measure.Sample
	for _, b := range f.batches {
		ref, err := wire.RefFromProto(b.GetRef())
		if err != nil {
			t.Fatal(err)
		}
		if k := (key{ref, b.GetBatchSequence()}); !seen[k] {
			seen[k] = true
			for _, m := range b.GetSamples() {
				var s measure.Sample
				if err := wire.SampleFromProto(m, &s); err != nil {
					t.Fatal(err)
				}
				all = append(all, s)
			}
		}
	}
	slices.SortFunc(all, func(a, b measure.Sample) int { return int(a.Index - b.Index) })
	return all
}

// bench is a controller with agents, all in one bubble.
type bench struct {
	t      testing.TB
	c      *fakeController
	d      *fakeDoer
	listen *bufconn.Listener
	server *grpc.Server
	anchor time.Time // on the controller's clock
}

func newBench(t testing.TB) *bench {
	b := &bench{
		t: t, d: &fakeDoer{}, listen: bufconn.Listen(1 << 20), server: grpc.NewServer(),
		c: &fakeController{lease: 10 * time.Second, period: time.Second, maxInFlight: 1 << 20, corpora: map[string][]byte{}},
	}
	stampedev1.RegisterAgentServiceServer(b.server, b.c)
	go func() { _ = b.server.Serve(b.listen) }()
	return b
}

// agent starts an agent and returns what ends it, which waits for its end.
func (b *bench) agent(change ...func(*Config)) (a *Agent, end func() error) {
	b.t.Helper()
	conn, err := grpc.NewClient("passthrough:///bufnet", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return b.listen.DialContext(ctx) }))
	if err != nil {
		b.t.Fatal(err)
	}
	cfg := Config{Conn: conn, Name: "tester", CorpusDir: b.t.TempDir(), NewDoer: func(target.Config) (Doer, error) { return b.d, nil }}
	for _, f := range change {
		f(&cfg)
	}
	a, err = New(cfg)
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	synctest.Wait()
	return a, func() error {
		cancel()
		err := <-ended
		conn.Close()
		return err
	}
}

func (b *bench) close() {
	b.server.Stop()
	b.listen.Close()
}

// spec parses and completes a spec.
func spec(t testing.TB, text string) (*workload.Spec, *stampedev1.Spec) {
	t.Helper()
	s, _, err := workload.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	s, _ = s.WithDefaults()
	m, err := wire.SpecToProto(s)
	if err != nil {
		t.Fatal(err)
	}
	return s, m
}

func ref(run string, offset, stride int64) wire.Ref {
	return wire.Ref{RunID: run, Shard: schedule.Shard{Offset: offset, Stride: stride}, Attempt: 1}
}

// start hands out shards of a run and waits until they are ready.
func (b *bench) start(text string, refs ...wire.Ref) {
	b.t.Helper()
	_, m := spec(b.t, text)
	before := len(b.c.told(ready))
	for _, r := range refs {
		b.c.tell(&stampedev1.SessionResponse{Message: &stampedev1.SessionResponse_StartShard{StartShard: &stampedev1.StartShard{
			Ref: r.Proto(), Spec: m, AgentCount: int32(r.Shard.Stride),
		}}})
	}
	time.Sleep(time.Second)
	synctest.Wait()
	if n := len(b.c.told(ready)) - before; n != len(refs) {
		b.t.Fatalf("%d shards are ready, want %d; failed: %v", n, len(refs), b.c.told(failed))
	}
	b.anchor = time.Now().Add(b.c.skew).Add(300 * time.Millisecond)
}

// release gives a phase its place in time.
func (b *bench) release(run string, phase int, base time.Duration, first int64) {
	b.c.tell(&stampedev1.SessionResponse{Message: &stampedev1.SessionResponse_StartPhase{StartPhase: &stampedev1.StartPhase{
		RunId: run, Phase: int32(phase), AnchorTime: timestamppb.New(b.anchor), BaseNanos: int64(base), ClockOffsetNanos: -int64(b.c.skew),
		FirstIndex: first, FirstSession: first,
	}}})
}

// stop stops a run.
func (b *bench) stop(run string, drain time.Duration) {
	b.c.tell(&stampedev1.SessionResponse{Message: &stampedev1.SessionResponse_StopShard{StopShard: &stampedev1.StopShard{
		RunId: run, DrainTimeout: durationpb.New(drain),
	}}})
}

// until waits in fake time until a state was told so often.
func (b *bench) until(state stampedev1.ShardState, n int, limit time.Duration) {
	b.t.Helper()
	for end := time.Now().Add(limit); ; time.Sleep(10 * time.Millisecond) {
		synctest.Wait()
		if len(b.c.told(state)) >= n {
			return
		}
		if time.Now().After(end) {
			b.t.Fatalf("%v was told %d times within %v, want %d; updates: %v", state, len(b.c.told(state)), limit, n, b.c.updates)
		}
	}
}

// anchorMono is the anchor on clock.Now.
func (b *bench) anchorMono() int64 {
	p := clock.ReadPair()
	return p.Mono + b.anchor.Add(-b.c.skew).UnixNano() - p.Unix
}
