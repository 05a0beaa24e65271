//go:build linux

package fault

import (
	"strings"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/e2e/harness"
)

// TestAnswersOfAHundredThousandTokens: each is one sample of some hundred
// kilobytes. It comes whole, no lease is lost to it, and nobody's memory shows it.
func TestAnswersOfAHundredThousandTokens(t *testing.T) {
	t.Parallel()
	const tokens = 100_000
	sim := harness.StartSimulator(t, "--ttft", "10ms", "--itl", "50us")
	c := harness.StartCluster(t, 1, terms...)
	r := begin(t, c, sim, "endpoint: {url: "+sim.URL()+", model: stampede-sim}\ndataset: {input_tokens: 20, output_tokens: 100000}\n"+
		"load: {stages: [{concurrency: 2, requests: 4}]}\n")
	a := r.ended(t)
	r.hold(t, a)
	if sum := a.Report.Accounting; sum.Succeeded != 4 {
		t.Errorf("accounting %+v, want 4 succeeded", sum)
	}
	served := sim.Account(t)
	for _, row := range a.Rows {
		chunks, sum := len(row.ChunkOffsetsNS), int32(0)
		for _, n := range row.ChunkTokens {
			sum += n
		}
		if row.OutputTokens == nil || *row.OutputTokens != tokens || sum != tokens || chunks != served[row.ID][0].Chunks {
			t.Errorf("%s: %v tokens, %d in %d chunks; the endpoint sent %d in %d", row.ID, row.OutputTokens, sum, chunks, served[row.ID][0].OutputTokens, served[row.ID][0].Chunks)
		}
	}
	if g := agentOf(t, a, "agent-a"); g.Lost != nil || *g.DetailShed != 0 {
		t.Errorf("the agent lost its lease, or detail: %+v, %d", g.Lost, *g.DetailShed)
	}
	controller, agent := c.Controller.PeakMiB(), c.Agents[0].PeakMiB()
	t.Logf("controller %d MiB, agent %d MiB", controller, agent)
	if controller > 300 || agent > 300 {
		t.Errorf("the controller took %d MiB, the agent %d MiB", controller, agent)
	}
}

// TestAgentsBacklogIsBounded: what is measured while nobody takes it waits in the
// agent's memory up to a bound, beyond in a file, and comes whole once somebody
// does.
func TestAgentsBacklogIsBounded(t *testing.T) {
	t.Parallel()
	sim := harness.StartSimulator(t, "--ttft", "5ms", "--itl", "100us")
	c := harness.StartCluster(t, 1, append([]string{}, "--lease", "20s", "--heartbeat", "1s", "--rejoin-grace", "3s")...)
	way := newProxy(t, c.GRPC)
	c.StartAgent(t, "behind", way.addr())
	c.AwaitAgents(t, 2)
	r := begin(t, c, sim, strings.Replace(load(sim, 400, 14*time.Second), "output_tokens: 5", "output_tokens: 200", 1))
	sim.Await(t, 200)
	way.set(deaf) // batches arrive, and nobody says so
	pause(4 * time.Second)
	way.set(severed)
	pause(4 * time.Second)
	way.set(open)
	a := r.ended(t)
	r.hold(t, a)
	if sum := a.Report.Accounting; sum.Planned != 5600 || sum.Lost != 0 {
		t.Errorf("accounting %+v, want 5600 planned, none lost", sum)
	}
	if peak := c.Agents[1].PeakMiB(); peak > 300 {
		t.Errorf("the agent took %d MiB", peak)
	}
}
