// Command bench runs workloads with real processes and holds what Stampede
// reports against the simulator's own account, request by request. Where vegeta, k6
// or wrk is at hand it does the same work with them, in turn, and compares. It is not
// the Go micro-benchmarks, which live beside the code they measure.
//
// Each run has a fresh simulator process. Medians over the runs are shown; ratios
// to another tool are of runs that followed each other. A goal that was missed is
// named and is no failure of the command. Built with CGO_ENABLED=0 it needs
// neither a Go toolchain nor a network, given --stampede.
//
//	go run ./bench --list
//	go run ./bench
//	go run ./bench --only rate,closed --runs 5
//	go run ./bench --runs 3 --time 0.5 --vegeta ~/go/bin/vegeta
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
	"slices"
	"strings"
	"syscall"
	"time"
)

// options is the command line.
type options struct {
	only     string // workloads by name, commas between; empty: all but the long ones
	list     bool
	runs     int
	time     float64 // scale of durations
	stampede string  // binary; built when empty
	vegeta   string  // binary; looked up when empty
	k6       string
	wrk      string
	out      string // folder for the JSON
}

// bench is what the runs of all workloads share.
type bench struct {
	options
	stderr io.Writer
}

// scaled is a workload's duration, shortened or stretched by --time.
func (b *bench) scaled(d time.Duration) time.Duration {
	return time.Duration(float64(d) * b.time).Round(time.Millisecond)
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == spinArgument {
		spin()
	}
	if len(os.Args) == 4 && os.Args[1] == shipArgument {
		if err := ship(os.Stdout, os.Args[2], os.Args[3]); err != nil {
			fmt.Fprintf(os.Stderr, "bench: error: %v\n", err)
			os.Exit(1)
		}
		return
	}
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
	f.StringVar(&o.only, "only", "", "`NAMES` of workloads, commas between (default: all that are not long)")
	f.BoolVar(&o.list, "list", false, "list the workloads and what each is to reach, and run none")
	f.IntVar(&o.runs, "runs", 3, "runs of each tool")
	f.Float64Var(&o.time, "time", 1, "scale of the workloads' durations")
	f.StringVar(&o.stampede, "stampede", "", "stampede `binary` (default: built from this repository)")
	f.StringVar(&o.vegeta, "vegeta", "", "vegeta `binary` (default: the one on PATH; without one there is no comparison)")
	f.StringVar(&o.k6, "k6", "", "k6 `binary` (default: likewise)")
	f.StringVar(&o.wrk, "wrk", "", "wrk `binary` (default: likewise)")
	f.StringVar(&o.out, "out", "results", "`folder` for the JSON")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	switch {
	case f.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q", f.Arg(0))
	case o.runs < 1:
		return o, fmt.Errorf("--runs must be at least 1, got %d", o.runs)
	case o.time < 0.05 || o.time > 1000:
		return o, fmt.Errorf("--time must be from 0.05 to 1000, got %g", o.time)
	}
	return o, nil
}

// chosen returns the workloads that are to run.
func chosen(all []workload, only string) ([]workload, error) {
	var out []workload
	if only == "" {
		for _, w := range all {
			if !w.long {
				out = append(out, w)
			}
		}
		return out, nil
	}
	for name := range strings.SplitSeq(only, ",") {
		i := slices.IndexFunc(all, func(w workload) bool { return w.name == strings.TrimSpace(name) })
		if i < 0 {
			return nil, fmt.Errorf("no workload is called %q; --list names them", name)
		}
		out = append(out, all[i])
	}
	return out, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	list, err := chosen(workloads(), o.only)
	if err != nil {
		return err
	}
	if o.list {
		describe(stdout, workloads())
		return nil
	}
	dir, err := os.MkdirTemp("", "stampede-bench-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := o.findBinaries(ctx, dir, stderr); err != nil {
		return err
	}
	b := &bench{options: o, stderr: stderr}
	r := &results{StartedAt: time.Now().UTC(), Machine: machine(), TimeScale: o.time}
	fmt.Fprintln(stdout, r.Machine)
	for _, w := range list {
		one, err := b.measure(ctx, dir, w)
		if err != nil {
			return err
		}
		one.table(stdout)
		r.Workloads = append(r.Workloads, *one)
	}
	path, err := r.keep(o.out)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "\n%s\n", path)
	return nil
}

func describe(w io.Writer, all []workload) {
	for _, l := range all {
		long := ""
		if l.long {
			long = " (only when named)"
		}
		fmt.Fprintf(w, "%s: %s%s\n", l.name, l.title, long)
		for _, g := range l.goals {
			fmt.Fprintf(w, "    %s\n", g)
		}
	}
}

// findBinaries builds stampede and looks up what it is compared with.
func (o *options) findBinaries(ctx context.Context, dir string, stderr io.Writer) error {
	for name, binary := range map[string]*string{"vegeta": &o.vegeta, "k6": &o.k6, "wrk": &o.wrk} {
		if *binary == "" {
			*binary, _ = exec.LookPath(name)
		}
	}
	if o.stampede != "" {
		return nil
	}
	o.stampede = filepath.Join(dir, "stampede")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", o.stampede, "github.com/stampede-bench/stampede/cmd/stampede")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Stderr = stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("build stampede: %w", err)
	}
	return nil
}

// errMissing is what a tool says whose binary is not there.
var errMissing = errors.New("not installed")

// measure runs a workload's tools in turn, A B A B. A run that fails is noted and
// the others go on.
func (b *bench) measure(ctx context.Context, dir string, w workload) (*result, error) {
	r := &result{Name: w.name, Title: w.title, columns: w.columns}
	for _, t := range w.tools {
		r.tools = append(r.tools, t.name)
	}
	runs := b.runs
	if w.once {
		runs = 1
	}
	for i := 1; i <= runs; i++ {
		for _, t := range w.tools {
			fmt.Fprintf(b.stderr, "%s, run %d of %d: %s\n", w.name, i, runs, t.name)
			o := outcome{Tool: t.name, Run: i, At: time.Now().UTC()}
			var err error
			o.Figures, err = b.once(ctx, t, filepath.Join(dir, fmt.Sprintf("%s-%s-%d", w.name, t.name, i)))
			switch {
			case ctx.Err() != nil:
				return nil, ctx.Err()
			case errors.Is(err, errMissing):
				continue
			case err != nil:
				o.Problem = err.Error()
			}
			r.Runs = append(r.Runs, o)
		}
	}
	r.judge(w.goals)
	return r, nil
}

// once runs one tool and leaves nothing behind.
func (b *bench) once(ctx context.Context, t tool, dir string) (figures, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	f, err := t.run(ctx, b, dir)
	return f, errors.Join(err, os.RemoveAll(dir))
}
