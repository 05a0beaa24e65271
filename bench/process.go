package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// patience bounds waiting for a process to say where it listens, or to end.
const patience = 20 * time.Second

// cost is what a process that has ended took.
type cost struct {
	cpu time.Duration // user and system
	rss int64         // the most memory it had resident, bytes
}

func costOf(cmd *exec.Cmd) cost {
	s := cmd.ProcessState
	c := cost{cpu: s.UserTime() + s.SystemTime()}
	if u, ok := s.SysUsage().(*syscall.Rusage); ok {
		c.rss = maxRSS(u)
	}
	return c
}

// process is a server under way.
type process struct {
	cmd    *exec.Cmd
	stdout io.ReadCloser
	lines  *bufio.Scanner
	stderr *strings.Builder
}

// begin starts a server; expect reads what it prints, end ends it.
func begin(ctx context.Context, name string, args ...string) (*process, error) {
	p := &process{cmd: exec.CommandContext(ctx, name, args...), stderr: &strings.Builder{}}
	p.cmd.Stderr = p.stderr
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(syscall.SIGTERM) }
	p.cmd.WaitDelay = patience
	var err error
	if p.stdout, err = p.cmd.StdoutPipe(); err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p.lines = bufio.NewScanner(p.stdout)
	return p, nil
}

// expect returns what follows after prefix in the first line that has it.
func (p *process) expect(prefix string) (string, error) {
	timer := time.AfterFunc(patience, func() { _ = p.cmd.Process.Kill() })
	defer timer.Stop()
	for p.lines.Scan() {
		if rest, ok := strings.CutPrefix(p.lines.Text(), prefix); ok {
			return strings.TrimSpace(rest), nil
		}
	}
	return "", fmt.Errorf("%s did not print %q: %s", p.cmd.Args[1], prefix, p.stderr)
}

// end stops the server and returns what it took.
func (p *process) end() (cost, error) {
	signalErr := p.cmd.Process.Signal(syscall.SIGTERM)
	_, _ = io.Copy(io.Discard, p.stdout)
	err := p.cmd.Wait()
	if err != nil {
		err = fmt.Errorf("%s: %w: %s", p.cmd.Args[1], err, p.stderr)
	}
	return costOf(p.cmd), errors.Join(signalErr, err)
}

// endAll stops servers and returns what they took together.
func endAll(list []*process) (all cost, err error) {
	for _, p := range list {
		used, endErr := p.end()
		all.cpu, all.rss = all.cpu+used.cpu, all.rss+used.rss
		err = errors.Join(err, endErr)
	}
	return all, err
}

// finish runs a command to its end, in this environment and env; lawful are the exit
// codes other than 0 that are no failure.
func finish(ctx context.Context, env []string, lawful []int, name string, args ...string) (cost, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = patience
	var output strings.Builder
	cmd.Stdout, cmd.Stderr = &output, &output
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && slices.Contains(lawful, exit.ExitCode()) {
		err = nil
	}
	if err != nil {
		return cost{}, fmt.Errorf("%s: %w: %s", name, err, output.String())
	}
	return costOf(cmd), nil
}

// spinArgument makes the command a busy process.
const spinArgument = "--spin"

// spin never returns; whoever started it ends it. It ends by itself when its
// parent has gone.
func spin() {
	parent := os.Getppid()
	for until := time.Now(); os.Getppid() == parent; until = until.Add(100 * time.Millisecond) {
		for time.Now().Before(until) { // burn
			continue
		}
	}
	os.Exit(0) //nolint:forbidigo // a process that only burns
}

// keepBusy starts as many busy processes as there are cores; stop ends them.
func keepBusy(ctx context.Context) (stop func(), err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	var all []*exec.Cmd
	stop = func() {
		for _, c := range all {
			_ = c.Process.Kill()
			_ = c.Wait()
		}
	}
	for range runtime.NumCPU() {
		c := exec.CommandContext(ctx, self, spinArgument)
		if err := c.Start(); err != nil {
			stop()
			return nil, fmt.Errorf("start a busy process: %w", err)
		}
		all = append(all, c)
	}
	return stop, nil
}

// machine describes where figures come from, in a line.
func machine() string {
	kernel, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		kernel = nil
	}
	return strings.TrimSpace(fmt.Sprintf("%s/%s, %d cores, %s %s", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version(), kernel))
}
