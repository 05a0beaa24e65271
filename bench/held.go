package main

import (
	"context"
	"errors"
	"path/filepath"
	"strconv"
	"time"
)

const heldStreams = 10_000

// holdStreams has one agent hold many slow streams, apart from the controller and
// its client, and looks at the agent's memory.
func holdStreams(ctx context.Context, b *bench, dir string) (figures, error) {
	l := load{Concurrency: heldStreams, Requests: heldStreams, Prompt: 32, Tokens: 64, TTFT: 500 * time.Millisecond, ITL: 500 * time.Millisecond}
	return l.hold(ctx, b, dir)
}

// hold has its agents send l, of which each slot sends one request.
func (l load) hold(ctx context.Context, b *bench, dir string) (figures, error) {
	var agents cost
	f, err := l.measure(ctx, b, dir, func(ctx context.Context, b *bench, l load, dir, url string) (used cost, artefacts string, err error) {
		used, agents, err = sendApart(ctx, b, l, dir, url)
		return used, dir, err
	})
	if err != nil {
		return nil, err
	}
	f["agent_rss_bytes"], f["agent_cpu_s"] = float64(agents.rss), agents.cpu.Seconds()
	f["rss_per_stream_bytes"] = float64(agents.rss) / float64(l.Concurrency)
	return f, nil
}

// sendApart runs controller, agents and client in processes of their own.
func sendApart(ctx context.Context, b *bench, l load, dir, url string) (client, agents cost, err error) {
	spec, err := l.writeSpec(dir, url)
	if err != nil {
		return client, agents, err
	}
	controller, err := begin(ctx, b.stampede, "controller", "--grpc-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0",
		"--data-dir", filepath.Join(dir, "data"))
	if err != nil {
		return client, agents, err
	}
	defer func() {
		_, endErr := controller.end()
		err = errors.Join(err, endErr)
	}()
	addr, err := controller.expect("grpc listening on ")
	if err != nil {
		return client, agents, err
	}
	n := max(1, l.Agents)
	var workers []*process
	for i := 0; i < n && err == nil; i++ {
		var worker *process
		if worker, err = begin(ctx, b.stampede, "agent", "--controller", addr, "--name", "bench-"+strconv.Itoa(i)); err == nil {
			workers = append(workers, worker)
		}
	}
	if err == nil {
		client, err = finish(ctx, nil, lawful, b.stampede, "run", "-f", spec, "--controller", addr, "--agents", strconv.Itoa(n), "--out", dir, "--no-progress")
	}
	agents, endErr := endAll(workers)
	return client, agents, errors.Join(err, endErr)
}
