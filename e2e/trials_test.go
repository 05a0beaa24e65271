package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/e2e/harness"
	"github.com/stampede-bench/stampede/report"
)

// TestTrialsOfOneCommand: three whole repeats, a set of files each, and one report
// of all of them.
func TestTrialsOfOneCommand(t *testing.T) {
	t.Parallel()
	sim := harness.StartSimulator(t, "--ttft", "lognormal:20ms:5ms", "--itl", "2ms")
	out := t.TempDir()
	r := harness.Stampede(t, "run", "--url", sim.URL(), "--rate", "30", "--duration", "2s", "--output-tokens", "uniform:5:9",
		"--trials", "3", "--seed", "9", "--out", out)
	if r.Code != 0 && r.Code != 3 {
		t.Fatalf("exit status %d\n%s%s", r.Code, r.Out, r.Err)
	}
	for _, want := range []string{"means over 3 trials", "95 % between 3 trials"} {
		if !strings.Contains(r.Out, want) {
			t.Errorf("no %q in\n%s", want, r.Out)
		}
	}
	if !strings.Contains(r.Err, "trial 2 of 3") {
		t.Errorf("progress does not tell the trial:\n%s", r.Err)
	}
	all := combinedReport(t, out)
	var rows []report.Row
	planned := int64(0)
	hashes := map[string]bool{}
	for i, id := range all.Trials.Runs {
		if id != fmt.Sprintf("%s.%d", all.TestID, i+1) {
			t.Errorf("trial %d is %s", i+1, id)
		}
		a := harness.ReadRun(t, out, id)
		rows = append(rows, a.Rows...)
		planned += a.Report.Accounting.Planned
		hashes[a.Hash] = true
	}
	harness.MatchAccount(t, rows, sim.Account(t))
	if all.Trials.N != 3 || all.Accounting.Planned != planned || int(planned) != len(rows) || len(hashes) != 3 || all.Spec.Seed != 9 {
		t.Errorf("trials %+v, planned %d of %d, %d rows, hashes %v", all.Trials, all.Accounting.Planned, planned, len(rows), hashes)
	}
}

// combinedReport reads the one report of all trials in dir.
func combinedReport(t *testing.T, dir string) *report.Report {
	t.Helper()
	names, _ := filepath.Glob(filepath.Join(dir, "report_*.json"))
	names = slices.DeleteFunc(names, func(n string) bool { return strings.Count(filepath.Base(n), ".") > 1 })
	if len(names) != 1 {
		t.Fatalf("reports of all trials: %v", names)
	}
	raw, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	rep, err := report.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	if rep.Trials == nil {
		t.Fatalf("%s is not of several trials", names[0])
	}
	return rep
}

// TestInterruptEndsAllTrials: the trial under way is drained and reported, no other
// begins.
func TestInterruptEndsAllTrials(t *testing.T) {
	t.Parallel()
	sim := harness.StartSimulator(t, "--ttft", "10ms", "--itl", "1ms")
	out := t.TempDir()
	p := harness.Start(t, "run", "--url", sim.URL(), "--rate", "20", "--arrival", "constant", "--duration", "2s", "--output-tokens", "4",
		"--trials", "50", "--out", out)
	sim.Await(t, 50)
	p.Signal(syscall.SIGINT)
	if code := p.Wait(20 * time.Second); code != 130 {
		t.Fatalf("exit status %d, want 130\n%s%s", code, p.Stdout(), p.Stderr())
	}
	all := combinedReport(t, out)
	if all.Trials.N < 2 || all.Trials.N > 10 || all.Trials.Asked != 50 || all.State != "CANCELLED" {
		t.Errorf("trials %+v, %s", all.Trials, all.State)
	}
}
