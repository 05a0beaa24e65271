// Command bench runs the acceptance workload with real processes and holds what
// Stampede reports against the simulator's own account, request by request. With
// vegeta at hand it runs the same requests with it, in turn, and compares CPU. It
// is not the Go micro-benchmarks, which live beside the code they measure, and it
// judges nothing: it prints a table and keeps JSON.
//
// Each run has a fresh simulator process. Medians over the runs are shown;
// ratios to vegeta are of runs that followed each other.
//
//	go run ./bench
//	go run ./bench --runs 5 --vegeta ~/go/bin/vegeta
//	go run ./bench --rate 50 --tokens 256 --separate
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

// options is the command line.
type options struct {
	load
	runs     int
	stampede string // binary; built when empty
	vegeta   string // binary; looked up when empty
	separate bool
	out      string // folder for the JSON
}

// load is what is sent and how the simulator answers.
type load struct {
	Rate     int           `json:"rate"`
	Duration time.Duration `json:"duration_ns"`
	Prompt   int           `json:"prompt_words"`
	Tokens   int           `json:"tokens"`
	TTFT     time.Duration `json:"ttft_ns"`
	ITL      time.Duration `json:"itl_ns"`
	Arrival  string        `json:"arrival"`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintf(os.Stderr, "bench: error: %v\n", err)
		os.Exit(1)
	}
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.IntVar(&o.runs, "runs", 3, "runs of each tool")
	f.IntVar(&o.Rate, "rate", 200, "requests per second")
	f.DurationVar(&o.Duration, "duration", 15*time.Second, "how long requests are sent")
	f.IntVar(&o.Prompt, "prompt", 256, "words of a prompt")
	f.IntVar(&o.Tokens, "tokens", 64, "tokens of a reply")
	f.DurationVar(&o.TTFT, "ttft", 50*time.Millisecond, "the simulator's time to first token")
	f.DurationVar(&o.ITL, "itl", 10*time.Millisecond, "the simulator's time between tokens")
	f.StringVar(&o.Arrival, "arrival", "constant", "arrival process: constant, poisson or gamma; vegeta's is always constant")
	f.StringVar(&o.stampede, "stampede", "", "stampede `binary` (default: built from this repository)")
	f.StringVar(&o.vegeta, "vegeta", "", "vegeta `binary` (default: the one on PATH, none when there is none)")
	f.BoolVar(&o.separate, "separate", false, "controller and agent in processes of their own; CPU is the agent's")
	f.StringVar(&o.out, "out", "results", "`folder` for the JSON")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	switch {
	case f.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q", f.Arg(0))
	case o.runs < 1 || o.Rate < 1 || o.Prompt < 1 || o.Tokens < 1:
		return o, errors.New("runs, rate, prompt and tokens must be at least 1")
	case o.Duration <= 0 || o.TTFT < 0 || o.ITL < 0:
		return o, errors.New("duration must be above 0, ttft and itl not below")
	}
	return o, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "stampede-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if o.stampede == "" {
		if o.stampede, err = buildStampede(ctx, dir, stderr); err != nil {
			return err
		}
	}
	if o.vegeta == "" {
		o.vegeta, _ = exec.LookPath("vegeta") // without it there is no comparison
	}
	result, err := measureAll(ctx, &o, dir, stderr)
	if err != nil {
		return err
	}
	result.table(stdout)
	path, err := result.keep(o.out)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "\n%s\n", path)
	return nil
}

func buildStampede(ctx context.Context, dir string, stderr io.Writer) (string, error) {
	path := filepath.Join(dir, "stampede")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", path, "github.com/stampede-bench/stampede/cmd/stampede")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Stderr = stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("build stampede: %w", err)
	}
	return path, nil
}

// measureAll runs the tools in turn, A B A B.
func measureAll(ctx context.Context, o *options, dir string, stderr io.Writer) (*results, error) {
	r := &results{StartedAt: time.Now().UTC(), Machine: machine(), Workload: o.load, Separate: o.separate}
	for i := range o.runs {
		for _, tool := range tools(o) {
			fmt.Fprintf(stderr, "run %d of %d: %s\n", i+1, o.runs, tool.name)
			m, err := measure(ctx, o, filepath.Join(dir, fmt.Sprintf("%s-%d", tool.name, i)), tool)
			if err != nil {
				return nil, fmt.Errorf("run %d of %s: %w", i+1, tool.name, err)
			}
			r.Runs = append(r.Runs, *m)
		}
	}
	return r, nil
}
