//go:build linux

package fault

import (
	"fmt"
	"math/rand/v2"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/e2e/harness"
)

// TestSoak does everything to a cluster in random order, run after run, for as
// long as STAMPEDE_SOAK says; without it, for one run.
func TestSoak(t *testing.T) {
	t.Parallel()
	seed := seedOf(t)
	rng := rand.New(rand.NewPCG(seed, 2))
	var length time.Duration
	if said := os.Getenv("STAMPEDE_SOAK"); said != "" {
		var err error
		if length, err = time.ParseDuration(said); err != nil {
			t.Fatalf("STAMPEDE_SOAK: %v", err)
		}
	}
	until := time.Now().Add(length)
	for round := 1; ; round++ {
		t.Run(fmt.Sprintf("run %d of seed %d", round, seed), func(t *testing.T) { soakOnce(t, rng) })
		if t.Failed() || time.Now().After(until) {
			return
		}
	}
}

// soak is a cluster of three agents, two of them behind a proxy.
type soak struct {
	t     *testing.T
	rng   *rand.Rand
	c     *harness.Cluster
	ways  []*proxy
	story []string
}

func soakOnce(t *testing.T, rng *rand.Rand) {
	sim := harness.StartSimulator(t, "--ttft", "30ms", "--itl", "3ms")
	s := &soak{t: t, rng: rng, c: harness.StartController(t, terms...)}
	s.c.StartAgent(t, "direct", s.c.GRPC)
	for i := range 2 {
		s.ways = append(s.ways, newProxy(t, s.c.GRPC))
		s.c.StartAgent(t, fmt.Sprintf("behind-%d", i), s.ways[i].addr())
	}
	s.c.AwaitAgents(t, 3)
	spec := "endpoint: {url: " + sim.URL() + ", model: stampede-sim}\ndataset: {input_tokens: 20, output_tokens: 6}\n" +
		"load: {stages: [{rate: 40, arrival: poisson, duration: 8s}, {concurrency: 6, duration: 3s}, {rate: 40, duration: 3s}]}\n"
	r := begin(t, s.c, sim, spec)
	sim.Await(t, 20)
	for range 3 + rng.IntN(4) {
		s.strike()
		pause(s.upTo(1500 * time.Millisecond))
	}
	a := r.ended(t)
	r.hold(t, a)
	if t.Failed() {
		t.Logf("what was done: %v\n%s", s.story, s.c.Controller.Stderr())
	}
}

func (s *soak) upTo(d time.Duration) time.Duration { return time.Duration(s.rng.Int64N(int64(d))) }

// strike does one thing. The agent that is reached directly is never killed, so
// that somebody is there to take over.
func (s *soak) strike() {
	switch way := s.rng.IntN(len(s.ways)); s.rng.IntN(5) {
	case 0:
		s.note("controller killed")
		s.c.Controller.Kill()
		pause(s.upTo(2 * lease))
		s.c.Restart(s.t)
	case 1:
		s.note("agent %d cut off", way)
		s.ways[way].set([]state{silent, severed}[s.rng.IntN(2)])
		pause(s.upTo(2 * lease))
		s.ways[way].set(open)
	case 2:
		agent := s.c.Agents[s.rng.IntN(len(s.c.Agents))]
		if agent.Ended() {
			return
		}
		s.note("agent stopped for a while")
		agent.Signal(syscall.SIGSTOP)
		pause(s.upTo(2 * lease))
		agent.Signal(syscall.SIGCONT)
	case 3:
		if agent := s.c.Agents[1+way]; !agent.Ended() {
			s.note("agent %d killed", 1+way)
			agent.Kill()
		}
	case 4:
		if agent := s.c.Agents[1+way]; !agent.Ended() {
			s.note("agent %d told to end", 1+way)
			agent.Signal(syscall.SIGTERM)
		}
	}
}

func (s *soak) note(format string, args ...any) {
	s.story = append(s.story, time.Now().Format("05.000 ")+fmt.Sprintf(format, args...))
}
