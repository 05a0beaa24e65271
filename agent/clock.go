package agent

import (
	"sync"

	"github.com/stampede-bench/stampede/internal/clock"
)

// stepLimit is how far wall and monotonic clock may part between two looks
// before it counts as a jump of the wall clock.
const stepLimit = int64(1_000_000)

// keptBeats is how many heartbeats may wait for their renewal.
const keptBeats = 64

// wallClock is this agent's wall clock as the controller sees it. It follows the monotonic clock from the moment it
// was made, so that a wall clock that is set moves nothing; such jumps are only
// counted. Safe for concurrent use.
type wallClock struct {
	pair clock.Pair

	mu        sync.Mutex
	last      clock.Pair
	steps     int64
	sent      map[int64]bool // heartbeats of this session without renewal
	renewal   int64          // sequence of the last renewal
	renewedAt int64
}

func newWallClock() *wallClock {
	pair := clock.ReadPair()
	return &wallClock{pair: pair, last: pair, sent: map[int64]bool{}}
}

// now is the agent's wall clock.
func (w *wallClock) now() int64 { return w.pair.At(clock.Now()) }

// restart begins a session, whose heartbeats are numbered anew.
func (w *wallClock) restart() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.renewal, w.renewedAt = 0, 0
	clear(w.sent)
}

// beat notes that a heartbeat leaves now, and returns what it tells.
func (w *wallClock) beat(sequence int64) (sentAt, renewal, renewedAt, steps int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.look(w.read())
	sentAt = w.now()
	w.sent[sequence] = true
	delete(w.sent, sequence-keptBeats)
	return sentAt, w.renewal, w.renewedAt, w.steps
}

// read returns the present moment on both clocks. A thread that was held up
// between the two looks like a jump, so a jump is read again.
func (w *wallClock) read() clock.Pair {
	p := clock.ReadPair()
	for range 3 {
		if !w.jumped(p) {
			break
		}
		p = clock.ReadPair()
	}
	return p
}

// jumped reports whether the wall clock was set between the last look and p.
func (w *wallClock) jumped(p clock.Pair) bool {
	d := p.Unix - w.last.At(p.Mono)
	return d > stepLimit || d < -stepLimit
}

// look counts a jump of the wall clock since the last look.
func (w *wallClock) look(p clock.Pair) {
	if w.jumped(p) {
		w.steps++
	}
	w.last = p
}

// renewed takes the answer to a heartbeat into account. It reports whether this
// session sent that heartbeat.
func (w *wallClock) renewed(sequence int64) bool {
	at := w.now()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.sent[sequence] {
		return false
	}
	for s := range w.sent {
		if s <= sequence {
			delete(w.sent, s)
		}
	}
	w.renewal, w.renewedAt = sequence, at
	return true
}

// anchor is a moment of the controller's clock, from which this one is off by
// offset, on this process's monotonic clock.
func (w *wallClock) anchor(unix, offset int64) int64 {
	return w.pair.Mono + (unix + offset) - w.pair.Unix
}

// stepCount is how many jumps of the wall clock were seen.
func (w *wallClock) stepCount() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.look(w.read())
	return w.steps
}
