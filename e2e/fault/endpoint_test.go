//go:build linux

package fault

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/e2e/harness"
)

// pause is part of what is tested: how long somebody is gone.
func pause(d time.Duration) { <-time.After(d) }

func TestEndpointDiesAndComesBack(t *testing.T) {
	t.Parallel()
	sim := harness.StartSimulator(t, "--ttft", "30ms", "--itl", "5ms")
	c := harness.StartCluster(t, 2, terms...)
	r := begin(t, c, sim, load(sim, 40, 8*time.Second))
	sim.Await(t, 60)
	sim.Kill()
	pause(2 * time.Second)
	back := time.Now()
	again := harness.StartSimulator(t, "--ttft", "30ms", "--itl", "5ms", "--addr", sim.Addr)
	a := r.ended(t)
	sum := a.Report.Accounting
	if sum.Planned != 320 || sum.Lost != 0 || sum.Unsent != 0 || sum.Failed < 40 || sum.Succeeded < 150 {
		t.Errorf("accounting %+v; want 320 planned, about 80 failed, the rest succeeded", sum)
	}
	rows := a.Rows[:0]
	served := again.Account(t)
	for _, row := range a.Rows {
		if row.Status == "succeeded" && *row.SentUnixNS > back.UnixNano() && len(served[row.ID]) > 0 {
			rows = append(rows, row)
		}
	}
	if len(rows) < 120 || len(rows) != len(served) {
		t.Errorf("%d rows succeeded after the endpoint came back, it served %d", len(rows), len(served))
	}
	harness.MatchAccount(t, rows, served)
}

func TestInterruptAtEveryPhase(t *testing.T) {
	t.Parallel()
	const spec = "dataset: {input_tokens: 20, output_tokens: 20}\n"
	for name, test := range map[string]struct {
		load   string
		await  int64 // requests served before the interrupt; 0: the endpoint is not there
		report bool
	}{
		"waiting for the endpoint": {"load: {stages: [{rate: 20, duration: 5s}]}\nwait_ready: 60s\n", 0, false},
		"warmup":                   {"load: {warmup: {duration: 30s}, stages: [{rate: 20, duration: 5s}]}\n", 10, true},
		"stage":                    {"load: {stages: [{rate: 20, duration: 60s}]}\n", 30, true},
		"closed loop":              {"load: {stages: [{concurrency: 4, duration: 60s}]}\n", 30, true},
		"draining":                 {"load: {stages: [{concurrency: 20, requests: 20}]}\n", 20, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sim := harness.StartSimulator(t, "--ttft", "50ms", "--itl", "60ms")
			url := sim.URL()
			if test.await == 0 {
				url = "http://127.0.0.1:9/v1" // nobody listens
			}
			out := t.TempDir()
			file := harness.WriteSpec(t, "endpoint: {url: "+url+", model: stampede-sim}\n"+spec+test.load)
			run := harness.Start(t, "run", "-f", file, "--out", out, "--no-progress")
			if test.await > 0 {
				sim.Await(t, test.await)
			} else {
				pause(time.Second)
			}
			run.Signal(os.Interrupt)
			if code := run.Wait(20 * time.Second); code != 130 && name != "draining" {
				t.Errorf("exit %d, want 130\n%s%s", code, run.Stdout(), run.Stderr())
			}
			if !test.report {
				return
			}
			a := harness.ReadArtefacts(t, out)
			harness.AddsUp(t, a.Report)
			harness.MatchAccount(t, a.Rows, sim.Account(t))
			if a.Report.Accounting.Lost != 0 || strings.Contains(run.Stderr(), "panic") {
				t.Errorf("accounting %+v\n%s", a.Report.Accounting, run.Stderr())
			}
		})
	}
}
