//go:build unix

package fleet

import (
	"context"
	"fmt"
	"net"
	"os"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/stampede-bench/stampede/agent"
	"github.com/stampede-bench/stampede/client"
	"github.com/stampede-bench/stampede/controller"
	"github.com/stampede-bench/stampede/simulate"
	"github.com/stampede-bench/stampede/workload"
)

// size is how many agents take part: STAMPEDE_FLEET, or a few.
func size(t *testing.T) int {
	t.Helper()
	said := os.Getenv("STAMPEDE_FLEET")
	if said == "" {
		return 50
	}
	n, err := strconv.Atoi(said)
	if err != nil || n < 1 {
		t.Fatalf("STAMPEDE_FLEET: must be a number from 1, got %q", said)
	}
	return n
}

func TestFleetSharesOneRun(t *testing.T) {
	n := size(t)
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	defer func() { cancel(); all.Wait() }()
	sim, err := simulate.New(simulate.Config{Addr: "127.0.0.1:0", TTFT: "20ms", ITL: "2ms", Tokens: "5"})
	if err != nil {
		t.Fatal(err)
	}
	all.Go(func() { _ = sim.Run(ctx) })
	dial, cut, end := startController(t, ctx, &all)
	defer end()
	c, err := client.Dial("fleet", client.WithDialer(dial))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()

	began := time.Now()
	for i := range n {
		startAgent(t, ctx, &all, dial, fmt.Sprintf("agent-%04d", i))
	}
	await(t, ctx, c, n)
	report(t, fmt.Sprintf("%d agents connected", n), began)

	spec, _, err := workload.Parse(fmt.Appendf(nil, "endpoint: {url: 'http://%s/v1', model: stampede-sim}\n"+
		"dataset: {input_tokens: 20, output_tokens: 5}\nload: {stages: [{rate: 100, arrival: constant, duration: 6s}]}\nagents: %d\n", sim.Addr(), n))
	if err != nil {
		t.Fatal(err)
	}
	began = time.Now()
	run(t, ctx, c, spec, nil)
	report(t, "a run of 6 s with 100 requests a second", began)
	began = time.Now()
	run(t, ctx, c, spec, cut)
	await(t, ctx, c, n)
	report(t, "the same, with all connections cut midway", began)
	served := map[string]int{}
	for _, r := range sim.Account() {
		served[r.ID]++
		if served[r.ID] > 1 {
			t.Errorf("%s was served twice", r.ID)
		}
	}
}

func startController(t *testing.T, ctx context.Context, all *sync.WaitGroup) (dial func(context.Context, string) (net.Conn, error), cut, end func()) {
	t.Helper()
	c, err := controller.New(controller.Config{DataDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	l := bufconn.Listen(64 << 10)
	server := grpc.NewServer()
	c.Register(server)
	all.Go(func() { _ = c.Run(ctx) })
	all.Go(func() { _ = server.Serve(l) })
	ways := &connections{}
	return func(ctx context.Context, _ string) (net.Conn, error) {
		conn, err := l.DialContext(ctx)
		return ways.add(conn), err
	}, ways.cut, server.Stop
}

// connections are all that were made, to be cut at once: a reconnect storm.
type connections struct {
	mu  sync.Mutex
	all []net.Conn
}

func (c *connections) add(conn net.Conn) net.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	if conn != nil {
		c.all = append(c.all, conn)
	}
	return conn
}

func (c *connections) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.all {
		_ = conn.Close()
	}
	c.all = nil
}

func startAgent(t *testing.T, ctx context.Context, all *sync.WaitGroup, dial func(context.Context, string) (net.Conn, error), name string) {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///fleet", grpc.WithContextDialer(dial), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	a, err := agent.New(agent.Config{Conn: conn, Name: name, LeaveTimeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	all.Go(func() {
		defer conn.Close()
		_ = a.Run(ctx)
	})
}

func await(t *testing.T, ctx context.Context, c *client.Client, n int) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for range 1200 {
		there, err := c.Agents(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if len(there) == n {
			return
		}
		<-tick.C
	}
	t.Fatalf("not %d agents within a minute", n)
}

func run(t *testing.T, ctx context.Context, c *client.Client, spec *workload.Spec, meanwhile func()) {
	t.Helper()
	id, _, err := c.Register(ctx, spec, client.RegisterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	runID, err := c.Start(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	for m, err := range c.Watch(ctx, runID) {
		if err != nil {
			t.Fatal(err)
		}
		if meanwhile != nil && m.Progress.Succeeded > 100 {
			meanwhile()
			meanwhile = nil
		}
	}
	rep, _, err := c.Report(ctx, runID)
	if err != nil {
		t.Fatal(err)
	}
	if a := rep.Accounting; a.Planned != 600 || a.Succeeded != 600 {
		t.Errorf("accounting %+v, want 600 planned and succeeded", a)
	}
	for _, a := range rep.Agents {
		if a.Lost != nil {
			t.Errorf("%s lost its lease: %+v", a.Name, a.Lost)
		}
	}
}

// report tells what the whole process took: agents, controller and simulator.
func report(t *testing.T, what string, began time.Time) {
	t.Helper()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	cpu := time.Duration(u.Utime.Nano() + u.Stime.Nano())
	t.Logf("%s: took %v; process so far: CPU %v, heap in use %d MiB, of the system %d MiB, %d goroutines",
		what, time.Since(began).Round(time.Millisecond), cpu.Round(10*time.Millisecond), m.HeapInuse>>20, m.Sys>>20, runtime.NumGoroutine())
}
