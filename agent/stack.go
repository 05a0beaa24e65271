package agent

import "sync/atomic"

// stack hands entries from many goroutines to one. push never waits, locks or
// allocates; takeAll empties it.
type stack struct{ head atomic.Pointer[entry] }

// push adds e, which must not be in any stack, and reports whether the stack was
// empty before, so that the reader wants waking.
func (s *stack) push(e *entry) (first bool) {
	for {
		old := s.head.Load()
		e.next = old
		if s.head.CompareAndSwap(old, e) {
			return old == nil
		}
	}
}

// takeAll returns everything pushed so far, oldest first, linked by next.
func (s *stack) takeAll() *entry {
	var oldest *entry
	for e := s.head.Swap(nil); e != nil; {
		e.next, oldest, e = oldest, e, e.next
	}
	return oldest
}
