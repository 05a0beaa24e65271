package controller

import (
	"context"
	"log/slog"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/stampede-bench/stampede/internal/wire"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/workload"
)

// rig is a controller behind an in-memory listener, inside a synctest bubble.
type rig struct {
	t        *testing.T
	c        *Controller
	listener *bufconn.Listener
	conns    []*grpc.ClientConn
	tests    stampedev1.TestServiceClient
	ctx      context.Context
}

// inBubble runs a test against a controller on a fake clock.
func inBubble(t *testing.T, cfg Config, test func(*rig)) {
	t.Helper()
	cfg.DataDir = t.TempDir()
	if testing.Verbose() && os.Getenv("STAMPEDE_TEST_LOG") != "" {
		cfg.Logger = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	synctest.Test(t, func(t *testing.T) {
		r, end := open(t, cfg)
		test(r)
		end()
	})
}

// open starts a controller; the test is in a bubble.
func open(t *testing.T, cfg Config) (r *rig, end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context()) // the agents'; the controller ends first
	serving, stop := context.WithCancel(t.Context())
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	r = &rig{t: t, c: c, listener: bufconn.Listen(1 << 20), ctx: ctx}
	server := grpc.NewServer()
	c.Register(server)
	done := make(chan error, 2)
	go func() { done <- c.Run(serving) }()
	go func() { done <- server.Serve(r.listener) }()
	r.tests = stampedev1.NewTestServiceClient(r.dial())
	return r, func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		cancel()
		for _, conn := range r.conns {
			_ = conn.Close()
		}
		server.Stop()
		<-done
	}
}

// killedNow starts another controller on what the first has on its disk at this
// moment, as if that had been killed, and hands it to test.
func (r *rig) killedNow(test func(after *rig)) {
	r.t.Helper()
	dir := r.t.TempDir() + "/data"
	if err := os.CopyFS(dir, os.DirFS(r.c.cfg.DataDir)); err != nil {
		r.t.Fatal(err)
	}
	_ = os.Remove(files{data: dir}.database())
	if err := r.c.keeper.db.CopyTo(files{data: dir}.database()); err != nil {
		r.t.Fatal(err)
	}
	cfg := r.c.cfg
	cfg.DataDir = dir
	after, end := open(r.t, cfg)
	test(after)
	end()
}

func (r *rig) dial() *grpc.ClientConn {
	r.t.Helper()
	conn, err := grpc.NewClient("passthrough:///controller",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return r.listener.DialContext(ctx) }),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		r.t.Fatal(err)
	}
	r.conns = append(r.conns, conn)
	return conn
}

// spec parses a spec as a user would write it.
func spec(t testing.TB, yaml string) *stampedev1.Spec {
	t.Helper()
	s, _, err := workload.Parse([]byte(yaml))
	if err != nil {
		t.Fatalf("spec: %v", err)
	}
	m, err := wire.SpecToProto(s)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func (r *rig) register(yaml string) string {
	r.t.Helper()
	resp, err := r.tests.RegisterTest(r.ctx, &stampedev1.RegisterTestRequest{Spec: spec(r.t, yaml)})
	if err != nil {
		r.t.Fatalf("register: %v", err)
	}
	return resp.GetTestId()
}

func (r *rig) start(testID string) string {
	r.t.Helper()
	resp, err := r.tests.StartTest(r.ctx, &stampedev1.StartTestRequest{TestId: testID})
	if err != nil {
		r.t.Fatalf("start: %v", err)
	}
	return resp.GetRunId()
}

func (r *rig) run(yaml string) string {
	r.t.Helper()
	return r.start(r.register(yaml))
}

func (r *rig) get(id string) *stampedev1.Test {
	r.t.Helper()
	resp, err := r.tests.GetTest(r.ctx, &stampedev1.GetTestRequest{TestId: id})
	if err != nil {
		r.t.Fatalf("get: %v", err)
	}
	return resp.GetTest()
}

// finished watches a run to its end.
func (r *rig) finished(id string) *stampedev1.Test {
	r.t.Helper()
	stream, err := r.tests.WatchTest(r.ctx, &stampedev1.WatchTestRequest{TestId: id})
	if err != nil {
		r.t.Fatal(err)
	}
	var last *stampedev1.Test
	for {
		var resp *stampedev1.WatchTestResponse
		if resp, err = stream.Recv(); err != nil {
			break
		}
		last = resp.GetTest()
	}
	if last.GetEndTime() == nil {
		r.t.Fatalf("the watch ended in state %v (%s): %v", last.GetState(), last.GetReason(), err)
	}
	return last
}

// samples returns the rows of a run by index; one that comes twice fails the test.
func (r *rig) samples(id string) map[int64]*stampedev1.Sample {
	r.t.Helper()
	stream, err := r.tests.StreamSamples(r.ctx, &stampedev1.StreamSamplesRequest{TestId: id})
	if err != nil {
		r.t.Fatal(err)
	}
	rows := map[int64]*stampedev1.Sample{}
	for {
		resp, err := stream.Recv()
		if err != nil {
			return rows
		}
		for _, s := range resp.GetSamples() {
			if rows[s.GetIndex()] != nil {
				r.t.Errorf("entry %d has two rows", s.GetIndex())
			}
			rows[s.GetIndex()] = s
		}
	}
}

// settled waits until nothing moves.
func (r *rig) settled() { synctest.Wait() }

func (r *rig) sleep(d time.Duration) { time.Sleep(d); synctest.Wait() }
