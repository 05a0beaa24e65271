//go:build linux

package fault

import (
	"context"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/stampede-bench/stampede/e2e/harness"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
)

// hostile is a client of AgentService that keeps to no rules.
type hostile struct {
	t    *testing.T
	addr string
	run  string // of others, that goes on
}

func (h hostile) dial() *grpc.ClientConn {
	h.t.Helper()
	conn, err := grpc.NewClient(h.addr, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDefaultCallOptions(grpc.MaxCallSendMsgSize(64<<20)))
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = conn.Close() })
	return conn
}

func hello(edit func(*stampedev1.Hello)) *stampedev1.SessionRequest {
	m := &stampedev1.Hello{AgentId: uuid.NewString(), Version: "dev", Name: "stranger"}
	if edit != nil {
		edit(m)
	}
	return &stampedev1.SessionRequest{Message: &stampedev1.SessionRequest_Hello{Hello: m}}
}

// say opens a session, sends what next yields until that ends or the controller
// has enough, and returns why the controller ended it; nil when it did not.
func (h hostile) say(conn *grpc.ClientConn, next func(i int) *stampedev1.SessionRequest) error {
	ctx, cancel := context.WithTimeout(h.t.Context(), 20*time.Second)
	defer cancel()
	s, err := stampedev1.NewAgentServiceClient(conn).Session(ctx)
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() {
		for {
			if _, err := s.Recv(); err != nil {
				ended <- err
				return
			}
		}
	}()
	for i := 0; ; i++ {
		m := next(i)
		if m == nil || s.Send(m) != nil {
			break
		}
	}
	select {
	case err := <-ended:
		return err
	case <-time.After(3 * time.Second):
		return nil
	}
}

func (h hostile) batch(attempt int32, sequence int64, size int) *stampedev1.SessionRequest {
	return &stampedev1.SessionRequest{Message: &stampedev1.SessionRequest_SampleBatch{SampleBatch: &stampedev1.SampleBatch{
		Ref:           &stampedev1.ShardRef{RunId: h.run, Shard: &stampedev1.Shard{Stride: 1}, ShardAttempt: attempt},
		BatchSequence: sequence, Samples: []*stampedev1.Sample{{Attempt: 1, ErrorMessage: strings.Repeat("x", size)}},
	}}}
}

func (h hostile) update(state stampedev1.ShardState, i int) *stampedev1.SessionRequest {
	return &stampedev1.SessionRequest{Message: &stampedev1.SessionRequest_ShardUpdate{ShardUpdate: &stampedev1.ShardUpdate{
		Ref: &stampedev1.ShardRef{RunId: h.run, Shard: &stampedev1.Shard{Stride: 1}, ShardAttempt: 1}, State: state,
		Phase: int32(i) - 5, NextSession: math.MinInt64, LastBatchSequence: math.MaxInt64,
		SelfAudit: &stampedev1.SelfAudit{CpuSeconds: math.NaN(), CpuUtilizationMax: math.Inf(1)},
	}}}
}

func beat(shards int) *stampedev1.SessionRequest {
	b := &stampedev1.Heartbeat{Sequence: math.MaxInt64, SentUnixNanos: math.MinInt64, LastRenewalSequence: -1, CpuUtilization: math.NaN()}
	for range shards {
		b.Shards = append(b.Shards, &stampedev1.ShardProgress{NextSession: math.MaxInt64, SentCount: math.MinInt64})
	}
	return &stampedev1.SessionRequest{Message: &stampedev1.SessionRequest_Heartbeat{Heartbeat: b}}
}

// first sends a hello and then what rest yields, so many times.
func first(times int, rest func(i int) *stampedev1.SessionRequest) func(int) *stampedev1.SessionRequest {
	return func(i int) *stampedev1.SessionRequest {
		switch {
		case i == 0:
			return hello(nil)
		case i <= times:
			return rest(i)
		}
		return nil
	}
}

// TestHostileAgent: whatever a stranger sends, it is told what is wrong, the
// controller takes no more than it may, and a run beside it loses nothing.
func TestHostileAgent(t *testing.T) {
	t.Parallel()
	sim := harness.StartSimulator(t, "--ttft", "30ms", "--itl", "5ms")
	c := harness.StartCluster(t, 2, terms...)
	r := begin(t, c, sim, load(sim, 30, 20*time.Second))
	sim.Await(t, 5)
	h := hostile{t: t, addr: c.GRPC, run: r.id}
	conn := h.dial()
	once := func(m *stampedev1.SessionRequest) func(int) *stampedev1.SessionRequest {
		return func(i int) *stampedev1.SessionRequest {
			if i > 0 {
				return nil
			}
			return m
		}
	}
	for _, tt := range []struct {
		name string
		next func(int) *stampedev1.SessionRequest
		code codes.Code
		text string
	}{
		{"a giant hello", once(hello(func(m *stampedev1.Hello) { m.ResumeSecret = make([]byte, 20<<20) })), codes.ResourceExhausted, "message"},
		{"a hello of many shards", once(hello(func(m *stampedev1.Hello) { m.Shards = make([]*stampedev1.ShardRef, 2000) })), codes.InvalidArgument, "at most 1024"},
		{"a name that writes into terminals", once(hello(func(m *stampedev1.Hello) { m.Name = "\x1b[2J" })), codes.InvalidArgument, "name"},
		{"no number of CPUs", once(hello(func(m *stampedev1.Hello) { m.CpuCount = math.NaN() })), codes.InvalidArgument, "cpu_count"},
		{"an id that is none", once(hello(func(m *stampedev1.Hello) { m.AgentId = "../../x" })), codes.InvalidArgument, "agent_id"},
		{"no hello", once(h.batch(1, 1, 10)), codes.InvalidArgument, "hello"},
		{"another's batches", first(100_000, func(i int) *stampedev1.SessionRequest { return h.batch(1, int64(i), 4000) }), codes.InvalidArgument, "fit nothing"},
		{"batches of attempts that nobody has", first(100_000, func(i int) *stampedev1.SessionRequest { return h.batch(int32(i), math.MaxInt64, 0) }), codes.InvalidArgument, "fit nothing"},
		{"a batch of attempt -1", first(1, func(int) *stampedev1.SessionRequest { return h.batch(-1, 1, 0) }), codes.InvalidArgument, "attempt"},
		{"large batches", first(100, func(i int) *stampedev1.SessionRequest { return h.batch(1, int64(i), 12<<20) }), codes.FailedPrecondition, "lease is over"},
		{"a batch larger than a message", first(1, func(int) *stampedev1.SessionRequest { return h.batch(1, 1, 20<<20) }), codes.ResourceExhausted, "message"},
		{"another's shards", first(10_000, func(i int) *stampedev1.SessionRequest { return h.update(stampedev1.ShardState(i%7), i) }), codes.InvalidArgument, "fit nothing"},
		{"heartbeats without end", first(100_000, func(int) *stampedev1.SessionRequest { return beat(0) }), codes.ResourceExhausted, "heartbeats"},
		{"heartbeats of many shards", first(1000, func(int) *stampedev1.SessionRequest { return beat(5000) }), codes.InvalidArgument, "fit nothing"},
		{"hello after hello", first(10, func(int) *stampedev1.SessionRequest { return hello(nil) }), codes.InvalidArgument, "one hello"},
		{"nothing at all", first(100_000, func(int) *stampedev1.SessionRequest { return &stampedev1.SessionRequest{} }), codes.InvalidArgument, "fit nothing"},
	} {
		err := h.say(conn, tt.next)
		st := status.Convert(err)
		if st.Code() == codes.ResourceExhausted && tt.name == "large batches" {
			continue // it was busy, so they waited
		}
		if st.Code() != tt.code || !strings.Contains(st.Message(), tt.text) || len(st.Message()) > 500 {
			t.Errorf("%s: %v, want %v and a sentence with %q", tt.name, err, tt.code, tt.text)
		}
	}
	h.flood()
	a := r.ended(t)
	r.hold(t, a)
	if sum := a.Report.Accounting; sum.Planned != 600 || sum.Succeeded != 600 {
		t.Errorf("accounting %+v, want 600 planned and succeeded", sum)
	}
	log := c.Controller.Stderr()
	if strings.Contains(log, "panic") || strings.ContainsAny(log, "\x1b") {
		t.Errorf("the log:\n%s", log)
	}
	if peak := c.Controller.PeakMiB(); peak > 700 {
		t.Errorf("the controller took %d MiB", peak)
	} else {
		t.Logf("the controller took %d MiB, its log %d KiB", peak, len(log)>>10)
	}
}

// flood opens thousands of sessions: some say nothing, some a hello with an id of
// their own. Others are told to come again.
func (h hostile) flood() {
	ctx, cancel := context.WithCancel(h.t.Context())
	defer cancel()
	refused := map[codes.Code]int{}
	ended := make(chan error, 4000)
	for i := range 16 {
		client := stampedev1.NewAgentServiceClient(h.dial())
		for range 250 {
			s, err := client.Session(ctx)
			if err != nil {
				refused[status.Code(err)]++
				continue
			}
			if i%4 == 3 {
				_ = s.Send(hello(nil))
			}
			go func() {
				for {
					if _, err := s.Recv(); err != nil {
						ended <- err
						return
					}
				}
			}()
		}
	}
	full := false
	for until := time.After(10 * time.Second); !full; {
		select {
		case err := <-ended:
			full = status.Code(err) == codes.ResourceExhausted && strings.Contains(err.Error(), "have not said hello")
		case <-until:
			h.t.Errorf("4,000 sessions at a time were all taken: %v", refused)
			return
		}
	}
}
