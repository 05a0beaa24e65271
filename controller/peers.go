package controller

import (
	"fmt"
	"math/rand/v2"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/stampede-bench/stampede/controller/store"
	"github.com/stampede-bench/stampede/internal/clock"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
)

// Bounds on what an agent says of itself.
const (
	maxNameBytes   = 128
	maxHelloShards = 1024
	maxCPUs        = 100_000
)

func checkHello(h *stampedev1.Hello, version string) error {
	if id, err := uuid.Parse(h.GetAgentId()); err != nil || id.String() != h.GetAgentId() {
		return fmt.Errorf("hello: agent_id: must be a UUID in its 36-character form, got %.40q: %w", h.GetAgentId(), errInvalid)
	}
	for field, text := range map[string]string{"name": h.GetName(), "host": h.GetHost(), "platform": h.GetPlatform(), "version": h.GetVersion()} {
		if len(text) > maxNameBytes || !printable(text) {
			return fmt.Errorf("hello: %s: must be at most %d printable bytes, got %.40q: %w", field, maxNameBytes, text, errInvalid)
		}
	}
	if len(h.GetShards()) > maxHelloShards {
		return fmt.Errorf("hello: shards: must be at most %d, got %d: %w", maxHelloShards, len(h.GetShards()), errInvalid)
	}
	if n := h.GetCpuCount(); !(n >= 0 && n <= maxCPUs) {
		return fmt.Errorf("hello: cpu_count: must be 0 to %d, got %v: %w", maxCPUs, n, errInvalid)
	}
	return fits(version, h.GetVersion())
}

// share is a figure between 0 and 1, whatever was said.
func share(v float64) float64 {
	if !(v > 0) {
		return 0
	}
	return min(v, 1)
}

func printable(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

// renew counts a heartbeat: it moves the lease, completes a round trip and sends
// the renewal. permits are asked for outside of the lock.
func (g *registry) renew(s *session, h *stampedev1.Heartbeat, received time.Time, permits []*stampedev1.Permit) {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := s.peer
	if p.session != s {
		return
	}
	now := time.Now()
	p.heard = true
	p.clock.received(h.GetLastRenewalSequence(), h.GetLastRenewalReceivedUnixNanos(), h.GetClockStepCount())
	came, left := g.wall.unix(received), g.wall.unix(now)
	offset, bound, _ := p.clock.track.At(left)
	p.cpu, p.inFlight = share(h.GetCpuUtilization()), 0
	for _, shard := range h.GetShards() {
		p.inFlight += max(shard.GetInFlightCount(), 0)
	}
	p.deadline = now.Add(g.cfg.Lease)
	p.clock.sent(h.GetSequence(), clock.Exchange{T0: h.GetSentUnixNanos(), T1: came, T2: left})
	s.send(&stampedev1.SessionResponse{Message: &stampedev1.SessionResponse_LeaseRenewal{LeaseRenewal: &stampedev1.LeaseRenewal{
		Sequence: h.GetSequence(), ReceivedUnixNanos: came, SentUnixNanos: left,
		Permits: permits, ClockOffsetNanos: offset, ClockBoundNanos: bound,
		HeartbeatPeriod: duration(jittered(g.period(), rand.Float64())),
	}}})
}

// maxBeats is how many heartbeats a second all agents together may send.
const maxBeats = 2000

// period is how often an agent is to report: seldomer with many agents, and often
// enough to keep its lease. Called with mu held.
func (g *registry) period() time.Duration {
	crowded := time.Duration(len(g.peers)) * time.Second / maxBeats
	return max(g.cfg.Heartbeat, min(crowded, g.cfg.Lease/3))
}

// longestPeriod is the most that period can be dictated to anybody now.
func (g *registry) longestPeriod() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return jittered(g.period(), 1)
}

// jittered varies a period by a tenth to either side, by a uniform number in
// [0, 1], so that agents that came together do not beat together.
func jittered(period time.Duration, uniform float64) time.Duration {
	return period + time.Duration((uniform-0.5)*float64(period)/5)
}

// send queues a message for an agent; it reports false when the agent has no
// session, in which case it will be told when it resumes.
func (g *registry) send(agentID string, m *stampedev1.SessionResponse) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.peers[agentID]
	if p == nil || p.session == nil {
		return false
	}
	p.session.send(m)
	return true
}

// count makes a run count on an agent; false when the agent is gone. uncount
// ends that, and with it the memory of an agent whose lease is over.
func (g *registry) count(agentID string, r *run) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.peers[agentID]
	if p == nil || p.session == nil {
		return false
	}
	p.runs[r.id] = r
	return true
}

func (g *registry) uncount(agentID string, r *run) {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.peers[agentID]
	if p == nil {
		return
	}
	delete(p.runs, r.id)
	if len(p.runs) == 0 && p.session == nil && !p.watched {
		delete(g.peers, p.id)
	}
}

// runsOf returns the runs that count on the agent of a session.
func (g *registry) runsOf(p *peer) []*run {
	g.mu.Lock()
	defer g.mu.Unlock()
	runs := make([]*run, 0, len(p.runs))
	for _, r := range p.runs {
		runs = append(runs, r)
	}
	return runs
}

// list returns the connected agents by name.
func (g *registry) list() []*stampedev1.Agent {
	now := time.Now()
	rows := g.store.Agents(nil)
	g.mu.Lock()
	defer g.mu.Unlock()
	at := g.wall.unix(now)
	agents := make([]*stampedev1.Agent, 0, len(rows))
	for _, row := range rows {
		p := g.peers[row.ID]
		if p == nil || p.session == nil {
			continue
		}
		agents = append(agents, p.proto(row, now, at))
	}
	return agents
}

func (p *peer) proto(row *store.Agent, now time.Time, at int64) *stampedev1.Agent {
	c, _ := p.clock.view(at)
	a := &stampedev1.Agent{
		AgentId: row.ID, Name: row.Name, Host: row.Host, Version: row.Version, CpuCount: row.CPUCount,
		ConnectTime: timestamp(row.ConnectTime), ClockOffsetNanos: c.offset, ClockBoundNanos: c.bound,
		ClockDriftPpb: c.drift, ClockDriftBoundPpb: c.driftBound, ClockStepCount: c.steps,
		LeaseRemainingDuration: duration(max(p.deadline.Sub(now), 0)),
		CpuUtilization:         p.cpu, InFlightCount: p.inFlight,
	}
	for id := range p.runs {
		a.RunIds = append(a.RunIds, id)
	}
	sortStrings(a.RunIds)
	return a
}

// isLeaving reports whether an agent takes no more work.
func (g *registry) isLeaving(agentID string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.peers[agentID]
	return p == nil || p.leaving
}
