package agent

import (
	"sync/atomic"

	"github.com/stampede-bench/stampede/schedule"
)

// phase is one shard's part in one phase. The builder fills ready and the
// dispatcher empties it; the counters tell the reporter and the heartbeats.
type phase struct {
	*schedule.Phase
	release *release
	from    int64 // takeover: sessions (closed loop) from here on

	ready chan *entry
	built atomic.Bool // nothing more comes into ready

	begun      atomic.Int64 // sessions of this shard that were begun
	ended      atomic.Int64 // sessions of which all entries have their outcome
	next       atomic.Int64 // no session from here on was begun
	dispatched atomic.Bool  // none will be begun any more; begun is final

	until atomic.Int64 // closed loop: sessions below may be begun
	low   atomic.Int64 // closed loop: when next reaches it, the permit runs low

	// The reporter's own.
	toldDispatched bool
	toldDrained    bool
}

// permit raises the bound on sessions; it never shrinks.
func (p *phase) permit(until int64) {
	if until <= p.until.Load() {
		return
	}
	p.low.Store(until - (until-p.next.Load())/2)
	p.until.Store(until)
}

// begin counts session k as begun. It reports whether the permit has just run
// low: less than half of what it allowed at first is left.
func (p *phase) begin(k int64) (low bool) {
	p.begun.Add(1)
	p.next.Store(k + 1)
	at := p.low.Load()
	return k+1 >= at && at > 0 && p.low.CompareAndSwap(at, never)
}

// drained reports whether every entry has its outcome.
func (p *phase) drained() bool {
	return p.dispatched.Load() && p.begun.Load() == p.ended.Load()
}

// ofRequests reports whether a slot is given back between the turns of a session.
func (p *phase) ofRequests() bool { return p.Kind == schedule.Closed && !p.OfSessions }

// discard empties ready, telling drop of each entry.
func (p *phase) discard(drop func(*entry)) {
	for {
		select {
		case e := <-p.ready:
			drop(e)
		default:
			return
		}
	}
}
