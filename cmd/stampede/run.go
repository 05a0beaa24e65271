package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/stampede-bench/stampede"
	"github.com/stampede-bench/stampede/client"
	"github.com/stampede-bench/stampede/internal/gather"
	"github.com/stampede-bench/stampede/internal/procs"
	"github.com/stampede-bench/stampede/report"
	"github.com/stampede-bench/stampede/simulate"
	"github.com/stampede-bench/stampede/workload"
)

// runFlags are what run needs beside the spec.
type runFlags struct {
	spec       *specFlags
	remote     remoteFlags
	out        string
	format     string
	exports    []string
	plots      bool
	noProgress bool
	printSpec  bool
	simulate   bool
	verbose    bool
}

func newRunCommand(io streams) *cobra.Command {
	f := &runFlags{}
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run a test and print its judged report",
		Long: `Run sends load to an endpoint and prints the report, the verdict first. Without
--controller, the controller and its agents live inside this process.

Exit status: 0 all is well, 1 the run failed or not one request succeeded,
2 usage or a bad spec, 3 the verdict is degraded or invalid, 4 a gate was
missed, 130 interrupted (what ran is still reported).`,
		Example: `  stampede run --url http://localhost:8000/v1
  stampede run --url http://localhost:8000/v1 --rate 10 --duration 60s --slo ttft=500ms,tpot=50ms
  stampede run --simulate --concurrency 1,2,4 --duration 5s
  stampede run --url http://localhost:8000/v1 --gate 'ttft.p99<500ms' --format junit
  stampede run -f spec.yaml --out results --export vllm`,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd.Context(), io) },
	}
	f.spec = addSpecFlags(cmd.Flags())
	f.remote.add(cmd.Flags(), "")
	cmd.Flags().StringVar(&f.out, "out", "results", "`DIR` for report, rows and hash; empty writes none")
	cmd.Flags().StringVar(&f.format, "format", "text", "what to print: "+formatList)
	addExportFlag(cmd.Flags(), &f.exports)
	addPlotsFlag(cmd.Flags(), &f.plots)
	cmd.Flags().BoolVar(&f.noProgress, "no-progress", false, "print no progress")
	cmd.Flags().BoolVar(&f.printSpec, "print-spec", false, "print the effective spec and send no load")
	cmd.Flags().BoolVar(&f.simulate, "simulate", false, "load a simulated model server inside this process; takes the place of --url")
	cmd.Flags().BoolVar(&f.verbose, "verbose", false, "log what controller and agents do")
	return cmd
}

func (f *runFlags) run(ctx context.Context, io streams) error {
	if err := checkOutput(f.format, f.exports, f.out); err != nil {
		return err
	}
	if err := checkPlots(f.plots, f.out); err != nil {
		return err
	}
	if f.remote.addr == "" {
		if err := f.remote.trust.unused(); err != nil {
			return err
		}
	}
	if f.simulate && f.remote.addr != "" {
		return usageError(errors.New("--simulate serves inside this process, which agents elsewhere may not reach"), "start stampede simulate and give its address with --url")
	}
	baseURL, stop, err := f.simulator(ctx)
	if err != nil {
		return err
	}
	defer stop()
	spec, notices, err := f.spec.spec(io.in, baseURL)
	if err != nil {
		return err
	}
	effective, assumed := spec.WithDefaults()
	if f.printSpec {
		tell(io, notices)
		return printSpec(io, effective)
	}
	tell(io, append(notices, assumed...))
	if f.remote.addr == "" {
		if err := checkHere(effective); err != nil {
			return f.spec.inFile(err)
		}
	}
	tidy, err := makeOut(f.out)
	if err != nil {
		return err
	}
	defer tidy()
	c, closeClient, err := f.connect(effective, io)
	if err != nil {
		return err
	}
	defer closeClient()
	s := &session{client: c, io: io, out: f.out, format: f.format, exports: f.exports, plots: f.plots, progress: f.progress(io)}
	return f.spec.inFile(s.execute(ctx, spec))
}

func tell(io streams, notices []string) {
	for _, n := range notices {
		fmt.Fprintf(io.err, "stampede: %s\n", n)
	}
}

// makeOut makes the folder of the artefacts: that they can't be written there is
// to be known before the load, not after it. tidy removes it again when the run
// wrote nothing into it.
func makeOut(dir string) (tidy func(), err error) {
	if dir == "" {
		return func() {}, nil
	}
	if _, err := os.Stat(dir); err == nil {
		tidy = func() {}
	} else {
		tidy = func() { _ = os.Remove(dir) } // of a folder with files it fails
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, usageError(fmt.Errorf("--out: %w", err), "name another folder, or give --out '' to write none")
	}
	return tidy, nil
}

// checkHere refuses a run inside this process that names what is not here. A
// controller elsewhere may have it.
func checkHere(spec *workload.Spec) error {
	if err := checkKeyEnv(spec); err != nil {
		return err
	}
	d := spec.Dataset
	if err := gather.CheckTokenizer(d); err != nil {
		return err
	}
	if d.Path != "" && d.CorpusHash == "" {
		return gather.Check(d)
	}
	return nil
}

// checkKeyEnv refuses a key that can't be had.
func checkKeyEnv(spec *workload.Spec) error {
	name := spec.Endpoint.APIKeyEnv
	if name == "" || !spec.Endpoint.APIKey.Empty() {
		return nil
	}
	if os.Getenv(name) != "" {
		return nil
	}
	return usageError(fmt.Errorf("endpoint.api_key_env: the environment variable %s is not set, or empty", name), "export "+name+"=…, or name another with --api-key-env")
}

// demoServer behaves like a small model on one GPU.
var demoServer = simulate.Config{
	Addr: "127.0.0.1:0", TTFT: "lognormal:60ms:20ms", ITL: "normal:12ms:2ms",
	PrefillPerToken: 100 * time.Microsecond, EOS: "normal:150:60", Slots: 256, Dedicated: true,
}

// simulator starts one inside this process when asked to and returns its URL.
func (f *runFlags) simulator(ctx context.Context) (url string, stop func(), err error) {
	if !f.simulate {
		return "", func() {}, nil
	}
	procs.Spare(1) // for the thread that writes
	server, err := simulate.New(demoServer)
	if err != nil {
		return "", nil, err
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Run(ctx)
	}()
	return "http://" + server.Addr() + "/v1", func() { cancel(); <-done }, nil
}

// connect returns a client of the controller that was named, or of one inside
// this process.
func (f *runFlags) connect(spec *workload.Spec, io streams) (*client.Client, func(), error) {
	if f.remote.addr != "" {
		c, err := f.remote.dial(io.err)
		if err != nil {
			return nil, nil, err
		}
		return c, func() { _ = c.Close() }, nil
	}
	procs.Spare(sleepingThreads)
	procs.Collect()
	procs.Prompt()
	env := gatherEnv(io.err)
	local, err := stampede.New(stampede.Config{
		Agents: max(spec.Agents, 1), Version: versionString(), Logger: logger(io.err, f.verbose), Progress: env.Progress, Notice: env.Notice,
	})
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := local.Run(ctx); err != nil {
			fmt.Fprintf(io.err, "stampede: error: %v\n", err)
		}
	}()
	return local.Client(), func() { cancel(); <-done }, nil
}

func (f *runFlags) progress(io streams) progress {
	if f.noProgress {
		return silentProgress{}
	}
	return newProgress(io.err)
}

func logger(w interface{ Write([]byte) (int, error) }, verbose bool) *slog.Logger {
	if !verbose {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// session takes one test from registration to its printed report.
type session struct {
	client   *client.Client
	io       streams
	out      string
	format   string
	exports  []string
	plots    bool
	progress progress
}

func (s *session) execute(ctx context.Context, spec *workload.Spec) error {
	id, _, err := s.client.Register(ctx, spec, client.RegisterOptions{})
	if err != nil {
		return err
	}
	if _, err := s.client.Start(ctx, id); err != nil {
		return err
	}
	final, interrupted, err := s.follow(ctx, id)
	if err != nil {
		return err
	}
	return s.conclude(context.WithoutCancel(ctx), final, interrupted)
}

// follow watches a test to its end, all its trials. The first interrupt cancels and drains it,
// the second gives up at once.
func (s *session) follow(ctx context.Context, id string) (client.Test, bool, error) {
	signals := interrupts()
	defer signals.stop()
	watch, cancel := context.WithCancel(ctx)
	defer cancel()
	updates := make(chan client.Test)
	failed := make(chan error, 1)
	go func() {
		defer close(updates)
		for t, err := range s.client.Watch(watch, id) {
			if err != nil {
				failed <- err
				return
			}
			updates <- t
		}
	}()
	var last client.Test
	count := 0
	for {
		select {
		case t, more := <-updates:
			if !more {
				s.progress.end()
				return last, count > 0, drainError(failed)
			}
			last = t
			s.progress.show(t)
		case <-signals.c:
			count++
			s.interrupt(ctx, id, count)
		}
	}
}

func drainError(failed chan error) error {
	select {
	case err := <-failed:
		return err
	default:
		return nil
	}
}

func (s *session) interrupt(ctx context.Context, id string, count int) {
	message := "stampede: interrupted: waiting for requests in flight; interrupt again to give up on them"
	if count > 1 {
		message = "stampede: interrupted again: giving up"
	}
	s.progress.end()
	fmt.Fprintln(s.io.err, message)
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if _, err := s.client.Cancel(ctx, id, count > 1); err != nil {
		fmt.Fprintf(s.io.err, "stampede: cancel: %v\n", err)
	}
}

// conclude fetches the report, writes the artefacts, prints and judges.
func (s *session) conclude(ctx context.Context, final client.Test, interrupted bool) error {
	rep, raw, err := s.client.Report(ctx, final.ID)
	if err != nil {
		if s.format == formatJUnit {
			_ = report.JUnitError(s.io.out, final.RunID, cmp.Or(final.Reason, err.Error()))
		}
		if interrupted && final.State == client.Cancelled {
			fmt.Fprintf(s.io.err, "stampede: %s\n", final.Reason)
			return silently(exitInterrupted)
		}
		if final.State != client.Succeeded && final.Reason != "" {
			return reasonError(final)
		}
		return err
	}
	var files []string
	if s.out != "" {
		if files, err = writeArtefacts(ctx, s.client, s.out, rep, raw, s.plots, s.exports...); err != nil {
			fmt.Fprintf(s.io.err, "stampede: error: %v\n", err)
			defer fmt.Fprintln(s.io.err, "hint: the report above is complete; only its files are not")
		}
	}
	if err := printReport(s.io, rep, raw, s.format, files); err != nil {
		return err
	}
	if final.State == client.Failed && final.Reason != "" {
		fmt.Fprintf(s.io.err, "stampede: error: %s\n", final.Reason)
	}
	return judge(rep, final.State, interrupted, err != nil)
}

// judge turns what a run came to into the exit code of contract §2.
func judge(rep *report.Report, state client.State, interrupted, incomplete bool) error {
	switch {
	case interrupted:
		return silently(exitInterrupted)
	case state == client.Failed || incomplete || rep.Accounting.Succeeded == 0:
		return silently(exitFailed)
	case rep.Verdict.State != report.Valid:
		return silently(exitUntrusted)
	case len(rep.MissedGates()) > 0:
		return silently(exitGate)
	}
	return nil
}

func colorful(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) && os.Getenv("NO_COLOR") == ""
}

func width(w any) int {
	if f, ok := w.(*os.File); ok {
		if cols, _, err := term.GetSize(int(f.Fd())); err == nil && cols > 0 {
			return cols
		}
	}
	return 100
}
