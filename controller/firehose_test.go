package controller

import (
	"context"
	"net"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/stampede-bench/stampede/internal/firehose"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
)

// flood runs spec on a controller over loopback, whose agents tell invented outcomes of
// so many tokens as fast as they are taken: each of want is counted once. The
// controller has ended when it returns.
func flood(t *testing.T, cfg Config, agents, tokens int, spec string, want int64) firehose.Result {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	c.Register(server)
	serving, end := context.WithCancel(ctx)
	done := make(chan error, 2)
	go func() { done <- c.Run(serving) }()
	go func() { done <- server.Serve(listener) }()
	r := &rig{t: t, c: c, ctx: ctx}
	var conns []grpc.ClientConnInterface
	for range agents + 1 {
		conn, err := grpc.NewClient(listener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conns = append(conns, conn)
	}
	r.tests = stampedev1.NewTestServiceClient(conns[agents].(*grpc.ClientConn))
	var got firehose.Result
	hosed := make(chan error, 1)
	go func() {
		var err error
		got, err = firehose.Run(ctx, firehose.Config{Conns: conns[:agents], Tokens: tokens})
		hosed <- err
	}()
	id := r.run(endpoint + spec)
	last := r.finished(id)
	if err := <-hosed; err != nil {
		t.Fatal(err)
	}
	if last.GetState() != stampedev1.State_STATE_SUCCEEDED || got.Samples != want || last.GetProgress().GetSucceededCount() != want {
		t.Errorf("%v %s: %d told, %d succeeded, want %d; report %.2000s", last.GetState(), last.GetReason(), got.Samples, last.GetProgress().GetSucceededCount(), want, r.report(id))
	}
	end()
	cancel()
	server.Stop()
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	return got
}

// TestOutcomesAsFastAsTheyAreTaken floods a controller over loopback: every
// outcome is counted once, and heartbeats are answered all the while.
func TestOutcomesAsFastAsTheyAreTaken(t *testing.T) {
	got := flood(t, Config{DataDir: t.TempDir(), NoRows: true, checkpointBytes: 1 << 20, checkpointPeriod: 1}, 4, 2,
		"load: {stages: [{rate: 4000, arrival: constant, duration: 25s}]}\nagents: 4\npreflight: false", 100_000)
	t.Logf("%d samples in %v, slowest heartbeat %v", got.Samples, got.Took, got.SlowestRenewal)
}
