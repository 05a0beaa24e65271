package agent

import (
	"math"
	"slices"
	"sync"
)

// slots deals the sessions of a closed-loop phase to the slots of a shard that
// are free. Slots outlive phases: one that is still busy when the next phase
// begins takes part in it when its request ends. The dispatcher and the done
// functions of calls share it; each holds the lock for a few instructions.
type slots struct {
	mu    sync.Mutex
	busy  []bool // by position of the slot within the shard
	phase *phase // the phase that deals, nil between phases
	count int    // slots that take part in it
	start int64  // process-monotonic
	end   int64  // no session begins from here on
	free  slotHeap
	head  *entry // next in line; kept here while the permit ends before it
	// turns are due and wait for a slot, where slots are of requests.
	turns turnHeap

	drop func(*entry) // told of entries that are never sent
}

// begin makes p the phase that deals.
func (t *slots) begin(p *phase, count int, start, end int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.phase, t.count, t.start, t.end = p, count, start, end
	t.free, t.head = t.free[:0], nil
	for len(t.busy) < count {
		t.busy = append(t.busy, false)
	}
	for i := range count {
		if !t.busy[i] {
			t.free.push(freeSlot{due: start, slot: int32(i)})
		}
	}
}

// stop ends dealing; slots that are busy stay so until their requests end.
func (t *slots) stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over()
}

// over ends the phase that deals. The caller holds the lock.
func (t *slots) over() {
	if t.phase == nil {
		return
	}
	t.phase.dispatched.Store(true)
	if t.head != nil {
		t.drop(t.head)
	}
	t.phase.discard(t.drop)
	t.phase, t.head, t.free = nil, nil, t.free[:0]
}

// release frees a slot whose request ended at the given instant.
func (t *slots) release(slot int32, at int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.busy[slot] = false
	if t.phase == nil || int(slot) >= t.count {
		return
	}
	t.free.push(freeSlot{due: max(at+t.phase.ThinkTime, t.start), slot: slot})
}

// dealt is what take found.
type dealt struct {
	entry *entry // with its slot; nil when nothing can be sent now
	due   int64  // when the slot became due
	low   bool   // the permit runs low: ask for more
	over  bool   // the phase has just ended dispatch
	next  int64  // without an entry: when to try again at the latest
}

// take pairs the slot that has been due longest with the lowest session that is
// not sent. Without a pair it says when to look again; what else may bring one
// (an entry built, a permit, a slot released) wakes the dispatcher.
func (t *slots) take(now int64) dealt {
	t.mu.Lock()
	defer t.mu.Unlock()
	if d, ok := t.takeTurn(now); ok {
		return d
	}
	p := t.phase
	if p == nil {
		return dealt{next: never}
	}
	if now >= t.end || !t.peek() {
		t.over()
		return dealt{over: true, next: never}
	}
	if len(t.free) == 0 || t.head == nil || t.head.k >= p.until.Load() {
		return dealt{next: t.nextTurn()}
	}
	if due := t.free[0].due; due > now {
		return dealt{next: min(due, t.end)}
	}
	d := dealt{entry: t.head, due: t.free[0].due}
	d.entry.slot = t.free.pop().slot
	t.busy[d.entry.slot] = true
	t.head = nil
	d.low = p.begin(d.entry.k)
	if !t.peek() {
		t.over()
		d.over = true
	}
	return d
}

// wait queues a later turn that is due for the next free slot. Sessions that were
// begun come before new ones.
func (t *slots) wait(e *entry) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.turns.push(laterTurn{e})
}

// abandon empties the queue of later turns.
func (t *slots) abandon() turnHeap {
	t.mu.Lock()
	defer t.mu.Unlock()
	left := t.turns
	t.turns = nil
	return left
}

// takeTurn pairs the turn that has been due longest with a free slot. When no
// phase deals any more, any slot of the last one does. The caller holds the lock.
func (t *slots) takeTurn(now int64) (dealt, bool) {
	if len(t.turns) == 0 {
		return dealt{}, false
	}
	slot := t.idle()
	due := int64(math.MinInt64)
	if t.phase != nil {
		if len(t.free) == 0 || t.free[0].due > now {
			return dealt{}, false
		}
		f := t.free.pop()
		slot, due = f.slot, f.due
	}
	if slot < 0 {
		return dealt{}, false
	}
	e := t.turns.pop().entry
	e.slot = slot
	t.busy[slot] = true
	return dealt{entry: e, due: max(due, e.due)}, true
}

// idle is a slot of the last phase that has no request, or -1. Where all of that
// phase's are other shards', any slot does.
func (t *slots) idle() int32 {
	last := t.busy[:t.count]
	if t.count == 0 {
		last = t.busy
	}
	return int32(slices.Index(last, false))
}

// nextTurn is when a slot is due for a turn that waits, or the phase ends.
func (t *slots) nextTurn() int64 {
	if len(t.turns) == 0 || len(t.free) == 0 {
		return t.end
	}
	return min(t.free[0].due, t.end)
}

// peek fills head if it can; false means that the phase has no more entries.
func (t *slots) peek() bool {
	if t.head != nil {
		return true
	}
	built := t.phase.built.Load() // before looking: nothing is added after it
	select {
	case t.head = <-t.phase.ready:
		return true
	default:
		return !built
	}
}
