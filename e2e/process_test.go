package e2e

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// binary is the stampede under test, built once.
var binary string

func TestMain(m *testing.M) {
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	dir, err := os.MkdirTemp("", "stampede-e2e-*")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "stampede")
	build := exec.Command("go", "build", "-o", binary, "../cmd/stampede")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "build stampede:", err)
		return 1
	}
	if err := buildGrpcurl(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// grpcurlBinary knows no .proto of ours.
var grpcurlBinary = filepath.Join("..", ".tmp", "bin", "grpcurl")

// buildGrpcurl makes the pinned tool where make would, unless it is there.
func buildGrpcurl() error {
	if _, err := os.Stat(grpcurlBinary); err == nil {
		return nil
	}
	build := exec.Command("go", "build", "-C", filepath.Join("..", "tools"), "-o", filepath.Join("..", ".tmp", "bin")+"/", "github.com/fullstorydev/grpcurl/cmd/grpcurl")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build grpcurl: %w\n%s", err, out)
	}
	return nil
}

// process is a running command whose output is kept.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	name string

	mu    sync.Mutex
	lines []string
	grew  chan struct{}
	errb  bytes.Buffer
	done  chan struct{}
	err   error
}

// start runs stampede with args until the test ends or it ends by itself.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	return startCommand(t, args[0], exec.Command(binary, args...))
}

func startCommand(t *testing.T, name string, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{t: t, name: name, cmd: cmd, grew: make(chan struct{}, 1), done: make(chan struct{})}
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

type lockedWriter struct{ p *process }

func (w lockedWriter) Write(b []byte) (int, error) {
	w.p.mu.Lock()
	defer w.p.mu.Unlock()
	return w.p.errb.Write(b)
}

func (p *process) read(out io.Reader) {
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
	p.err = p.cmd.Wait()
	close(p.done)
}

func (p *process) stdout() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.lines, "\n") + "\n"
}

func (p *process) stderr() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.errb.String()
}

// after waits for a line with prefix on stdout and returns what follows it.
func (p *process) after(prefix string) string {
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
			p.t.Fatalf("%s ended (%v) before it printed %q; stderr:\n%s", p.name, p.err, prefix, p.stderr())
		case <-deadline.C:
			p.t.Fatalf("%s did not print %q within 20 s; stderr:\n%s", p.name, prefix, p.stderr())
		}
	}
}

func (p *process) signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatalf("signal %s: %v", p.name, err)
	}
}

// wait returns the exit status.
func (p *process) wait(within time.Duration) int {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(within):
		p.signal(syscall.SIGQUIT)
		<-p.done
		p.t.Fatalf("%s did not end within %s; stderr:\n%s", p.name, within, p.stderr())
	}
	return p.cmd.ProcessState.ExitCode()
}

func (p *process) end() {
	select {
	case <-p.done:
		return
	default:
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(10 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.done
		p.t.Errorf("%s did not end within 10 s of SIGTERM; stderr:\n%s", p.name, p.stderr())
	}
}

// result of a command that ran to its end.
type result struct {
	code     int
	out, err string
}

func stampede(t *testing.T, args ...string) result {
	t.Helper()
	return command(t, "", binary, args...)
}

func command(t *testing.T, stdin, name string, args ...string) result {
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
	return result{code: cmd.ProcessState.ExitCode(), out: out.String(), err: errb.String()}
}

// must fails the test unless the command exited as wanted.
func (r result) must(t *testing.T, code int) result {
	t.Helper()
	if r.code != code {
		t.Fatalf("exit status %d, want %d\nstdout:\n%s\nstderr:\n%s", r.code, code, r.out, r.err)
	}
	return r
}
