package agent

import (
	"context"
	"iter"
	"time"

	"github.com/stampede-bench/stampede/internal/clock"
	"github.com/stampede-bench/stampede/schedule"
	"github.com/stampede-bench/stampede/workload/dataset"
)

// How far ahead of dispatch requests are built: at least aheadCount entries and
// all of the next aheadTime, but neither more than aheadBytes nor maxAhead.
const (
	aheadCount = 256
	aheadTime  = int64(time.Second)
	aheadBytes = 64 << 20
	maxAhead   = 1 << 15
)

// builder builds the entries of a shard in the order of dispatch.
type builder struct {
	shard  *shard
	cutoff int64 // takeover: what was due before is not sent
	bursts bursts
	primed func()
}

// run builds until all is built or ctx ends.
func (b *builder) run(ctx context.Context) {
	defer b.primed()
	for _, p := range b.shard.phases {
		if !b.open(ctx, p) {
			return
		}
		b.bursts.next()
		for k, offset := range b.sessions(p) {
			if !b.room(ctx, p, offset) {
				break
			}
			if !b.passed(p, offset) {
				b.push(b.first(p, k, offset))
				if p.Kind == schedule.Open {
					b.bursts.add(offset)
				}
			}
		}
		b.readyBurst(ctx, p)
		p.built.Store(true)
		if p.dispatched.Load() {
			p.discard(b.shard.drop) // what was pushed while the phase ended
		}
		b.shard.wake()
		if ctx.Err() != nil {
			return
		}
	}
}

// open waits until p's place among the run's sessions is known: it always is for
// the first phase. Then it hands p to the dispatcher.
func (b *builder) open(ctx context.Context, p *phase) bool {
	if p.Index > 0 {
		b.primed()
		select {
		case <-p.release.done:
		case <-ctx.Done():
			return false
		}
	}
	p.ready = make(chan *entry, b.capacity(p))
	b.shard.published.Add(1)
	b.shard.wake()
	if p.Index > 0 && p.Kind == schedule.Closed {
		b.shard.tasks.Go(func() { b.shard.warm(ctx, []*phase{p}) })
	}
	return true
}

// capacity is the most entries of p that wait for dispatch.
func (b *builder) capacity(p *phase) int {
	if p.Kind == schedule.Open {
		return int(min(maxAhead, max(1, b.shard.ref.Shard.Count(p.Sessions))))
	}
	return min(max(aheadCount, 2*len(b.shard.slotsOf(p))), maxAhead)
}

// sessions yields p's sessions of this shard with their offsets.
func (b *builder) sessions(p *phase) iter.Seq2[int64, int64] {
	ref := b.shard.ref
	if p.Kind == schedule.Open {
		return p.Arrivals(ref.Shard, max(0, b.shard.fromOffset-p.Nominal))
	}
	return closedSessions(b.shard.slotsOf(p), int64(p.Slots), p.from, p.Sessions)
}

// closedSessions yields, in order, the sessions that belong to slots of n in
// all: session k to slot k mod n, from from on, below bound unless that is
// schedule.Unbounded.
func closedSessions(slots []int, n, from, bound int64) iter.Seq2[int64, int64] {
	return func(yield func(int64, int64) bool) {
		for round := from / max(n, 1); len(slots) > 0; round++ {
			for _, slot := range slots {
				k := round*n + int64(slot)
				if bound != schedule.Unbounded && k >= bound {
					return
				}
				if k >= from && !yield(k, 0) {
					return
				}
			}
		}
	}
}

// room waits until another entry of p is wanted. It is false when none is any
// more.
func (b *builder) room(ctx context.Context, p *phase, offset int64) bool {
	s := b.shard
	for {
		if s.stopping.Load() || p.dispatched.Load() || ctx.Err() != nil {
			return false
		}
		count, bytes := s.queued.Load(), s.queuedBytes.Load()
		wait := b.wait(p, offset)
		switch {
		case count == 0:
			return true // however large it is
		case len(p.ready) == cap(p.ready) || count >= maxAhead || bytes >= aheadBytes:
			wait = time.Second
		case p.Kind == schedule.Closed || count < aheadCount || wait <= 0:
			return true
		}
		b.readyBurst(ctx, p)
		b.primed()
		b.pause(ctx, p, wait)
	}
}

// readyBurst has connections opened for a burst among what was built since the last
// call. The shard is not ready before those of the first are.
func (b *builder) readyBurst(ctx context.Context, p *phase) {
	n := b.bursts.take(p, max(1, int(b.shard.start.GetAgentCount())))
	if n == 0 {
		return
	}
	if p.release.known() {
		b.bursts.ask(n)
		return
	}
	b.shard.warmTo(ctx, n)
}

// wait is how long until an open-loop entry comes within aheadTime.
func (b *builder) wait(p *phase, offset int64) time.Duration {
	if !p.release.known() {
		return time.Duration(offset - aheadTime)
	}
	due := b.shard.run.instant(p.release.base, p.Nominal, offset)
	return time.Duration(due - aheadTime - clock.Now())
}

// pause waits for what may make room.
func (b *builder) pause(ctx context.Context, p *phase, wait time.Duration) {
	released := p.release.done
	if p.release.known() {
		released = nil
	}
	timer := time.NewTimer(max(wait, 10*time.Millisecond))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-b.shard.refill:
	case <-released:
	case <-ctx.Done():
	}
}

// passed reports whether an entry's time had passed when the shard was taken
// over: it is not sent late, and the controller counts it as lost.
func (b *builder) passed(p *phase, offset int64) bool {
	return p.Kind == schedule.Open && p.release.known() &&
		b.shard.run.instant(p.release.base, p.Nominal, offset) < b.cutoff
}

// first builds the first turn of the phase's session k.
func (b *builder) first(p *phase, k, offset int64) *entry {
	session := k
	if p.Index > 0 {
		session += p.release.firstSession
	}
	r := b.shard.run
	built, err := r.corpus.Session(session)
	if err != nil {
		built.Turns = make([]dataset.Turn, r.corpus.Turns(session))
	}
	v := &visit{session: built}
	v.session.Index = session
	if len(v.session.Turns) == 0 {
		v.session.Turns = []dataset.Turn{{OffsetNanos: -1}}
	}
	e := b.shard.newEntry(p, v, 0, r.corpus.EntriesBefore(session), k)
	e.offset = offset
	if err != nil {
		e.call, e.err = nil, err
	}
	return e
}

// push queues an entry and wakes the dispatcher if it may be waiting for one.
func (b *builder) push(e *entry) {
	s := b.shard
	s.queued.Add(1)
	s.queuedBytes.Add(e.bytes)
	e.phase.ready <- e // room has seen to it that there is a place
	if len(e.phase.ready) <= 1 {
		s.wake()
	}
}
