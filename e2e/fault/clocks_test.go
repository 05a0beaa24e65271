//go:build linux

package fault

import (
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/e2e/harness"
	"github.com/stampede-bench/stampede/report"
	"github.com/stampede-bench/stampede/simulate"
)

// hostClock is an agent's host whose clocks are off: by skew, by ppm since the
// agent began, and set by step when the agent is as old as after.
type hostClock struct {
	name, fault string
	skew        time.Duration
	ppm         int64
	steps       bool
	began       time.Time
}

// TestAgentsClocksAreOff: what the report says of each clock holds for what was
// injected, the rows of all agents lie on one time line, which is that of the
// controller's and the endpoint's host, and no latency has moved.
func TestAgentsClocksAreOff(t *testing.T) {
	t.Parallel()
	off := harness.BinaryWith(t, "clockfault")
	sim := harness.StartSimulator(t, "--ttft", "30ms", "--itl", "5ms")
	c := harness.StartController(t, terms...)
	hosts := []*hostClock{
		{name: "true"},
		{name: "ahead", fault: "skew=5ms", skew: 5 * time.Millisecond},
		{name: "behind", fault: "skew=-1h", skew: -time.Hour},
		{name: "fast", fault: "ppm=50", ppm: 50},
		{name: "set", fault: "step=2s after=6s", steps: true},
	}
	for _, h := range hosts {
		h.began = time.Now()
		cmd := exec.Command(off, "agent", "--controller", c.GRPC, "--name", h.name)
		cmd.Env = append(os.Environ(), "STAMPEDE_CLOCK_FAULT="+h.fault)
		c.Agents = append(c.Agents, harness.StartCommand(t, "agent", cmd))
	}
	c.AwaitAgents(t, len(hosts))
	r := begin(t, c, sim, load(sim, 50, 10*time.Second))
	a := r.ended(t)
	r.hold(t, a)
	served := sim.Account(t)
	if sum := a.Report.Accounting; sum.Planned != 500 || sum.Succeeded != 500 {
		t.Errorf("accounting %+v, want 500 planned and succeeded", sum)
	}
	for _, h := range hosts {
		h.holdReport(t, agentOf(t, a, h.name), a.Report.EndedAt)
		h.holdRows(t, a, served)
	}
}

// grace is how well the test itself knows when an agent's clock began to drift.
const grace = 20 * time.Microsecond

// holdReport: the true offset and drift lie within what is said of them; a step
// moves neither and is counted.
func (h *hostClock) holdReport(t *testing.T, g report.AgentReport, ended time.Time) {
	t.Helper()
	if g.ClockOffset == nil || g.ClockBound == nil || g.ClockDrift == nil || g.ClockDriftBound == nil || g.ClockSteps == nil {
		t.Fatalf("%s: offset %v ± %v, drift %v ± %v, steps %v: all must be known", h.name, g.ClockOffset, g.ClockBound, g.ClockDrift, g.ClockDriftBound, g.ClockSteps)
	}
	truth := h.skew.Seconds() + float64(h.ppm)/1e6*ended.Sub(h.began).Seconds()
	if off := *g.ClockOffset - truth; max(off, -off) > *g.ClockBound+grace.Seconds() {
		t.Errorf("%s: offset %v s ± %v, true %v", h.name, *g.ClockOffset, *g.ClockBound, truth)
	}
	if *g.ClockBound > 5e-3 {
		t.Errorf("%s: the clock is known to ± %v s only", h.name, *g.ClockBound)
	}
	if off := *g.ClockDrift - float64(h.ppm)/1e6; max(off, -off) > *g.ClockDriftBound {
		t.Errorf("%s: drift %v ± %v, true %v", h.name, *g.ClockDrift, *g.ClockDriftBound, float64(h.ppm)/1e6)
	}
	if h.steps != (*g.ClockSteps > 0) {
		t.Errorf("%s: %d clock steps", h.name, *g.ClockSteps)
	}
	t.Logf("%s: offset %v s ± %v, true %v; drift %v ± %v; %d steps", h.name, *g.ClockOffset, *g.ClockBound, truth, *g.ClockDrift, *g.ClockDriftBound, *g.ClockSteps)
}

// holdRows compares a clock's rows with the endpoint's account. The endpoint's
// host is the controller's, so a row's sent is the arrival less the way, and its
// TTFT is the endpoint's and the way. A clock that moved either would show in all
// of its rows; a busy machine shows in few.
func (h *hostClock) holdRows(t *testing.T, a harness.Artefacts, served map[string][]simulate.Record) {
	t.Helper()
	var ways, excess []time.Duration
	for _, row := range a.Rows {
		if row.Agent != h.name || row.SentUnixNS == nil || row.FirstTokenUnixNS == nil {
			continue
		}
		account := served[row.ID][0]
		ways = append(ways, time.Duration(account.Arrival-*row.SentUnixNS))
		excess = append(excess, time.Duration(*row.FirstTokenUnixNS-*row.SentUnixNS-(account.FirstToken-account.Arrival)))
	}
	if len(ways) < 90 {
		t.Fatalf("%s: %d rows, want about 100", h.name, len(ways))
	}
	slices.Sort(ways)
	slices.Sort(excess)
	mid, last := len(ways)/2, len(ways)-1
	bound := time.Duration(*agentOf(t, a, h.name).ClockBound * 1e9)
	if ways[mid] < -bound || ways[mid] > bound+2*time.Millisecond {
		t.Errorf("%s: requests arrived %v after they were sent, median; the clock is known to ± %v", h.name, ways[mid], bound)
	}
	if excess[mid].Abs() > 2*time.Millisecond || excess[0] < -20*time.Millisecond || excess[last] > time.Second {
		t.Errorf("%s: TTFT exceeds the endpoint's by %v (median; %v to %v)", h.name, excess[mid], excess[0], excess[last])
	}
	t.Logf("%s: on the way %v (%v to %v), TTFT beyond the endpoint's %v (%v to %v)", h.name, ways[mid], ways[0], ways[last], excess[mid], excess[0], excess[last])
}
