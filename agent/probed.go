package agent

import (
	"context"

	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
)

// probed is the answer to a Probe until the controller is known to have it: when
// it answers a heartbeat that was sent after it.
type probed struct {
	result *stampedev1.ProbeResult
	sent   bool
	before int64 // sequence of the first heartbeat after it
}

// startProbe asks the endpoint on a task of its own.
func (a *Agent) startProbe(working context.Context, m *stampedev1.Probe) {
	a.tasks.Go(func() {
		result := a.probe(working, m)
		a.mu.Lock()
		a.probes[m.GetRunId()] = &probed{result: result}
		a.mu.Unlock()
		a.nudge()
	})
}

// probeResults returns the answers to send now, before heartbeat next.
func (a *Agent) probeResults(next int64) []*stampedev1.ProbeResult {
	a.mu.Lock()
	defer a.mu.Unlock()
	var all []*stampedev1.ProbeResult
	for _, p := range a.probes {
		if !p.sent {
			p.sent, p.before = true, next
			all = append(all, p.result)
		}
	}
	return all
}

// probesArrived forgets the answers that were sent before a heartbeat that the
// controller has answered.
func (a *Agent) probesArrived(answered int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for run, p := range a.probes {
		if p.sent && p.before <= answered {
			delete(a.probes, run)
		}
	}
}
