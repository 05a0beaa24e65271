package agent

import "sync"

// live holds the entries that were built and have no outcome yet, so that those
// in flight can be cancelled. Builder and reporter touch it, dispatch never does.
type live struct {
	mu      sync.Mutex
	entries map[*entry]struct{}
}

func newLive() live { return live{entries: map[*entry]struct{}{}} }

func (l *live) add(e *entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entries[e] = struct{}{}
}

func (l *live) remove(e *entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.entries, e)
}

// cancel gives up everything that was started. It holds the lock meanwhile, so
// no call is given up after its exchange was released.
func (l *live) cancel(doer Doer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for e := range l.entries {
		if e.started.Load() && e.call != nil {
			doer.Cancel(e.call)
		}
	}
}
