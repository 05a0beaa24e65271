package agent

import (
	"github.com/stampede-bench/stampede/internal/clock"
	"github.com/stampede-bench/stampede/schedule"
)

// dispatcher sends a shard's entries when they are due. It sleeps in
// the kernel to absolute instants, and so mostly has a thread to itself; all it does
// there is look at atomics, take entries that are complete, and call Doer.Start.
type dispatcher struct {
	shard  *shard
	opened int // phases taken over from the builder
	open   []*openSource
	turns  turnHeap
}

// run sends until the shard quits.
func (d *dispatcher) run() {
	s := d.shard
	sleep := s.run.agent.newSleeper()
	s.sleeper.Store(&sleep)
	for !s.quit.Load() {
		// Until the next deadline is known, whoever has an earlier one wakes us.
		s.asleep.Store(never)
		if s.stopping.Load() {
			d.halt()
		} else {
			d.openPhases()
		}
		next := d.step()
		s.asleep.Store(next)
		sleep.sleep(next)
	}
}

// step sends everything that is due and returns when it wants to be called again.
func (d *dispatcher) step() (next int64) {
	s := d.shard
	s.waiting.Store(false)
	next = d.laterTurns()
	live := d.open[:0]
	for i := range d.open {
		o := d.open[i]
		at, over := o.step()
		if len(live) == 0 {
			s.reached.Store(o.reached) // of several, the earliest counts
		}
		if over {
			s.phaseDispatched()
			continue
		}
		live = append(live, o)
		next = min(next, at)
	}
	clear(d.open[len(live):])
	d.open = live
	return min(next, s.deal())
}

// openPhases takes over the phases that have their place in time.
func (d *dispatcher) openPhases() {
	s := d.shard
	for d.opened < int(s.published.Load()) {
		p := s.phases[d.opened]
		if !p.release.known() {
			return
		}
		d.opened++
		s.opened.Store(int32(d.opened))
		if p.Kind == schedule.Open {
			d.open = append(d.open, &openSource{shard: s, phase: p})
			continue
		}
		start := s.run.instant(p.release.base, p.Nominal, 0)
		end := never
		if p.Duration > 0 {
			end = start + p.Duration
		}
		s.slots.begin(p, len(s.slotsOf(p)), max(start, s.takenOver), end)
		s.askPermit()
	}
}

// laterTurns sends the later turns that are due and returns when the next is.
func (d *dispatcher) laterTurns() (next int64) {
	s := d.shard
	for e := s.later.takeAll(); e != nil; {
		d.turns.push(laterTurn{e})
		e = e.next
	}
	for len(d.turns) > 0 {
		e := d.turns[0].entry
		if e.due > clock.Now() {
			return e.due
		}
		if e.slot < 0 && s.full(e.phase) {
			return never
		}
		d.turns.pop()
		if e.phase.ofRequests() {
			s.slots.wait(e) // step deals next
			continue
		}
		s.send(e, e.due)
	}
	return never
}

// halt gives up whatever was not sent. It may be called again: turns that were
// handed over meanwhile are given up, too.
func (d *dispatcher) halt() {
	s := d.shard
	for i := range d.open {
		d.open[i].halt()
	}
	d.open = nil
	s.slots.stop()
	for e := s.later.takeAll(); e != nil; {
		d.turns.push(laterTurn{e})
		e = e.next
	}
	d.turns = append(d.turns, s.slots.abandon()...)
	for _, t := range d.turns {
		t.entry.unsent = true
		s.outcomes.push(t.entry)
	}
	d.turns = nil
	if !s.halted.Swap(true) {
		s.askPermit()
	}
	s.hurry()
}

// openSource sends the entries of one open-loop phase.
type openSource struct {
	shard *shard
	phase *phase
	head  *entry

	reached int64 // everything with a nominal offset up to this was sent
}

// step sends what is due. It returns when the next entry is, or never when
// something else has to happen first, which then wakes the dispatcher.
func (o *openSource) step() (next int64, over bool) {
	s, p := o.shard, o.phase
	for now := clock.Now(); ; {
		if !o.peek() {
			o.reached = p.Nominal + p.Duration - 1
			p.dispatched.Store(true)
			return never, true
		}
		e := o.head
		if e == nil {
			return never, false
		}
		nominal := p.Nominal + e.offset
		o.reached = nominal - 1
		if nominal >= s.permit.Load() || s.stopping.Load() {
			return never, false
		}
		due := s.run.instant(p.release.base, p.Nominal, e.offset)
		if due > now {
			if now = clock.Now(); due > now {
				return due, false
			}
		}
		if s.full(p) {
			return never, false
		}
		o.head = nil
		p.begin(e.k)
		s.send(e, due)
		s.taken(e)
	}
}

// peek fills head if it can; false means that the phase has no more entries.
func (o *openSource) peek() bool {
	if o.head != nil {
		return true
	}
	built := o.phase.built.Load() // before looking: nothing is added after it
	select {
	case o.head = <-o.phase.ready:
		return true
	default:
		return !built
	}
}

// halt gives up the rest of the phase.
func (o *openSource) halt() {
	o.phase.dispatched.Store(true)
	if o.head != nil {
		o.shard.drop(o.head)
	}
	o.phase.discard(o.shard.drop)
}
