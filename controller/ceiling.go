package controller

import (
	"math"
	"time"

	"github.com/stampede-bench/stampede/schedule"
)

// Permits are granted beneath a ceiling that is journaled before, so that after a
// restart it is known beyond what nobody can have sent. It is coarse, so that it
// is written seldom.
const (
	ceilingReach = 5 * time.Second // of the ceiling beyond permits, when it is raised
	ceilingLeast = 2500 * time.Millisecond
	// ceilingSessions is the same in a closed loop of unknown speed.
	ceilingSessions = 4096
)

// ceiling bounds what permits of a run may be granted.
type ceiling struct {
	Open   int64   `json:"open"`   // nominal offset
	Closed []int64 `json:"closed"` // per phase, sessions
}

// noCeiling is that of a run that can't be resumed anyway.
func noCeiling(phases int) ceiling {
	c := ceiling{Open: math.MaxInt64, Closed: make([]int64, phases)}
	for i := range c.Closed {
		c.Closed[i] = math.MaxInt64
	}
	return c
}

func (p *permits) setCeiling(c ceiling) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ceiling = c
}

// clampOpen and clampClosed are called with mu held. No ceiling is set before the
// start, when nothing can be sent yet.
func (p *permits) clampOpen(until int64) int64 {
	if p.ceiling.Closed == nil {
		return until
	}
	return min(until, p.ceiling.Open)
}

func (p *permits) clampClosed(phase int, until int64) int64 {
	if p.ceiling.Closed == nil {
		return until
	}
	return min(until, p.ceiling.Closed[phase])
}

// nextCeiling is the ceiling to journal now; due is false while the one there is
// leaves room.
func (p *permits) nextCeiling(now time.Time, phases int, force bool) (c ceiling, due bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c = ceiling{Open: max(p.openUntil(now.Add(ceilingReach)), p.ceiling.Open), Closed: make([]int64, phases)}
	copy(c.Closed, p.ceiling.Closed)
	due = force || c.Open > p.ceiling.Open && p.openUntil(now.Add(ceilingLeast)) > p.ceiling.Open
	phase := p.closedPhase()
	for _, g := range p.grants {
		c.Open = max(c.Open, g.open)
		for i, n := range g.closed {
			c.Closed[i] = max(c.Closed[i], n)
		}
		if phase == nil || g.dead {
			continue
		}
		until := g.sessionsUntil(phase)
		reach := max(ceilingSessions, int64(g.pace*ceilingReach.Seconds()))
		due = due || until+reach/2 > p.clampClosed(phase.Index, math.MaxInt64) && c.Closed[phase.Index] < bound(phase)
		c.Closed[phase.Index] = max(c.Closed[phase.Index], min(until+reach, bound(phase)))
	}
	return c, due
}

func bound(phase *schedule.Phase) int64 {
	if phase.Sessions == schedule.Unbounded {
		return math.MaxInt64
	}
	return phase.Sessions
}

// raiseCeiling journals the next ceiling, beside the run's work unless now is set.
func (r *run) raiseCeiling(at time.Time, now bool) {
	if r.c.keeper == nil || r.anchor.IsZero() || r.raising && !now || r.segment.problem != nil || r.halt.on {
		return
	}
	c, due := r.permits.nextCeiling(at, len(r.phases), now)
	if !due {
		return
	}
	if now {
		r.onRaised(c, r.c.keeper.keepCeiling(r.id, c))
		return
	}
	r.raising = true
	r.segment.flights.Go(func() {
		err := r.c.keeper.keepCeiling(r.id, c)
		r.post(func() {
			r.raising = false
			r.onRaised(c, err)
		})
	})
}

func (r *run) onRaised(c ceiling, err error) {
	if err != nil {
		r.journalFailed(err)
		return
	}
	if r.segment.problem == nil {
		r.permits.raise(c)
	}
}

// raise takes over a ceiling that is safe; it never comes down.
func (p *permits) raise(c ceiling) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ceiling.Open = max(p.ceiling.Open, c.Open)
	if p.ceiling.Closed == nil {
		p.ceiling.Closed = c.Closed
		return
	}
	for i, n := range c.Closed {
		p.ceiling.Closed[i] = max(p.ceiling.Closed[i], n)
	}
}
