//go:build linux

package fault

import (
	"strings"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/e2e/harness"
)

// bursts are three bursts of 30 requests, 25 s apart, whose idle time is cut.
const bursts = "load: {skip_idle_min: 1s, stages: [{func: 'lambda t: 30 if t < 25 else 60 if t < 50 else 90 if t < 51 else None'}]}\nseed: 5\n"

// TestIdleTimeIsCutForAllAgents: every agent sends its part of a burst at the same
// moment, also one that was cut off when it was told to come forward, and over a
// restart of the controller.
func TestIdleTimeIsCutForAllAgents(t *testing.T) {
	t.Parallel()
	for name, strike := range map[string]func(*testing.T, *harness.Cluster, *proxy){
		"undisturbed": func(*testing.T, *harness.Cluster, *proxy) {},
		"an agent does not hear of it": func(t *testing.T, c *harness.Cluster, way *proxy) {
			way.set(deaf)
			awaitLog(t, c.Controller, "idle time is cut", 1)
			way.set(severed) // and what was on the way is gone
			way.set(open)
		},
		"the controller is killed after each": func(t *testing.T, c *harness.Cluster, _ *proxy) {
			for range 2 {
				awaitLog(t, c.Controller, "idle time is cut", 1)
				c.Controller.Kill()
				c.Restart(t)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sim := harness.StartSimulator(t, "--ttft", "30ms", "--itl", "5ms")
			c := harness.StartCluster(t, 2, terms...)
			way := newProxy(t, c.GRPC)
			c.StartAgent(t, "behind", way.addr())
			c.AwaitAgents(t, 3)
			began := time.Now()
			r := begin(t, c, sim, "endpoint: {url: "+sim.URL()+", model: stampede-sim}\ndataset: {input_tokens: 20, output_tokens: 5}\n"+bursts)
			sim.Await(t, 30)
			strike(t, c, way)
			a := r.ended(t)
			r.hold(t, a)
			if sum := a.Report.Accounting; sum.Planned != 90 || sum.Succeeded != 90 {
				t.Errorf("accounting %+v, want 90 planned and succeeded", sum)
			}
			if took := time.Since(began); took > 35*time.Second {
				t.Errorf("it took %v: no idle time was cut", took)
			}
			holdBursts(t, a)
		})
	}
}

// holdBursts: the offsets are those of the schedule, the requests of a burst were
// sent together, by all agents, and the bursts one after another.
func holdBursts(t *testing.T, a harness.Artefacts) {
	t.Helper()
	type burst struct {
		first, last int64
		agents      map[string]int
	}
	all := map[int64]*burst{}
	for _, row := range a.Rows {
		if row.SentUnixNS == nil || row.IntendedOffsetNS == nil {
			t.Fatalf("%s was not sent, or has no offset", row.ID)
		}
		b := all[*row.IntendedOffsetNS]
		if b == nil {
			b = &burst{first: *row.SentUnixNS, last: *row.SentUnixNS, agents: map[string]int{}}
			all[*row.IntendedOffsetNS] = b
		}
		b.first, b.last = min(b.first, *row.SentUnixNS), max(b.last, *row.SentUnixNS)
		b.agents[row.Agent]++
	}
	before := int64(0)
	for _, at := range []time.Duration{0, 25 * time.Second, 50 * time.Second} {
		b := all[int64(at)]
		if b == nil || len(all) != 3 {
			t.Fatalf("offsets %v, want 0, 25 and 50 s", all)
		}
		if len(b.agents) != 3 || b.agents["behind"] != 10 {
			t.Errorf("the burst at %v was sent by %v, want ten each", at, b.agents)
		}
		if together := time.Duration(b.last - b.first); together > 500*time.Millisecond {
			t.Errorf("the burst at %v took %v: agents were not moved alike", at, together)
		}
		if b.first <= before {
			t.Errorf("the burst at %v came before the one before", at)
		}
		before = b.last
	}
}

// awaitLog waits until a process has logged a text so often.
func awaitLog(t *testing.T, p *harness.Process, text string, times int) {
	t.Helper()
	for range 1200 {
		if strings.Count(p.Stderr(), text) >= times {
			return
		}
		pause(25 * time.Millisecond)
	}
	t.Fatalf("no %q in 30 s:\n%s", text, p.Stderr())
}
