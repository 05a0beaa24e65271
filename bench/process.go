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
	"strings"
	"syscall"
	"time"
)

// patience bounds waiting for a process to say where it listens, or to end.
const patience = 20 * time.Second

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

// end stops the server and returns its CPU time.
func (p *process) end() (time.Duration, error) {
	signalErr := p.cmd.Process.Signal(syscall.SIGTERM)
	_, _ = io.Copy(io.Discard, p.stdout)
	err := p.cmd.Wait()
	if err != nil {
		err = fmt.Errorf("%s: %w: %s", p.cmd.Args[1], err, p.stderr)
	}
	return cpu(p.cmd), errors.Join(signalErr, err)
}

// cpu is the time that an ended process has used, in user and kernel mode.
func cpu(cmd *exec.Cmd) time.Duration {
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
}

// finish runs a command to its end; ok are the exit codes that are no failure.
func finish(ctx context.Context, ok []int, name string, args ...string) (time.Duration, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	var output strings.Builder
	cmd.Stdout, cmd.Stderr = &output, &output
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		for _, code := range ok {
			if exit.ExitCode() == code {
				err = nil
			}
		}
	}
	if err != nil {
		return 0, fmt.Errorf("%s: %w: %s", name, err, output.String())
	}
	return cpu(cmd), nil
}

// machine describes where figures come from, in a line.
func machine() string {
	kernel, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		kernel = nil
	}
	return strings.TrimSpace(fmt.Sprintf("%s/%s, %d cores, %s %s", runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version(), kernel))
}
