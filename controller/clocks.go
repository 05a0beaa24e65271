package controller

import (
	"time"

	"github.com/stampede-bench/stampede/internal/clock"
)

// wall is the controller's clock: the wall clock of one moment, followed by the
// monotonic one from there, so that a wall clock that is set moves nothing.
type wall struct{ base time.Time }

func newWall() wall { return wall{time.Now()} }

// unix is a moment on it, in nanoseconds since the Unix epoch.
func (w wall) unix(t time.Time) int64 { return w.base.UnixNano() + int64(t.Sub(w.base)) }

// at is the moment that unix names.
func (w wall) at(unix int64) time.Time { return w.base.Add(time.Duration(unix - w.base.UnixNano())) }

// openRenewals bounds how many renewals an agent may leave unreported.
const openRenewals = 16

// peerClock follows an agent's clock by the round trips of its heartbeats: the
// agent asks, and tells with a later heartbeat when the answer came. Owned by
// whoever holds its peer's lock.
type peerClock struct {
	track clock.Track
	told  int64                    // steps that the agent saw itself
	open  map[int64]clock.Exchange // by sequence, without T3
}

// sent remembers a renewal whose arrival the agent will tell.
func (c *peerClock) sent(sequence int64, x clock.Exchange) {
	if c.open == nil {
		c.open = make(map[int64]clock.Exchange, openRenewals)
	}
	for s := range c.open {
		if s <= sequence-openRenewals || s > sequence {
			delete(c.open, s)
		}
	}
	c.open[sequence] = x
}

// received completes an exchange. A renewal that was never sent is ignored.
func (c *peerClock) received(sequence, t3, steps int64) {
	c.told = max(c.told, steps)
	x, known := c.open[sequence]
	if !known || t3 == 0 {
		return
	}
	delete(c.open, sequence)
	x.T3 = t3
	c.track.Add(x)
}

// restart forgets renewals of an older session, whose sequences begin again.
func (c *peerClock) restart() { c.open = nil }

// steps is how often the agent's clock was seen to jump.
func (c *peerClock) steps() int64 { return max(c.told, c.track.Steps()) }

// clockView is what is known of an agent's clock at some moment.
type clockView struct {
	offset, bound     int64
	drift, driftBound int64 // parts per billion
	drifts            bool  // the drift is known
	steps             int64
}

func (c *peerClock) view(at int64) (v clockView, ok bool) {
	v.offset, v.bound, ok = c.track.At(at)
	v.drift, v.driftBound, v.drifts = c.track.Drift()
	v.steps = c.steps()
	return v, ok
}

// moments are those at which an estimate between two moments bends, and is least
// certain: at each exchange and half-way to the next.
func (c *peerClock) moments(from, to int64) []int64 {
	all := []int64{from}
	for _, at := range append(c.track.Moments(from, to), to) {
		last := all[len(all)-1]
		all = append(all, last+(at-last)/2, at)
	}
	return all
}

// clockOf returns what is known of an agent's clock now; ok is false before the
// first round trip.
func (g *registry) clockOf(agentID string) (v clockView, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.peers[agentID]
	if p == nil {
		return clockView{}, false
	}
	return p.clock.view(g.wall.unix(time.Now()))
}

// clockOver returns an agent's offsets between two moments, and the widest bound.
func (g *registry) clockOver(agentID string, from, to int64) (marks []clock.Mark, bound int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.peers[agentID]
	if p == nil {
		return nil, 0
	}
	for _, at := range p.clock.moments(from, to) {
		if offset, b, ok := p.clock.track.At(at); ok {
			marks, bound = append(marks, clock.Mark{At: at, Offset: offset, Bound: b}), max(bound, b)
		}
	}
	return marks, bound
}

// clockEnds is what a restart needs to go on with an agent's clock.
func (g *registry) clockEnds(agentID string) []clock.Mark {
	g.mu.Lock()
	defer g.mu.Unlock()
	if p := g.peers[agentID]; p != nil {
		return p.clock.track.Ends()
	}
	return nil
}
