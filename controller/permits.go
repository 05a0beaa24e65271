package controller

import (
	"sync"
	"time"

	"github.com/stampede-bench/stampede/internal/wire"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/schedule"
)

// minWindow is how many sessions a closed-loop shard may always be ahead.
const minWindow = 256

// released is a phase that has its place in time.
type released struct {
	phase *schedule.Phase
	base  int64 // nanoseconds since the anchor
}

// permits decides what the agents of one run may send. What was granted never
// shrinks, and only what lies beyond it may be given to others: that, not the
// clock, makes a request go out at most once. The receive loops of sessions ask
// it at every heartbeat, the run's goroutine tells it of phases; hence the lock.
type permits struct {
	ahead time.Duration // lease and a heartbeat
	limit int64         // max_run_time in nanoseconds since the anchor; 0 is none

	mu       sync.Mutex
	anchor   time.Time // zero before the start
	released []released
	shifts   []shift // in rising order
	grants   map[wire.Ref]*grant
	frozen   bool // the run is being stopped
	ceiling  ceiling
}

// grant is what one attempt at a shard may send, and how far it says it came.
type grant struct {
	agentID string
	shard   schedule.Shard
	open    int64   // entries with a nominal offset below
	closed  []int64 // per phase, sessions below
	next    []int64 // per phase, first session not begun as far as is known
	nextAt  time.Time
	pace    float64 // sessions of the whole phase a second
	dead    bool

	sent, inFlight int64
	sessions       int64 // under way, also between two turns
	dispatched     int64 // nominal offset
}

func newPermits(ahead time.Duration, limit int64) *permits {
	return &permits{ahead: ahead, limit: limit, grants: make(map[wire.Ref]*grant)}
}

// add registers an attempt at a shard; from are the sessions per phase that
// others may have begun before.
func (p *permits) add(ref wire.Ref, agentID string, from []int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.grants[ref] = &grant{
		agentID: agentID, shard: ref.Shard,
		closed: append([]int64(nil), from...), next: append([]int64(nil), from...),
	}
}

// foresee lets first permits be granted before the start, by where the phases
// will lie if they begin together.
func (p *permits) foresee(phases []released) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.released = phases
}

// start says where offset 0 lies and which phases begin.
func (p *permits) start(anchor time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.anchor, p.released = anchor, nil
}

func (p *permits) release(r released) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.released = append(p.released, r)
}

// freeze ends granting: the run is being stopped.
func (p *permits) freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.frozen = true
}

// renew grants what an agent's shard may send now; nil when it is not its shard.
func (p *permits) renew(ref wire.Ref, agentID string, progress *stampedev1.ShardProgress, now time.Time) *stampedev1.Permit {
	p.mu.Lock()
	defer p.mu.Unlock()
	g := p.grants[ref]
	if g == nil || g.agentID != agentID {
		return nil
	}
	g.observe(progress, now)
	if !g.dead && !p.frozen {
		g.open = max(g.open, p.clampOpen(p.openUntil(now)))
	}
	m := &stampedev1.Permit{Ref: ref.Proto(), DispatchUntilOffsetNanos: g.open}
	if phase := p.closedPhase(); phase != nil {
		if !g.dead && !p.frozen {
			g.closed[phase.Index] = max(g.closed[phase.Index], p.clampClosed(phase.Index, g.sessionsUntil(phase)))
		}
		m.Phase, m.DispatchUntilSession = int32(phase.Index), g.closed[phase.Index]
	}
	return m
}

// openUntil is the nominal offset that is reached one lease from now.
func (p *permits) openUntil(now time.Time) int64 {
	at := int64(p.ahead)
	if !p.anchor.IsZero() {
		at += int64(now.Sub(p.anchor))
	}
	if p.limit > 0 {
		at = min(at, p.limit)
	}
	until := int64(0)
	for _, r := range p.released {
		if r.phase.Kind != schedule.Open {
			continue
		}
		if nominal := p.passed(&r, at); nominal > r.phase.Nominal {
			until = max(until, min(nominal, r.phase.Nominal+max(r.phase.Duration, 1)))
		}
	}
	return until
}

// closedPhase is the closed-loop phase that is dispatched now or next. Nothing is
// released behind one that has not ended, so it is the last.
func (p *permits) closedPhase() *schedule.Phase {
	for i := len(p.released) - 1; i >= 0; i-- {
		if phase := p.released[i].phase; phase.Kind == schedule.Closed {
			return phase
		}
	}
	return nil
}

// sessionsUntil keeps a shard's slots busy until its next heartbeats, also when
// it is fast, and not further.
func (g *grant) sessionsUntil(phase *schedule.Phase) int64 {
	slots := g.shard.Count(int64(phase.Slots))
	if slots == 0 {
		return 0
	}
	own := max(minWindow, 4*slots)
	ahead := max(own*int64(phase.Slots)/slots, int64(2*g.pace))
	until := g.next[phase.Index] + ahead
	if phase.Sessions != schedule.Unbounded {
		until = min(until, phase.Sessions)
	}
	return until
}

// observe takes over what an agent tells of its shard.
func (g *grant) observe(m *stampedev1.ShardProgress, now time.Time) {
	if m == nil {
		return
	}
	g.sessions = m.GetOpenSessionCount()
	g.sent, g.inFlight, g.dispatched = max(m.GetSentCount(), 0), max(m.GetInFlightCount(), 0), m.GetDispatchedOffsetNanos()
	phase := int(m.GetPhase())
	if phase < 0 || phase >= len(g.next) {
		return
	}
	// What was granted bounds what can have begun, whatever the agent says.
	next := min(m.GetNextSession(), g.closed[phase])
	if next <= g.next[phase] {
		return
	}
	if passed := now.Sub(g.nextAt).Seconds(); !g.nextAt.IsZero() && passed > 0 {
		g.pace = max(float64(next-g.next[phase])/passed, g.pace/2)
	}
	g.next[phase], g.nextAt = next, now
}

// granted is a copy of what an attempt was granted and is known to have begun.
type granted struct {
	open   int64
	closed []int64
	next   []int64
}

func (p *permits) granted(ref wire.Ref) granted {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.grants[ref].copy()
}

func (g *grant) copy() granted {
	return granted{open: g.open, closed: append([]int64(nil), g.closed...), next: append([]int64(nil), g.next...)}
}

// kill ends granting to an attempt and returns the last it was granted.
func (p *permits) kill(ref wire.Ref) granted {
	p.mu.Lock()
	defer p.mu.Unlock()
	g := p.grants[ref]
	g.dead, g.inFlight, g.sessions = true, 0, 0
	return g.copy()
}

// begun raises what is known to have begun in a phase; it answers whether the
// session may have been sent at all.
func (p *permits) begun(ref wire.Ref, phase int, session int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	g := p.grants[ref]
	if session >= g.closed[phase] {
		return false
	}
	g.next[phase] = max(g.next[phase], session+1)
	return true
}

// load sums what the agents report.
func (p *permits) load() (sent, inFlight int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, g := range p.grants {
		sent += g.sent
		inFlight += g.inFlight
	}
	return sent, inFlight
}

// nominal is the nominal offset that passes now in the open-loop phases that
// were released.
func (p *permits) nominal(now time.Time) int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	at, reached := int64(now.Sub(p.anchor)), int64(0)
	for _, r := range p.released {
		if r.phase.Kind != schedule.Open {
			continue
		}
		if nominal := p.passed(&r, at); nominal > r.phase.Nominal {
			reached = max(reached, min(nominal, r.phase.Nominal+r.phase.Duration))
		}
	}
	return reached
}
