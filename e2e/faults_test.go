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

	"github.com/stampede-bench/stampede/report"
)

// addsUp holds contract §6's sum to the unit.
func addsUp(t *testing.T, rep *report.Report) {
	t.Helper()
	a := rep.Accounting
	if sum := a.Succeeded + a.Failed + a.TimedOut + a.Cancelled + a.Unsent + a.Lost; a.Planned != sum {
		t.Errorf("planned %d is not the sum %d of %+v", a.Planned, sum, a)
	}
}

func TestEveryFaultIsARowOfItsKind(t *testing.T) {
	t.Parallel()
	for fault, want := range map[string]string{
		"status=500": "http_500", "status=429": "http_429", "reset": "connection_reset", "truncate": "truncated",
		"malformed_event": "malformed_event", "html": "html_response", "error_event": "error_event", "empty": "empty_response",
		"stall": "timeout",
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			sim := startSimulator(t, "--ttft", "5ms", "--itl", "1ms", "--tokens", "10", "--fault", fault+"@0.5", "--seed", "3")
			out := t.TempDir()
			r := stampede(t, "run", "--url", sim.url(), "--model", "stampede-sim", "--rate", "40", "--arrival", "constant", "--duration", "1s", "--output-tokens", "10",
				"--request-timeout", "1s", "--no-preflight", "--out", out, "--no-progress")
			if r.code != 0 && r.code != 3 {
				t.Fatalf("exit %d\n%s%s", r.code, r.out, r.err)
			}
			a := readArtefacts(t, out)
			addsUp(t, a.report)
			matchAccount(t, a.rows, sim.account(t))
			broken := a.report.Accounting.Failed + a.report.Accounting.TimedOut
			if broken < 8 || broken > 32 {
				t.Errorf("%d of 40 failed, want about half", broken)
			}
			for _, row := range a.rows {
				if row.Status != "succeeded" && (row.Error == nil || !strings.HasPrefix(row.Error.Kind, want)) {
					t.Errorf("%s: error %+v, want kind %s", row.ID, row.Error, want)
				}
			}
			if len(a.report.Errors) == 0 {
				t.Error("the report shows no errors")
			}
		})
	}
}

func TestServerThatDiesMidwayIsReported(t *testing.T) {
	t.Parallel()
	sim := startSimulator(t, "--ttft", "20ms", "--itl", "5ms")
	out := t.TempDir()
	run := start(t, "run", "--url", sim.url(), "--rate", "50", "--arrival", "constant", "--duration", "3s", "--output-tokens", "20", "--out", out, "--no-progress")
	time.Sleep(1500 * time.Millisecond)
	if err := sim.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if code := run.wait(30 * time.Second); code != 0 && code != 3 {
		t.Fatalf("exit %d\n%s%s", code, run.stdout(), run.stderr())
	}
	a := readArtefacts(t, out)
	addsUp(t, a.report)
	sum := a.report.Accounting
	if sum.Planned != 150 || sum.Succeeded < 20 || sum.Failed < 20 {
		t.Errorf("accounting %+v, want 150 planned, some of them succeeded and some failed", sum)
	}
}

func TestWrongKeyIsSaidAtOnce(t *testing.T) {
	t.Parallel()
	sim := startSimulator(t, "--api-key", "right-key-123")
	cmd := exec.Command(binary, "run", "--url", sim.url(), "--model", "stampede-sim", "--requests", "5", "--api-key-env", "WRONG_KEY", "--out", t.TempDir(), "--no-progress")
	cmd.Env = append(os.Environ(), "WRONG_KEY=wrong-key-456")
	p := startCommand(t, "run", cmd)
	if code := p.wait(20 * time.Second); code != 1 {
		t.Errorf("exit %d, want 1", code)
	}
	all := p.stdout() + p.stderr()
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
			sim := startSimulator(t, "--ttft", "50ms", "--itl", "100ms")
			out := t.TempDir()
			run := start(t, "run", "--url", sim.url(), "--rate", "20", "--arrival", "constant", "--duration", "60s", "--output-tokens", "20", "--out", out, "--no-progress")
			time.Sleep(3 * time.Second)
			for range times {
				run.signal(os.Interrupt)
				time.Sleep(300 * time.Millisecond)
			}
			if code := run.wait(30 * time.Second); code != 130 {
				t.Fatalf("exit %d, want 130\n%s%s", code, run.stdout(), run.stderr())
			}
			a := readArtefacts(t, out)
			addsUp(t, a.report)
			sum := a.report.Accounting
			if sum.Planned != 1200 || sum.Unsent < 1000 {
				t.Errorf("accounting %+v, want 1200 planned and most unsent", sum)
			}
			if times == 1 && sum.Cancelled != 0 {
				t.Errorf("%d cancelled although there was time to drain", sum.Cancelled)
			}
			if times == 2 && sum.Cancelled == 0 {
				t.Error("none cancelled although the second interrupt gives up")
			}
			matchAccount(t, a.rows, sim.account(t))
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
	sim := startSimulator(t, "--ttft", "5ms")
	r := stampede(t, "run", "--url", sim.url(), "--requests", "200", "--concurrency", "4", "--output-tokens", "5", "--out", out, "--no-progress").must(t, 1)
	if !strings.Contains(r.err, "no space left on device") {
		t.Errorf("stderr does not say that the disk is full:\n%s", r.err)
	}
	if !strings.Contains(r.out, "200") {
		t.Errorf("the report is not printed:\n%s", r.out)
	}
}
