package agent

// freeSlot is a slot without a request, and when it is due for one.
type freeSlot struct {
	due  int64
	slot int32
}

func (a freeSlot) before(b freeSlot) bool {
	return a.due < b.due || a.due == b.due && a.slot < b.slot
}

// slotHeap orders free slots by when they are due, then by number.
type slotHeap = minHeap[freeSlot]

// laterTurn is a turn that waits for its moment.
type laterTurn struct{ entry *entry }

func (a laterTurn) before(b laterTurn) bool {
	return a.entry.due < b.entry.due || a.entry.due == b.entry.due && a.entry.index < b.entry.index
}

var _ interface{ before(laterTurn) bool } = laterTurn{}

// turnHeap orders later turns by when they are due, then by index.
type turnHeap = minHeap[laterTurn]

// minHeap is container/heap without the boxing, which would allocate where
// requests are sent.
type minHeap[T interface{ before(T) bool }] []T

func (h *minHeap[T]) push(x T) {
	*h = append(*h, x)
	s := *h
	for i := len(s) - 1; i > 0; {
		parent := (i - 1) / 2
		if !s[i].before(s[parent]) {
			break
		}
		s[i], s[parent] = s[parent], s[i]
		i = parent
	}
}

func (h *minHeap[T]) pop() T {
	s := *h
	least, last := s[0], len(s)-1
	s[0] = s[last]
	var zero T
	s[last] = zero
	s = s[:last]
	*h = s
	for i := 0; ; {
		child := 2*i + 1
		if child+1 < last && s[child+1].before(s[child]) {
			child++
		}
		if child >= last || !s[child].before(s[i]) {
			break
		}
		s[i], s[child] = s[child], s[i]
		i = child
	}
	return least
}
