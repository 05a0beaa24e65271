package agent

import (
	"math"
	"sync/atomic"

	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/schedule"
)

// progress is how far the shard has come; nil before it is prepared.
func (s *shard) progress() *stampedev1.ShardProgress {
	phases := s.prepared()
	if phases == nil {
		return nil
	}
	m := &stampedev1.ShardProgress{
		Ref: s.ref.Proto(), SentCount: s.sent.Load(), InFlightCount: s.inFlight.Load(),
		TokenCount: s.tokens.Load(), DispatchedOffsetNanos: s.reached.Load(),
	}
	for _, p := range phases {
		m.OpenSessionCount += max(0, p.begun.Load()-p.ended.Load())
	}
	if p := dealing(phases, int(s.opened.Load())); p != nil {
		m.Phase, m.NextSession = int32(p.Index), p.next.Load()
	}
	return m
}

// dealing is the closed loop that deals, whose permits follow what is told of it,
// though entries of an open loop before it may still wait for theirs; else the
// current phase.
func dealing(phases []*phase, opened int) *phase {
	for _, p := range phases[:min(opened, len(phases))] {
		if p.Kind == schedule.Closed && !p.dispatched.Load() {
			return p
		}
	}
	return current(phases)
}

// current is the phase that is being dispatched: the first with a place in time
// that is not done with, else the last with a place in time.
func current(phases []*phase) *phase {
	if len(phases) == 0 {
		return nil
	}
	at := phases[0]
	for _, p := range phases {
		if p.Index > 0 && !p.release.known() {
			break
		}
		if at = p; !p.dispatched.Load() {
			break
		}
	}
	return at
}

// maxFloat keeps the highest value it was given, from any goroutine.
type maxFloat struct{ bits atomic.Uint64 }

func (m *maxFloat) raise(v float64) {
	for {
		old := m.bits.Load()
		if v <= math.Float64frombits(old) || m.bits.CompareAndSwap(old, math.Float64bits(v)) {
			return
		}
	}
}

func (m *maxFloat) load() float64 { return math.Float64frombits(m.bits.Load()) }
