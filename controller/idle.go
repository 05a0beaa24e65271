package controller

import (
	"time"

	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/schedule"
)

// shift says that entries with a nominal offset from from on are due delta
// earlier. Offsets and the workload hash stay; only offset to time moves.
type shift struct{ from, delta int64 }

// shiftMargin lets a shift and the permits behind it reach every agent before
// what it moves is due.
const shiftMargin = 250 * time.Millisecond

// cutIdle moves the rest of an open-loop schedule forward when nothing is in
// flight anywhere and the next entry is further off than skip_idle_min.
func (r *run) cutIdle(now time.Time) {
	least := int64(r.eff.Load.SkipIdleMin.D())
	if least <= 0 || r.state != stampedev1.State_STATE_RUNNING || r.halt.on {
		return
	}
	least = max(least, int64(r.c.registry.longestPeriod()+shiftMargin+r.diskLead()))
	s, ok := r.permits.cutIdle(now, least)
	if !ok {
		return
	}
	r.raiseCeiling(now, true)
	r.save()
	for _, m := range r.working() {
		r.tell(m, r.shiftMessage(s))
	}
	r.windows(now)
	r.log.Info("idle time is cut", "from_offset", time.Duration(s.from), "by", time.Duration(s.delta))
}

func (r *run) shiftMessage(s shift) *stampedev1.SessionResponse {
	return &stampedev1.SessionResponse{Message: &stampedev1.SessionResponse_Shift{Shift: &stampedev1.Shift{
		RunId: r.id, FromOffsetNanos: s.from, DeltaNanos: s.delta,
	}}}
}

// cutIdle shifts what comes next so that it is due in least, if all shards wait
// for it and it is further off.
func (p *permits) cutIdle(now time.Time, least int64) (shift, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	next, waiting := int64(-1), false
	for _, g := range p.grants {
		if g.dead {
			continue
		}
		if g.inFlight > 0 || g.sessions > 0 || g.dispatched <= 0 {
			return shift{}, false
		}
		if !waiting || g.dispatched+1 < next {
			next, waiting = g.dispatched+1, true
		}
	}
	r := p.phaseAt(next)
	if !waiting || r == nil || p.anchor.IsZero() {
		return shift{}, false
	}
	due := r.base + next - r.phase.Nominal - p.shifted(next)
	s := shift{from: next, delta: due - int64(now.Sub(p.anchor)) - least}
	if s.delta <= 0 {
		return shift{}, false
	}
	p.shifts = append(p.shifts, s)
	return s, true
}

// phaseAt is the released open-loop phase that holds a nominal offset.
func (p *permits) phaseAt(nominal int64) *released {
	for i := range p.released {
		r := &p.released[i]
		if r.phase.Kind == schedule.Open && nominal >= r.phase.Nominal && nominal < r.phase.Nominal+r.phase.Duration {
			return r
		}
	}
	return nil
}

// shifted is how much earlier an entry is due by the shifts so far.
func (p *permits) shifted(nominal int64) int64 {
	sum := int64(0)
	for _, s := range p.shifts {
		if nominal >= s.from {
			sum += s.delta
		}
	}
	return sum
}

// passed is the nominal offset that passes at an instant since the anchor, by a
// phase's base and the shifts, which come in rising order.
func (p *permits) passed(r *released, at int64) int64 {
	nominal := r.phase.Nominal + at - r.base
	for _, s := range p.shifts {
		if nominal+s.delta < s.from {
			return min(nominal, s.from-1)
		}
		nominal += s.delta
	}
	return nominal
}

// moved is the stretch of dispatch of an open-loop phase after the shifts.
func (p *permits) moved(phase *schedule.Phase, base int64) (begin, end int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	last := phase.Nominal + max(phase.Duration-1, 0)
	return base - p.shifted(phase.Nominal), base + phase.Duration - p.shifted(last)
}
