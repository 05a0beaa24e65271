package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/stampede-bench/stampede/client"
)

// progress shows how far a run has come.
type progress interface {
	show(client.Test)
	end()
}

type silentProgress struct{}

func (silentProgress) show(client.Test) {}
func (silentProgress) end()             {}

// newProgress rewrites one line on a terminal and prints plain lines elsewhere.
func newProgress(w io.Writer) progress {
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return &liveProgress{w: w, cols: func() int { return width(f) }}
	}
	return &plainProgress{w: w, every: 5 * time.Second}
}

type liveProgress struct {
	w     io.Writer
	cols  func() int
	shown bool
}

func (p *liveProgress) show(t client.Test) {
	line := progressLine(t)
	if max := p.cols() - 1; max > 0 && len([]rune(line)) > max {
		line = string([]rune(line)[:max])
	}
	fmt.Fprintf(p.w, "\r\x1b[K%s", line)
	p.shown = true
}

func (p *liveProgress) end() {
	if p.shown {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.shown = false
	}
}

// plainProgress prints a line when the state changes and now and then between.
type plainProgress struct {
	w     io.Writer
	every time.Duration
	state client.State
	run   string
	next  time.Duration
}

func (p *plainProgress) show(t client.Test) {
	if t.State == p.state && t.RunID == p.run && t.Progress.Elapsed < p.next {
		return
	}
	p.state, p.run = t.State, t.RunID
	p.next = t.Progress.Elapsed + p.every
	fmt.Fprintf(p.w, "stampede: %s\n", progressLine(t))
}

func (p *plainProgress) end() {}

func progressLine(t client.Test) string {
	if t.State == client.Pending || t.State == client.Registered {
		return strings.TrimSpace(strings.ToLower(string(t.State)) + " " + t.Reason)
	}
	g := t.Progress
	parts := []string{strings.ToLower(string(t.State))}
	if g.Phase != "" && t.State == client.Running {
		parts[0] = g.Phase
	}
	if t.Reason != "" && !t.State.Terminal() {
		parts = append(parts, t.Reason)
	}
	parts = append(parts, elapsed(g), fmt.Sprintf("sent %d%s", g.Sent, outOf(g)), fmt.Sprintf("in flight %d", g.InFlight), fmt.Sprintf("done %d", g.Succeeded))
	if g.Failed > 0 {
		parts = append(parts, fmt.Sprintf("failed %d", g.Failed))
	}
	if g.Lost > 0 {
		parts = append(parts, fmt.Sprintf("lost %d", g.Lost))
	}
	parts = append(parts, fmt.Sprintf("%.0f tok/s", g.OutputTokensPerSecond))
	if g.TTFTp50 > 0 {
		parts = append(parts, fmt.Sprintf("TTFT %s / %s p99", short(g.TTFTp50), short(g.TTFTp99)))
	}
	return strings.Join(parts, " · ")
}

func outOf(g client.Progress) string {
	if g.Planned > g.Sent {
		return fmt.Sprintf("/%d", g.Planned)
	}
	return ""
}

func elapsed(g client.Progress) string {
	if g.Expected > 0 {
		return fmt.Sprintf("%.0fs of %.0fs", g.Elapsed.Seconds(), g.Expected.Seconds())
	}
	return fmt.Sprintf("%.0fs", g.Elapsed.Seconds())
}

// short prints a duration with three digits.
func short(d time.Duration) string {
	switch {
	case d >= 10*time.Second:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d >= time.Second:
		return fmt.Sprintf("%.2fs", d.Seconds())
	case d >= 100*time.Millisecond:
		return fmt.Sprintf("%.0fms", float64(d)/1e6)
	case d >= 10*time.Millisecond:
		return fmt.Sprintf("%.1fms", float64(d)/1e6)
	}
	return fmt.Sprintf("%.2fms", float64(d)/1e6)
}
