//go:build linux

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/e2e/harness"
	"github.com/stampede-bench/stampede/measure"
)

func TestEveryFaultIsARowOfItsKind(t *testing.T) {
	t.Parallel()
	for fault, want := range map[string]string{
		"status=500": "http_500", "status=429": "http_429", "reset": "connection_reset", "truncate": "truncated",
		"malformed_event": "malformed_event", "html": "html_response", "error_event": "error_event", "empty": "empty_response",
		"stall": "timeout",
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			sim := harness.StartSimulator(t, "--ttft", "5ms", "--itl", "1ms", "--tokens", "10", "--fault", fault+"@0.5", "--seed", "3")
			out := t.TempDir()
			r := harness.Stampede(t, "run", "--url", sim.URL(), "--model", "stampede-sim", "--rate", "40", "--arrival", "constant", "--duration", "1s", "--output-tokens", "10",
				"--request-timeout", "1s", "--no-preflight", "--out", out, "--no-progress")
			if r.Code != 0 && r.Code != 3 {
				t.Fatalf("exit %d\n%s%s", r.Code, r.Out, r.Err)
			}
			a := harness.ReadArtefacts(t, out)
			harness.AddsUp(t, a.Report)
			harness.MatchAccount(t, a.Rows, sim.Account(t))
			broken := a.Report.Accounting.Failed + a.Report.Accounting.TimedOut
			least := int64(8)
			if fault == "reset" { // which is sent once more, on another connection
				least = 3
			}
			if broken < least || broken > 32 {
				t.Errorf("%d of 40 failed, want about half", broken)
			}
			for _, row := range a.Rows {
				if row.Status != "succeeded" && (row.Error == nil || !strings.HasPrefix(row.Error.Kind, want)) {
					t.Errorf("%s: error %+v, want kind %s", row.ID, row.Error, want)
				}
			}
			if len(a.Report.Errors) == 0 {
				t.Error("the report shows no errors")
			}
		})
	}
}

// TestResendIsNotLateness: the simulator resets a fifth of the requests 150 ms after
// it got them. Those are sent again, which is the server's doing: the schedule was
// kept all the same.
func TestResendIsNotLateness(t *testing.T) {
	t.Parallel()
	sim := harness.StartSimulator(t, "--ttft", "150ms", "--itl", "1ms", "--tokens", "5", "--fault", "reset@0.2", "--seed", "5")
	out := t.TempDir()
	r := harness.Stampede(t, "run", "--url", sim.URL(), "--model", "stampede-sim", "--rate", "50", "--arrival", "constant", "--duration", "2s", "--output-tokens", "5",
		"--no-preflight", "--out", out, "--no-progress")
	if r.Code != 0 && r.Code != 3 {
		t.Fatalf("exit %d\n%s%s", r.Code, r.Out, r.Err)
	}
	a := harness.ReadArtefacts(t, out)
	harness.MatchAccount(t, a.Rows, sim.Account(t))
	resent := 0
	for _, row := range a.Rows {
		if row.ResendNS == nil {
			continue
		}
		resent++
		if late := *row.SentUnixNS - *row.IntendedUnixNS; row.Attempt != 2 || !row.StaleConnection || *row.ResendNS < 150e6 || late < *row.ResendNS {
			t.Errorf("%s: attempt %d, stale %v, sent %d ns after it was intended, resend %d ns", row.ID, row.Attempt, row.StaleConnection, late, *row.ResendNS)
		}
	}
	if lateness := a.Report.Metrics[measure.Lateness]; resent < 5 || lateness == nil || lateness.Max == nil || *lateness.Max >= 0.15 {
		t.Errorf("%d requests were sent again, lateness %+v, want at most what the generator did", resent, lateness)
	}
}

func TestServerThatDiesMidwayIsReported(t *testing.T) {
	t.Parallel()
	sim := harness.StartSimulator(t, "--ttft", "20ms", "--itl", "5ms")
	out := t.TempDir()
	run := harness.Start(t, "run", "--url", sim.URL(), "--rate", "50", "--arrival", "constant", "--duration", "3s", "--output-tokens", "20", "--out", out, "--no-progress")
	sim.Await(t, 75) // half of them
	if err := sim.Cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if code := run.Wait(30 * time.Second); code != 0 && code != 3 {
		t.Fatalf("exit %d\n%s%s", code, run.Stdout(), run.Stderr())
	}
	a := harness.ReadArtefacts(t, out)
	harness.AddsUp(t, a.Report)
	sum := a.Report.Accounting
	if sum.Planned != 150 || sum.Succeeded < 20 || sum.Failed < 20 {
		t.Errorf("accounting %+v, want 150 planned, some of them succeeded and some failed", sum)
	}
}

func TestWrongKeyIsSaidAtOnce(t *testing.T) {
	t.Parallel()
	sim := harness.StartSimulator(t, "--api-key", "right-key-123")
	cmd := exec.Command(harness.Binary(), "run", "--url", sim.URL(), "--model", "stampede-sim", "--requests", "5", "--api-key-env", "WRONG_KEY", "--out", t.TempDir(), "--no-progress")
	cmd.Env = append(os.Environ(), "WRONG_KEY=wrong-key-456")
	p := harness.StartCommand(t, "run", cmd)
	if code := p.Wait(20 * time.Second); code != 1 {
		t.Errorf("exit %d, want 1", code)
	}
	all := p.Stdout() + p.Stderr()
	if !strings.Contains(all, "401") || !strings.Contains(all, "hint: ") {
		t.Errorf("want 401 and a hint in:\n%s", all)
	}
	if strings.Contains(all, "wrong-key-456") {
		t.Errorf("the key is shown in:\n%s", all)
	}
}

func TestInterruptOnceDrainsTwiceGivesUp(t *testing.T) {
	t.Parallel()
	for name, times := range map[string]int{"once": 1, "twice": 2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sim := harness.StartSimulator(t, "--ttft", "50ms", "--itl", "100ms")
			out := t.TempDir()
			run := harness.Start(t, "run", "--url", sim.URL(), "--rate", "20", "--arrival", "constant", "--duration", "60s", "--output-tokens", "20", "--out", out, "--no-progress")
			sim.Await(t, 50)
			run.Signal(os.Interrupt)
			if times == 2 {
				eventually(t, "the first interrupt is taken", func() bool { return strings.Contains(run.Stderr(), "interrupt again") })
				run.Signal(os.Interrupt)
			}
			if code := run.Wait(30 * time.Second); code != 130 {
				t.Fatalf("exit %d, want 130\n%s%s", code, run.Stdout(), run.Stderr())
			}
			a := harness.ReadArtefacts(t, out)
			harness.AddsUp(t, a.Report)
			sum := a.Report.Accounting
			if sum.Planned != 1200 || sum.Unsent < 1000 {
				t.Errorf("accounting %+v, want 1200 planned and most unsent", sum)
			}
			if times == 1 && sum.Cancelled != 0 {
				t.Errorf("%d cancelled although there was time to drain", sum.Cancelled)
			}
			if times == 2 && sum.Cancelled == 0 {
				t.Error("none cancelled although the second interrupt gives up")
			}
			harness.MatchAccount(t, a.Rows, sim.Account(t))
		})
	}
}

// TestFullDiskKeepsTheReport mounts a tiny file system for --out, so it needs to
// be root, as it is where CI runs.
func TestFullDiskKeepsTheReport(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("mounting a small tmpfs needs root")
	}
	out := filepath.Join(t.TempDir(), "small")
	if err := os.Mkdir(out, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", out, "tmpfs", 0, "size=16k"); err != nil {
		t.Fatalf("mount tmpfs: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(out, 0) })
	sim := harness.StartSimulator(t, "--ttft", "5ms")
	r := harness.Stampede(t, "run", "--url", sim.URL(), "--requests", "200", "--concurrency", "4", "--output-tokens", "5", "--out", out, "--no-progress").Must(t, 1)
	if !strings.Contains(r.Err, "no space left on device") {
		t.Errorf("stderr does not say that the disk is full:\n%s", r.Err)
	}
	if !strings.Contains(r.Out, "200") {
		t.Errorf("the report is not printed:\n%s", r.Out)
	}
}
