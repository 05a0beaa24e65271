package simulate

// dueHeap is a 4-ary min-heap of streams by the monotonic instant at which they
// are due. Its zero value is empty.
type dueHeap []dueEntry

type dueEntry struct {
	due int64
	st  *stream
}

// peek returns the stream that is due first, and when; never when there is none.
func (h dueHeap) peek() (*stream, int64) {
	if len(h) == 0 {
		return nil, never
	}
	return h[0].st, h[0].due
}

func (h *dueHeap) push(st *stream, due int64) {
	*h = append(*h, dueEntry{due, st})
	x, i := *h, len(*h)-1
	e := x[i]
	for i > 0 {
		up := (i - 1) / 4
		if x[up].due <= e.due {
			break
		}
		x[i] = x[up]
		i = up
	}
	x[i] = e
}

func (h *dueHeap) pop() {
	x := *h
	last := len(x) - 1
	x[0], x[last] = x[last], dueEntry{}
	*h = x[:last]
	h.down()
}

// replaceTop gives the stream at the top another deadline.
func (h *dueHeap) replaceTop(due int64) {
	(*h)[0].due = due
	h.down()
}

func (h *dueHeap) down() {
	x := *h
	if len(x) == 0 {
		return
	}
	e, i := x[0], 0
	for {
		least := 4*i + 1
		if least >= len(x) {
			break
		}
		for c := least + 1; c < min(4*i+5, len(x)); c++ {
			if x[c].due < x[least].due {
				least = c
			}
		}
		if e.due <= x[least].due {
			break
		}
		x[i] = x[least]
		i = least
	}
	x[i] = e
}
