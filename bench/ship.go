package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/stampede-bench/stampede/agent"
	sdk "github.com/stampede-bench/stampede/client"
	"github.com/stampede-bench/stampede/internal/firehose"
	"github.com/stampede-bench/stampede/internal/procs"
	"github.com/stampede-bench/stampede/target"
	spec "github.com/stampede-bench/stampede/workload"
)

// shipArgument makes the command an agent whose endpoint answers at once, within
// the process: --ship CONTROLLER FOLDER.
const shipArgument = "--ship"

// What the agent is given to do: more a second than it is to ship.
const (
	shipRate    = 300_000
	shipSeconds = 3
)

// shipment is an agent's row: what it ships a second, where its endpoint costs
// nothing.
func shipment() workload {
	return workload{
		name: "ship", title: "one agent: dispatch, outcomes of 1 token, shipped to a controller on loopback and acknowledged, its endpoint left out",
		tools: []tool{{"agent", shipOnce}},
		columns: []column{
			plain("samples_per_s", "samples/s"), micros("agent_cpu_per_sample_s", "agent's CPU a sample"), micros("controller_cpu_per_sample_s", "controller's"),
			plain("bytes_per_sample", "bytes a sample"), megabytes("agent_rss_bytes", "agent RSS"),
		},
		goals: []goal{{figure: "samples_per_s", least: 100_000}},
	}
}

func shipOnce(ctx context.Context, b *bench, dir string) (f figures, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	controller, err := begin(ctx, b.stampede, "controller", "--grpc-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0",
		"--data-dir", filepath.Join(dir, "data"))
	if err != nil {
		return nil, err
	}
	addr, err := controller.expect("grpc listening on ")
	var agentUsed cost
	if err == nil {
		f, agentUsed, err = shipTo(ctx, self, addr, dir)
	}
	used, endErr := controller.end()
	if err = errors.Join(err, endErr); err != nil {
		return nil, err
	}
	f["agent_rss_bytes"] = float64(agentUsed.rss)
	f["agent_cpu_per_sample_s"] = agentUsed.cpu.Seconds() / (shipRate * shipSeconds)
	f["controller_cpu_per_sample_s"] = used.cpu.Seconds() / (shipRate * shipSeconds)
	return f, nil
}

// shipTo has an agent process take part in one run of the controller's.
func shipTo(ctx context.Context, self, addr, dir string) (f figures, used cost, err error) {
	worker, err := begin(ctx, self, shipArgument, addr, dir)
	if err != nil {
		return nil, cost{}, err
	}
	f, err = shipRun(ctx, addr, worker)
	used, endErr := worker.end()
	return f, used, errors.Join(err, endErr)
}

func shipRun(ctx context.Context, addr string, worker *process) (figures, error) {
	c, err := sdk.Dial(addr)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	s, _, err := spec.Parse(fmt.Appendf(nil, `{endpoint: {url: "http://127.0.0.1:9/v1", model: m}, preflight: false, agents: 1,
		dataset: {input_tokens: 4, output_tokens: 1}, load: {stages: [{rate: %d, arrival: constant, duration: %ds}]}}`, shipRate, shipSeconds))
	if err != nil {
		return nil, err
	}
	result, err := c.Run(ctx, s, nil)
	if err != nil {
		return nil, err
	}
	if got := result.Report.Accounting.Succeeded; got != shipRate*shipSeconds {
		return nil, fmt.Errorf("%d of %d outcomes are in the report: %+v", got, shipRate*shipSeconds, result.Report.Accounting)
	}
	line, err := worker.expect("shipped ")
	if err != nil {
		return nil, err
	}
	var did firehose.Shipped
	if err := json.Unmarshal([]byte(line), &did); err != nil {
		return nil, fmt.Errorf("what the agent says it shipped: %w", err)
	}
	return figures{
		"samples_per_s": shipRate * shipSeconds / did.Took.Seconds(), "shipping_s": did.Took.Seconds(),
		"bytes_per_sample": float64(did.Bytes) / (shipRate * shipSeconds),
	}, nil
}

// ship is the agent: it says what it shipped once a run is forgotten, and ends when
// it is told to.
func ship(stdout io.Writer, addr, dir string) error {
	procs.Spare(2) // as stampede agent does
	procs.Collect()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	told := make(chan struct{}, 1)
	watch := firehose.NewWatch(func() { told <- struct{}{} })
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()), watch.Option())
	if err != nil {
		return err
	}
	defer conn.Close()
	a, err := agent.New(agent.Config{
		Conn: conn, Name: "ship", CorpusDir: filepath.Join(dir, "corpora"), SpillDir: dir, LeaveTimeout: time.Second,
		NewDoer: func(target.Config) (agent.Doer, error) { return firehose.Instant{}, nil },
	})
	if err != nil {
		return err
	}
	go func() {
		<-told
		line, err := json.Marshal(watch.Shipped())
		if err != nil {
			line = []byte(err.Error())
		}
		_, _ = fmt.Fprintf(stdout, "shipped %s\n", line)
	}()
	return a.Run(ctx)
}
