package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	sdk "github.com/stampede-bench/stampede/client"
	"github.com/stampede-bench/stampede/internal/firehose"
	spec "github.com/stampede-bench/stampede/workload"
)

// flood is how many outcomes a controller is told, of how many tokens each, by so
// many agents: as fast as it takes them, on one core. The run's own time line has
// rate of them in each of its seconds: whole numbers, whose product is exact where
// a quotient's is not, and nothing lies far ahead of now.
type flood struct {
	rate, seconds, tokens, agents int
}

func (fl flood) samples() int { return fl.rate * fl.seconds }

// floods are the controller's rows: what it folds and journals a second on one
// core.
func floods() []workload {
	columns := []column{
		plain("samples_per_s", "samples/s"), plain("samples_per_cpu_s", "samples per CPU s"), micros("cpu_per_sample_s", "CPU a sample"),
		plain("bytes_per_sample", "bytes a sample"), megabytes("rss_bytes", "memory"), millis("slowest_renewal_s", "slowest heartbeat"),
		hundredths("report_s", "report and rows s"),
	}
	return []workload{
		{
			name: "controller", title: "controller on one core: outcomes of 1 token, folded, journalled and acknowledged",
			tools:   []tool{{"stampede", flood{rate: 20_000, seconds: 30, tokens: 1, agents: 8}.run}},
			columns: columns, goals: []goal{{figure: "samples_per_cpu_s", least: 200_000}},
		},
		{
			name: "controller64", title: "the same with outcomes of 64 tokens",
			tools:   []tool{{"stampede", flood{rate: 5_000, seconds: 30, tokens: 64, agents: 8}.run}},
			columns: columns, goals: []goal{{figure: "samples_per_cpu_s", least: 50_000}},
		},
	}
}

func (fl flood) run(ctx context.Context, b *bench, dir string) (f figures, err error) {
	p, err := begin(ctx, "env", "GOMAXPROCS=1", b.stampede, "controller", "--grpc-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0",
		"--data-dir", filepath.Join(dir, "data"))
	if err != nil {
		return nil, err
	}
	var fed time.Duration
	addr, err := p.expect("grpc listening on ")
	if err == nil {
		pid := p.cmd.Process.Pid
		begun := cpuOf(pid)
		f, err = fl.pour(ctx, addr, func() { fed = cpuOf(pid) - begun })
	}
	used, endErr := p.end()
	if err = errors.Join(err, endErr); err != nil {
		return nil, err
	}
	if fed == 0 {
		fed = used.cpu // where it can't be told, the report's part is in it
	}
	f["cpu_s"], f["rss_bytes"] = used.cpu.Seconds(), float64(used.rss)
	f["cpu_per_sample_s"] = fed.Seconds() / float64(fl.samples())
	f["samples_per_cpu_s"] = float64(fl.samples()) / fed.Seconds()
	return f, nil
}

// cpuOf is what a process that lives has taken so far; 0 where /proc doesn't say.
func cpuOf(pid int) time.Duration {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(data), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0
	}
	ticks := 0
	for _, field := range fields[11:13] { // user and system
		n, err := strconv.Atoi(field)
		if err != nil {
			return 0
		}
		ticks += n
	}
	return time.Duration(ticks) * (10 * time.Millisecond) // Linux counts in hundredths
}

// pour has one run of the controller fed.
func (fl flood) pour(ctx context.Context, addr string, onAck func()) (figures, error) {
	var conns []grpc.ClientConnInterface
	for range fl.agents {
		conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			return nil, err
		}
		defer conn.Close()
		conns = append(conns, conn)
	}
	c, err := sdk.Dial(addr)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	s, _, err := spec.Parse(fmt.Appendf(nil, `{endpoint: {url: "http://127.0.0.1:9/v1", model: m}, preflight: false, agents: %d,
		load: {stages: [{rate: %d, arrival: constant, duration: %ds}]}}`, fl.agents, fl.rate, fl.seconds))
	if err != nil {
		return nil, err
	}
	poured := make(chan firehose.Result, 1)
	failed := make(chan error, 1)
	go func() {
		r, err := firehose.Run(ctx, firehose.Config{Conns: conns, Tokens: fl.tokens, OnAck: onAck})
		failed <- err
		poured <- r
	}()
	before := time.Now()
	result, err := c.Run(ctx, s, nil)
	if err = errors.Join(err, <-failed); err != nil {
		return nil, err
	}
	r := <-poured
	if got := result.Report.Accounting.Succeeded; got != int64(fl.samples()) || r.Samples != got {
		return nil, fmt.Errorf("%d of %d samples were told, %d are in the report", r.Samples, fl.samples(), got)
	}
	return figures{
		"samples_per_s": float64(r.Samples) / r.Took.Seconds(), "bytes_per_sample": float64(r.Bytes) / float64(r.Samples),
		"slowest_renewal_s": r.SlowestRenewal.Seconds(), "report_s": (time.Since(before) - r.Took).Seconds(), "fed_s": r.Took.Seconds(),
	}, nil
}
