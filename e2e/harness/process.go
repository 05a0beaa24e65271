package harness

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// module is what the binaries are built from, wherever the tests run.
const module = "github.com/stampede-bench/stampede"

// binary is the stampede under test, built once by Main.
var binary string

// tagged are other builds of it, made when a test asks for one.
var tagged = struct {
	sync.Mutex
	dir  string
	made map[string]string
}{made: map[string]string{}}

// Main builds the binary, or takes the one that STAMPEDE_BINARY names, runs a
// package's tests and returns their exit status.
func Main(m *testing.M) int {
	dir, err := os.MkdirTemp("", "stampede-e2e-*")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	tagged.dir = dir
	if binary = os.Getenv("STAMPEDE_BINARY"); binary != "" {
		return m.Run()
	}
	binary = filepath.Join(dir, "stampede")
	build := exec.Command("go", "build", "-o", binary, module+"/cmd/stampede")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build stampede:", err)
		return 1
	}
	return m.Run()
}

// Binary is the path of the stampede under test.
func Binary() string { return binary }

// BinaryWith is the path of one that is built with a build tag.
func BinaryWith(t *testing.T, tag string) string {
	t.Helper()
	return binaryAs(t, tag, "-tags", tag)
}

// BinaryOf is the path of one that says it is of a version.
func BinaryOf(t *testing.T, version string) string {
	t.Helper()
	return binaryAs(t, version, "-ldflags", "-X main.version="+version)
}

func binaryAs(t *testing.T, name string, flags ...string) string {
	t.Helper()
	tagged.Lock()
	defer tagged.Unlock()
	if made, there := tagged.made[name]; there {
		return made
	}
	path := filepath.Join(tagged.dir, "stampede-"+name)
	build := exec.Command("go", append(append([]string{"build"}, flags...), "-o", path, module+"/cmd/stampede")...)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build stampede %s: %v\n%s", name, err, out)
	}
	tagged.made[name] = path
	return path
}

// Process is a running command whose output is kept.
type Process struct {
	t    *testing.T
	Cmd  *exec.Cmd
	name string

	mu    sync.Mutex
	lines []string
	grew  chan struct{}
	errb  bytes.Buffer
	done  chan struct{}
	err   error
}

// Start runs stampede with args until the test ends or it ends by itself.
func Start(t *testing.T, args ...string) *Process {
	t.Helper()
	return StartCommand(t, args[0], exec.Command(binary, args...))
}

// StartCommand does the same with a command that the caller made.
func StartCommand(t *testing.T, name string, cmd *exec.Cmd) *Process {
	t.Helper()
	p := &Process{t: t, name: name, Cmd: cmd, grew: make(chan struct{}, 1), done: make(chan struct{})}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = lockedWriter{p}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	go p.read(out)
	t.Cleanup(func() { p.end() })
	return p
}

type lockedWriter struct{ p *Process }

func (w lockedWriter) Write(b []byte) (int, error) {
	w.p.mu.Lock()
	defer w.p.mu.Unlock()
	return w.p.errb.Write(b)
}

func (p *Process) read(out io.Reader) {
	scanner := bufio.NewScanner(out)
	scanner.Buffer(nil, 16<<20)
	for scanner.Scan() {
		p.mu.Lock()
		p.lines = append(p.lines, scanner.Text())
		p.mu.Unlock()
		select {
		case p.grew <- struct{}{}:
		default:
		}
	}
	p.err = p.Cmd.Wait()
	close(p.done)
}

// Stdout is what the process has printed so far.
func (p *Process) Stdout() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.lines, "\n") + "\n"
}

// Stderr is what it has logged so far.
func (p *Process) Stderr() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.errb.String()
}

// After waits for a line with prefix on stdout and returns what follows it.
func (p *Process) After(prefix string) string {
	p.t.Helper()
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	for {
		p.mu.Lock()
		for _, l := range p.lines {
			if rest, ok := strings.CutPrefix(l, prefix); ok {
				p.mu.Unlock()
				return rest
			}
		}
		p.mu.Unlock()
		select {
		case <-p.grew:
		case <-p.done:
			p.t.Fatalf("%s ended (%v) before it printed %q; stderr:\n%s", p.name, p.err, prefix, p.Stderr())
		case <-deadline.C:
			p.t.Fatalf("%s did not print %q within 20 s; stderr:\n%s", p.name, prefix, p.Stderr())
		}
	}
}

// Signal sends it a signal.
func (p *Process) Signal(s os.Signal) {
	p.t.Helper()
	if err := p.Cmd.Process.Signal(s); err != nil {
		p.t.Fatalf("signal %s: %v", p.name, err)
	}
}

// Wait returns the exit status.
func (p *Process) Wait(within time.Duration) int {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(within):
		p.Signal(syscall.SIGQUIT)
		<-p.done
		p.t.Fatalf("%s did not end within %s; stderr:\n%s", p.name, within, p.Stderr())
	}
	return p.Cmd.ProcessState.ExitCode()
}

// end asks a process that still runs to end.
func (p *Process) end() {
	select {
	case <-p.done:
		return
	default:
	}
	_ = p.Cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(10 * time.Second):
		_ = p.Cmd.Process.Kill()
		<-p.done
		p.t.Errorf("%s did not end within 10 s of SIGTERM; stderr:\n%s", p.name, p.Stderr())
	}
}

// Result is what came of a command that ran to its end.
type Result struct {
	Code     int
	Out, Err string
}

// Stampede runs the binary to its end.
func Stampede(t *testing.T, args ...string) Result {
	t.Helper()
	return Command(t, "", binary, args...)
}

// Command runs any command to its end.
func Command(t *testing.T, stdin, name string, args ...string) Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 150*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	var out, errb bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errb
	_ = cmd.Run()
	if cmd.ProcessState == nil {
		t.Fatalf("%s did not start", name)
	}
	return Result{Code: cmd.ProcessState.ExitCode(), Out: out.String(), Err: errb.String()}
}

// Must fails the test unless the command exited as wanted.
func (r Result) Must(t *testing.T, code int) Result {
	t.Helper()
	if r.Code != code {
		t.Fatalf("exit status %d, want %d\nstdout:\n%s\nstderr:\n%s", r.Code, code, r.Out, r.Err)
	}
	return r
}

// Judged fails the test unless the command ended with a verdict: one that is not
// valid passes, because machines that run tests are busy.
func (r Result) Judged(t *testing.T) Result {
	t.Helper()
	if r.Code != 3 {
		r.Must(t, 0)
	}
	return r
}

// Kill ends a process with no chance to clean up and waits until it is gone.
func (p *Process) Kill() {
	p.t.Helper()
	_ = p.Cmd.Process.Kill()
	<-p.done
}

// Ended reports whether the process has ended.
func (p *Process) Ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

var peak = regexp.MustCompile(`VmHWM:\s+(\d+) kB`)

// PeakMiB is the most memory that the process has held, or 0 where the system does
// not tell.
func (p *Process) PeakMiB() int {
	p.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Cmd.Process.Pid))
	if err != nil {
		return 0
	}
	m := peak.FindSubmatch(text)
	if m == nil {
		p.t.Fatalf("no VmHWM in %s", text)
	}
	kib, err := strconv.Atoi(string(m[1]))
	if err != nil {
		p.t.Fatal(err)
	}
	return kib >> 10
}
