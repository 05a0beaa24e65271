package firehose_test

import (
	"context"
	"fmt"
	"net"
	"runtime"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/stampede-bench/stampede/agent"
	"github.com/stampede-bench/stampede/client"
	"github.com/stampede-bench/stampede/controller"
	"github.com/stampede-bench/stampede/internal/firehose"
	"github.com/stampede-bench/stampede/report"
	"github.com/stampede-bench/stampede/target"
	"github.com/stampede-bench/stampede/workload"
)

// site is a controller and a way to it.
type site struct {
	t    testing.TB
	ctx  context.Context
	dial func(...grpc.DialOption) *grpc.ClientConn
	c    *client.Client
}

// open serves a controller on a listener until the test ends.
func open(t testing.TB, l net.Listener, dialer func(context.Context, string) (net.Conn, error)) *site {
	t.Helper()
	c, err := controller.New(controller.Config{DataDir: t.TempDir(), NoRows: true})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	server := grpc.NewServer()
	c.Register(server)
	var all sync.WaitGroup
	all.Go(func() {
		if err := c.Run(ctx); err != nil {
			t.Errorf("controller: %v", err)
		}
	})
	all.Go(func() { _ = server.Serve(l) })
	s := &site{t: t, ctx: ctx, dial: func(more ...grpc.DialOption) *grpc.ClientConn {
		t.Helper()
		more = append(more, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithContextDialer(dialer))
		conn, err := grpc.NewClient("passthrough:///controller", more...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}}
	if s.c, err = client.Dial("controller", client.WithDialer(dialer)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.c.Close()
		cancel()
		server.Stop()
		all.Wait()
	})
	return s
}

func loopback(t testing.TB) *site {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return open(t, l, func(ctx context.Context, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", l.Addr().String())
	})
}

func inMemory(t testing.TB) *site {
	t.Helper()
	l := bufconn.Listen(1 << 20)
	return open(t, l, func(ctx context.Context, _ string) (net.Conn, error) { return l.DialContext(ctx) })
}

// run has one agent do a run of rate × seconds requests and holds that all of
// them are in the report.
func (s *site) run(rate, seconds int) *report.Report {
	s.t.Helper()
	spec, _, err := workload.Parse(fmt.Appendf(nil, `{endpoint: {url: "http://127.0.0.1:9/v1", model: m}, preflight: false, agents: 1,
		dataset: {input_tokens: 4, output_tokens: 1}, load: {stages: [{rate: %d, arrival: constant, duration: %ds}]}}`, rate, seconds))
	if err != nil {
		s.t.Fatal(err)
	}
	id, _, err := s.c.Register(s.ctx, spec, client.RegisterOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	runID, err := s.c.Start(s.ctx, id)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, err := range s.c.Watch(s.ctx, runID) {
		if err != nil {
			s.t.Fatal(err)
		}
	}
	r, _, err := s.c.Report(s.ctx, runID)
	if err != nil {
		s.t.Fatal(err)
	}
	if a := r.Accounting; a.Planned != int64(rate*seconds) || a.Succeeded != a.Planned {
		s.t.Fatalf("accounting %+v, want %d planned and succeeded", a, rate*seconds)
	}
	return r
}

// startAgent starts a whole agent, whose endpoint answers at once.
func (s *site) startAgent() (shipped func() firehose.Shipped) {
	s.t.Helper()
	forgotten := make(chan struct{}, 1)
	watch := firehose.NewWatch(func() { forgotten <- struct{}{} })
	a, err := agent.New(agent.Config{
		Conn: s.dial(watch.Option()), Name: "shipper", CorpusDir: s.t.TempDir(), SpillDir: s.t.TempDir(), LeaveTimeout: time.Second,
		NewDoer: func(target.Config) (agent.Doer, error) { return firehose.Instant{}, nil },
	})
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(s.ctx)
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	s.t.Cleanup(func() {
		cancel()
		<-done
	})
	return func() firehose.Shipped {
		s.t.Helper()
		select {
		case <-forgotten:
		case <-time.After(time.Minute):
			s.t.Fatal("the controller had nothing forgotten within a minute of the report")
		}
		return watch.Shipped()
	}
}

// TestOneAgentShipsWhatItSends has a whole agent do more requests than the wire
// and the journal have room for at once: each is counted once, with its detail.
func TestOneAgentShipsWhatItSends(t *testing.T) {
	s := loopback(t)
	shipped := s.startAgent()
	const rate, seconds = 50_000, 2
	r := s.run(rate, seconds)
	did := shipped()
	if least := int64(rate*seconds) / 500; did.Batches < least {
		t.Errorf("%d batches, want at least %d: none has more than 500", did.Batches, least)
	}
	if each := did.Bytes / (rate * seconds); each < 40 || each > 300 {
		t.Errorf("%d bytes a sample", each)
	}
	if len(r.Agents) != 1 || r.Agents[0].Lost != nil {
		t.Errorf("agents %+v, want one that was not lost", r.Agents)
	}
	t.Logf("%d samples, %d bytes in %d batches, in %v", rate*seconds, did.Bytes, did.Batches, did.Took)
}

// BenchmarkShip is an agent's way of an outcome, from dispatch to acknowledgement
// by a controller in the same process, over loopback.
func BenchmarkShip(b *testing.B) {
	const rate, seconds = 200_000, 2
	var took time.Duration
	before, runs := memory(), 0
	for b.Loop() {
		s := loopback(b)
		shipped := s.startAgent()
		s.run(rate, seconds)
		took += shipped().Took
		runs++
	}
	perSample(b, before, took, runs*rate*seconds)
}

// BenchmarkSessionAck is a controller's way of an outcome, from a session's batch
// to its acknowledgement: stream, fold, journal, sync. One session, over bufconn.
func BenchmarkSessionAck(b *testing.B) {
	for _, tokens := range []int{1, 64} {
		b.Run(fmt.Sprint(tokens, " tokens"), func(b *testing.B) { benchSessionAck(b, tokens) })
	}
}

func benchSessionAck(b *testing.B, tokens int) {
	const rate, seconds = 20_000, 10
	s := inMemory(b)
	var took time.Duration
	before, runs := memory(), 0
	for b.Loop() {
		conn := s.dial()
		poured := make(chan firehose.Result, 1)
		go func() {
			r, err := firehose.Run(s.ctx, firehose.Config{Conns: []grpc.ClientConnInterface{conn}, Tokens: tokens})
			if err != nil {
				b.Error(err)
			}
			poured <- r
		}()
		s.run(rate, seconds)
		took += (<-poured).Took
		runs++
	}
	perSample(b, before, took, runs*rate*seconds)
}

func memory() (m runtime.MemStats) {
	runtime.ReadMemStats(&m)
	return m
}

// perSample tells what one sample took of the time in which samples were on their
// way, and of the memory of both ends, a run's beginning and report included: of
// the allocations, five are the plan's hash, for which each prompt is made.
func perSample(b *testing.B, before runtime.MemStats, took time.Duration, samples int) {
	b.Helper()
	after := memory()
	n := float64(samples)
	b.ReportMetric(float64(took.Nanoseconds())/n, "ns/sample")
	b.ReportMetric(n/took.Seconds(), "samples/s")
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/n, "allocs/sample")
	b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/n, "B/sample")
}
