//go:build linux

package fault

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/e2e/harness"
	"github.com/stampede-bench/stampede/report"
	"github.com/stampede-bench/stampede/simulate"
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

// soak is a cluster of three agents, two of them behind a proxy, one of these on a
// host whose clock is off, with the data on a small disk of its own where that can
// be had.
type soak struct {
	t     *testing.T
	rng   *rand.Rand
	sim   harness.Simulator
	books []string // account files of endpoints that have ended
	c     *harness.Cluster
	ways  []*proxy
	story []string
	id    string

	disk    string // mounted for this run alone; empty: not
	stopped bool   // an agent was, so the process's own time says little
	full    bool   // the disk was
	lame    bool   // and the controller was killed after that
}

func soakOnce(t *testing.T, rng *rand.Rand) {
	s := &soak{t: t, rng: rng}
	s.endpoint()
	args := terms
	if s.disk = smallDisk(t, "size=32m"); s.disk != "" {
		args = append([]string{"--data-dir", s.disk}, terms...)
	}
	s.c = harness.StartController(t, args...)
	if s.disk != "" {
		s.c.DataDir = s.disk
	}
	s.c.StartAgent(t, "direct", s.c.GRPC)
	for range 2 {
		s.ways = append(s.ways, newProxy(t, s.c.GRPC))
	}
	s.c.StartAgent(t, "behind-0", s.ways[0].addr())
	fault := fmt.Sprintf("skew=%dms ppm=%d step=%ds after=%ds", s.rng.IntN(2000)-1000, s.rng.IntN(100)-50, s.rng.IntN(7)-3, 2+s.rng.IntN(12))
	s.note("behind-1 has its clock off: %s", fault)
	cmd := exec.Command(harness.BinaryWith(t, "clockfault"), "agent", "--controller", s.ways[1].addr(), "--name", "behind-1")
	cmd.Env = append(os.Environ(), "STAMPEDE_CLOCK_FAULT="+fault)
	s.c.Agents = append(s.c.Agents, harness.StartCommand(t, "agent", cmd))
	s.c.AwaitAgents(t, 3)
	spec := "endpoint: {url: " + s.sim.URL() + ", model: stampede-sim}\ndataset: {input_tokens: 20, output_tokens: 6}\n" +
		"load: {skip_idle_min: 1s, stages: [{rate: 40, arrival: poisson, duration: 8s}, {concurrency: 6, duration: 3s}, {func: 'lambda t: 40 if t < 20 else 80 if t < 21 else None'}]}\n"
	r := begin(t, s.c, s.sim, spec)
	s.id = r.id
	s.sim.Await(t, 20)
	for range 3 + rng.IntN(4) {
		s.strike()
		pause(s.upTo(1500 * time.Millisecond))
	}
	s.hold(r)
	if t.Failed() {
		t.Logf("what was done: %v\n%s", s.story, s.c.Controller.Stderr())
	}
}

// endpoint starts the simulator, or starts it again.
func (s *soak) endpoint() {
	book := filepath.Join(s.t.TempDir(), "account.jsonl")
	args := []string{"--ttft", "30ms", "--itl", "3ms", "--account", book}
	if s.sim.Addr != "" {
		args = append(args, "--addr", s.sim.Addr)
	}
	s.sim = harness.StartSimulator(s.t, args...)
	s.books = append(s.books, book)
}

func (s *soak) upTo(d time.Duration) time.Duration { return time.Duration(s.rng.Int64N(int64(d))) }

// strike does one thing. The agent that is reached directly is never killed, so
// that somebody is there to take over.
func (s *soak) strike() {
	switch way := s.rng.IntN(len(s.ways)); s.rng.IntN(9) {
	case 0:
		s.note("controller killed")
		s.lame = s.lame || s.full
		s.c.Controller.Kill()
		pause(s.upTo(2 * lease))
		s.c.Restart(s.t)
	case 1:
		s.note("agent %d cut off", way)
		s.ways[way].set([]state{silent, deaf, severed}[s.rng.IntN(3)])
		pause(s.upTo(2 * lease))
		s.ways[way].set(severed)
		s.ways[way].set(open)
	case 2:
		agent := s.c.Agents[s.rng.IntN(len(s.c.Agents))]
		if agent.Ended() {
			return
		}
		s.note("agent stopped for a while")
		s.stopped = true
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
	case 5:
		s.note("endpoint ended")
		s.sim.Signal(syscall.SIGTERM)
		s.sim.Wait(20 * time.Second)
		pause(s.upTo(2 * time.Second))
		s.endpoint()
	case 6:
		s.fillDisk()
	case 7:
		if s.rng.IntN(3) == 0 { // else few runs would come to their end
			s.note("cancelled")
			harness.Stampede(s.t, "cancel", s.id, "--controller", s.c.GRPC)
		}
	case 8:
		s.note("all agents cut off")
		for _, way := range s.ways {
			way.set(severed)
		}
		pause(s.upTo(lease))
		for _, way := range s.ways {
			way.set(open)
		}
	}
}

// fillDisk leaves no room for the journal for a while.
func (s *soak) fillDisk() {
	if s.disk == "" {
		return
	}
	s.note("disk full")
	s.full = true
	ballast := filepath.Join(s.disk, "ballast")
	if f, err := os.Create(ballast); err == nil {
		_, _ = f.Write(make([]byte, 33<<20)) // as much as goes in
		_ = f.Close()
	}
	pause(s.upTo(2 * time.Second))
	if err := os.Remove(ballast); err != nil {
		s.t.Error(err)
	}
}

// hold checks what the run left against the account of all endpoints.
func (s *soak) hold(r running) {
	t := s.t
	t.Helper()
	w := harness.Stampede(t, "watch", r.id, "--controller", r.c.GRPC)
	got := harness.Stampede(t, "report", r.id, "--controller", r.c.GRPC, "--format", "json")
	if s.full && strings.Contains(w.Out+w.Err, "journal") && got.Code != 0 && !strings.Contains(got.Out, "accounting") {
		return // what it had journaled was not enough to begin a report with
	}
	rep, err := report.Parse([]byte(got.Out))
	if err != nil {
		t.Errorf("report ended with %d: %v\n%.2000s%s\nwatch: %s%s", got.Code, err, got.Out, got.Err, w.Out, w.Err)
		return
	}
	harness.AddsUp(t, rep)
	served := s.account()
	for id, records := range served {
		attempts := map[int]bool{}
		for _, record := range records {
			if attempts[record.Attempt] {
				t.Errorf("%s was served twice with attempt %d", id, record.Attempt)
			}
			attempts[record.Attempt] = true
		}
	}
	if problem := rep.Generator.JournalProblem; problem != nil || s.lame {
		if problem != nil && rep.Verdict.State == report.Valid {
			t.Errorf("the verdict is valid though the journal failed: %s", *problem)
		}
		return // its rows are not all there, and it says so
	}
	a := r.read(t)
	s.holdRows(a, served)
}

func (s *soak) account() map[string][]simulate.Record {
	served := s.sim.Account(s.t)
	for _, book := range s.books[:len(s.books)-1] {
		for id, records := range harness.AccountFile(s.t, book) {
			served[id] = append(served[id], records...)
		}
	}
	return served
}

// holdRows: as MatchAccount, but for requests that failed before an endpoint that
// was not there could see them. No TTFT is off by what clocks were set by.
func (s *soak) holdRows(a harness.Artefacts, served map[string][]simulate.Record) {
	s.t.Helper()
	var rows []report.Row
	for _, row := range a.Rows {
		records := served[row.ID]
		seen := slices.ContainsFunc(records, func(r simulate.Record) bool { return r.Attempt == int(row.Attempt) })
		if row.Status == "failed" && !seen {
			delete(served, row.ID)
			continue
		}
		rows = append(rows, row)
		if s.stopped || row.Status != "succeeded" || !seen {
			continue
		}
		for _, r := range records {
			if off := time.Duration(*row.FirstTokenUnixNS - *row.SentUnixNS - (r.FirstToken - r.Arrival)); r.Attempt == int(row.Attempt) && off.Abs() > 900*time.Millisecond {
				s.t.Errorf("%s of %s: TTFT is off by %v", row.ID, row.Agent, off)
			}
		}
	}
	s.forgetUntold(a, served)
	harness.MatchAccount(s.t, rows, served)
	onlyTheDeadLost(s.t, a, served)
}

// forgetUntold leaves out what an agent that died drew in the closed loop after it
// had last told how far it was: nobody can know of it.
func (s *soak) forgetUntold(a harness.Artefacts, served map[string][]simulate.Record) {
	if !slices.ContainsFunc(a.Report.Agents, func(g report.AgentReport) bool { return g.Lost != nil && !g.Lost.Returned }) {
		return
	}
	known, first, next := map[string]bool{}, int64(math.MaxInt64), int64(math.MaxInt64)
	for _, row := range a.Rows {
		known[row.ID] = true
		switch {
		case row.Stage == nil:
		case *row.Stage == 1:
			first = min(first, row.Index)
		case *row.Stage == 2:
			next = min(next, row.Index)
		}
	}
	for id := range served {
		index, err := strconv.ParseInt(id[strings.LastIndex(id, "-")+1:], 10, 64)
		if err == nil && !known[id] && index >= first && index < next {
			delete(served, id)
		}
	}
}

func (s *soak) note(format string, args ...any) {
	s.story = append(s.story, time.Now().Format("05.000 ")+fmt.Sprintf(format, args...))
}
