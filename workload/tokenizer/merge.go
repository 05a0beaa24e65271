package tokenizer

import "math/bits"

// pairTable maps two neighbours to the rank of their merge and what it makes: a
// hash table with open addressing, because half of the time goes here.
type pairTable struct {
	slots []pairSlot
	shift uint
}

type pairSlot struct {
	key  uint64 // left and right, each plus one; 0 is empty
	rank uint32
	id   int32
}

func newPairTable(n int) pairTable {
	size := 1 << bits.Len(uint(n+n/2+8))
	return pairTable{slots: make([]pairSlot, size), shift: uint(64 - bits.Len(uint(size-1)))}
}

func pairKey(left, right int32) uint64 { return uint64(left+1)<<32 | uint64(right+1) }

func (t *pairTable) slot(key uint64) *pairSlot {
	for i := key * 0x9E3779B97F4A7C15 >> t.shift; ; i = (i + 1) & uint64(len(t.slots)-1) {
		if s := &t.slots[i]; s.key == key || s.key == 0 {
			return s
		}
	}
}

// set keeps the last rank of a pair that stands twice.
func (t *pairTable) set(left, right int32, rank uint32, id int32) {
	key := pairKey(left, right)
	*t.slot(key) = pairSlot{key, rank, id}
}

func (t *pairTable) get(left, right int32) (*pairSlot, bool) {
	s := t.slot(pairKey(left, right))
	return s, s.key != 0
}

// noMerge is beyond every rank.
const noMerge = 1<<64 - 1

// shortPiece is the most symbols for which looking at all ranks is faster than a
// heap.
const shortPiece = 48

// merge merges s.symbols and returns what is left of them, in their place.
func (m *bpe) merge(s *scratch) []int32 {
	switch n := len(s.symbols); {
	case n < 2:
		return s.symbols
	case n <= shortPiece:
		return m.mergeShort(s)
	}
	return m.mergeLong(s)
}

// rank is a merge's rank with the id it makes, so that the lesser is first.
func (m *bpe) rank(left, right int32) uint64 {
	if slot, ok := m.pairs.get(left, right); ok {
		return uint64(slot.rank)<<32 | uint64(uint32(slot.id))
	}
	return noMerge
}

func (m *bpe) mergeShort(s *scratch) []int32 {
	symbols, ranks := s.symbols, s.ranks[:0]
	for i := range len(symbols) - 1 {
		ranks = append(ranks, m.rank(symbols[i], symbols[i+1]))
	}
	for {
		best, at := uint64(noMerge), 0
		for i, r := range ranks {
			if r>>32 < best>>32 {
				best, at = r, i
			}
		}
		if best == noMerge {
			break
		}
		symbols[at] = int32(uint32(best))
		copy(symbols[at+1:], symbols[at+2:])
		symbols = symbols[:len(symbols)-1]
		copy(ranks[at:], ranks[at+1:])
		ranks = ranks[:len(ranks)-1]
		if at > 0 {
			ranks[at-1] = m.rank(symbols[at-1], symbols[at])
		}
		if at < len(ranks) {
			ranks[at] = m.rank(symbols[at], symbols[at+1])
		}
	}
	s.ranks = ranks
	return symbols
}

// link is a symbol of a long piece in a list; id is -1 once it was merged away.
type link struct {
	id         int32
	prev, next int32 // -1: none
}

// candidate is a merge that may have become stale.
type candidate struct {
	rank uint64
	at   int32
}

func (m *bpe) mergeLong(s *scratch) []int32 {
	links, heap := s.links[:0], s.heap[:0]
	for i, id := range s.symbols {
		links = append(links, link{id, int32(i - 1), int32(i + 1)})
	}
	links[len(links)-1].next = -1
	for i := range len(links) - 1 {
		if r := m.rank(links[i].id, links[i+1].id); r != noMerge {
			heap.push(candidate{r, int32(i)})
		}
	}
	for len(heap) > 0 {
		c := heap.pop()
		left := &links[c.at]
		if left.id < 0 || left.next < 0 || m.rank(left.id, links[left.next].id) != c.rank {
			continue
		}
		right := &links[left.next]
		left.id, left.next = int32(uint32(c.rank)), right.next
		right.id = -1
		if left.next >= 0 {
			links[left.next].prev = c.at
			if r := m.rank(left.id, links[left.next].id); r != noMerge {
				heap.push(candidate{r, c.at})
			}
		}
		if left.prev >= 0 {
			if r := m.rank(links[left.prev].id, left.id); r != noMerge {
				heap.push(candidate{r, left.prev})
			}
		}
	}
	s.links, s.heap = links, heap
	out := s.symbols[:0]
	for i := range links {
		if links[i].id >= 0 {
			out = append(out, links[i].id)
		}
	}
	return out
}

// mergeHeap has the lowest rank on top, of equal ones the leftmost.
type mergeHeap []candidate

func (h mergeHeap) less(i, j int) bool {
	if a, b := h[i].rank>>32, h[j].rank>>32; a != b {
		return a < b
	}
	return h[i].at < h[j].at
}

func (h *mergeHeap) push(c candidate) {
	*h = append(*h, c)
	s := *h
	for i := len(s) - 1; i > 0; {
		parent := (i - 1) / 2
		if !s.less(i, parent) {
			return
		}
		s[i], s[parent] = s[parent], s[i]
		i = parent
	}
}

func (h *mergeHeap) pop() candidate {
	s := *h
	top, n := s[0], len(s)-1
	s[0] = s[n]
	s = s[:n]
	for i := 0; ; {
		child := 2*i + 1
		if child >= n {
			break
		}
		if child+1 < n && s.less(child+1, child) {
			child++
		}
		if !s.less(child, i) {
			break
		}
		s[i], s[child] = s[child], s[i]
		i = child
	}
	*h = s
	return top
}
