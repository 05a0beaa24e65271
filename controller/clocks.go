package controller

import "time"

// exchange is one round trip of a heartbeat: the agent sent it at t0 and had the
// renewal at t3 on its clock; the controller received it at t1 and answered at t2
// on its own. All in nanoseconds since the Unix epoch.
type exchange struct{ t0, t1, t2, t3 int64 }

// offset is agent clock minus controller clock; the true one differs by no more
// than bound.
func (e exchange) offset() int64 { return ((e.t0 - e.t1) + (e.t3 - e.t2)) / 2 }
func (e exchange) bound() int64  { return ((e.t3 - e.t0) - (e.t2 - e.t1) + 1) / 2 }

const (
	clockSamples = 64
	// clockDrift is by how much two clocks may part, in nanoseconds a second; an
	// old sample counts as that much worse.
	clockDrift = 100_000
	// openRenewals bounds how many renewals an agent may leave unreported.
	openRenewals = 16
)

type clockSample struct {
	offset, bound int64
	at            time.Time
}

// clockFilter estimates an agent's clock from the round trips of its heartbeats:
// the one with the smallest bound, grown by drift since, wins. Owned by whoever
// holds its peer's lock.
type clockFilter struct {
	samples [clockSamples]clockSample
	n       int // ever added
	steps   int64
	open    map[int64]exchange // by sequence, without t3
}

// sent remembers a renewal whose arrival the agent will tell.
func (f *clockFilter) sent(sequence int64, e exchange) {
	if f.open == nil {
		f.open = make(map[int64]exchange, openRenewals)
	}
	for s := range f.open {
		if s <= sequence-openRenewals || s > sequence {
			delete(f.open, s)
		}
	}
	f.open[sequence] = e
}

// received completes an exchange. Nonsense (a renewal that was never sent, one
// that arrived before it left) is ignored. A step of the agent's clock makes all
// earlier exchanges worthless.
func (f *clockFilter) received(sequence, t3, steps int64, now time.Time) {
	if steps != f.steps {
		*f = clockFilter{steps: steps}
		return
	}
	e, known := f.open[sequence]
	if !known || t3 == 0 {
		return
	}
	delete(f.open, sequence)
	e.t3 = t3
	if e.bound() < 0 {
		return
	}
	f.samples[f.n%clockSamples] = clockSample{offset: e.offset(), bound: e.bound(), at: now}
	f.n++
}

// restart forgets renewals of an older session, whose sequences begin again.
func (f *clockFilter) restart() { f.open = nil }

// estimate returns the best offset and its bound; ok is false before the first
// exchange.
func (f *clockFilter) estimate(now time.Time) (offset, bound int64, ok bool) {
	for i := range min(f.n, clockSamples) {
		s := f.samples[i]
		grown := s.bound + int64(now.Sub(s.at).Seconds()*clockDrift)
		if !ok || grown < bound {
			offset, bound, ok = s.offset, grown, true
		}
	}
	return offset, bound, ok
}
