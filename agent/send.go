package agent

import (
	"github.com/stampede-bench/stampede/internal/clock"
	"github.com/stampede-bench/stampede/measure"
)

// send starts a request from the calling goroutine.
func (s *shard) send(e *entry, due int64) {
	e.intended = due
	if e.turn == 0 {
		e.visit.began = due
	}
	s.inFlight.Add(1)
	s.sent.Add(1)
	e.started.Store(true)
	if e.call == nil {
		s.failed(e)
		return
	}
	s.run.doer.Start(e.call, e.done)
}

// failed ends an entry that could not be built. Its slot is left to the
// dispatcher, as starting the next one from here might fail the same way and so
// on, deeper and deeper.
func (s *shard) failed(e *entry) {
	s.inFlight.Add(-1)
	if e.slot >= 0 {
		s.slots.release(e.slot, clock.Now())
	}
	s.settle(e)
	s.wake()
}

// ended takes the outcome of a request, on a goroutine that reads for others: it
// frees the slot, starts the slot's next request if that is due at once, and
// leaves everything else to the reporter.
func (s *shard) ended(e *entry) {
	s.inFlight.Add(-1)
	if e.slot >= 0 && (e.last() || e.phase.ofRequests() || e.x.Status != measure.Succeeded) {
		s.slots.release(e.slot, e.endedAt(clock.Now()))
		if s.deal() < s.asleep.Load() {
			s.wake()
		}
	}
	if s.waiting.Load() {
		s.wake()
	}
	s.settle(e)
}

// last reports whether no turn of its session follows.
func (e *entry) last() bool { return int(e.turn) == len(e.visit.session.Turns)-1 }

// endedAt is when the reply was complete: by its stamp unless that is odd.
func (e *entry) endedAt(now int64) int64 {
	if e.x == nil || e.x.End == measure.Absent || e.x.End > now || e.x.End < e.x.Sent {
		return now
	}
	return e.x.End
}

// deal starts the requests of all slots that are due and have one, and returns
// when to try again.
func (s *shard) deal() (next int64) {
	for !s.stopping.Load() {
		d := s.slots.take(clock.Now())
		if d.entry != nil {
			first := d.entry.turn == 0
			s.send(d.entry, d.due)
			if first {
				s.taken(d.entry)
			}
		}
		if d.low {
			s.askPermit()
		}
		if d.over {
			s.phaseDispatched()
		}
		if d.entry == nil && !d.over { // what the phase leaves over may go now
			return d.next
		}
	}
	return never
}

// full reports whether a phase's cap on requests in flight is reached. Then the
// end of any request wakes the dispatcher.
func (s *shard) full(p *phase) bool {
	if p.MaxConcurrency <= 0 {
		return false
	}
	places := max(1, s.ref.Shard.Count(int64(p.MaxConcurrency)))
	if s.inFlight.Load() < places {
		return false
	}
	s.waiting.Store(true)
	if s.inFlight.Load() < places {
		s.waiting.Store(false)
		return false
	}
	return true
}

// taken makes room for the builder after an entry was sent.
func (s *shard) taken(e *entry) {
	s.queuedBytes.Add(-e.bytes)
	if n := s.queued.Add(-1); n < aheadCount/2 || n%1024 == 0 {
		poke(s.refill)
	}
}

// drop forgets an entry that will not be sent.
func (s *shard) drop(e *entry) {
	s.live.remove(e)
	s.taken(e)
}

// settle hands an entry to the reporter, which looks at once when another turn
// follows.
func (s *shard) settle(e *entry) {
	last := e.last() // e is the reporter's as soon as it is pushed
	switch first := s.outcomes.push(e); {
	case !last:
		s.hurry()
	case first:
		poke(s.news)
	}
}

// hurry makes the reporter look at once.
func (s *shard) hurry() { poke(s.urgent) }

// phaseDispatched lets the reporter tell that no more of a phase will be sent.
func (s *shard) phaseDispatched() {
	poke(s.refill) // the builder may wait for room in it
	s.hurry()
}

// wake wakes the dispatcher.
func (s *shard) wake() {
	if sleep := s.sleeper.Load(); sleep != nil {
		(*sleep).wake()
	}
}

// poke signals without waiting; signals that were not heard yet are one.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
