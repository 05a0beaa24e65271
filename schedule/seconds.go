package schedule

import (
	"math/bits"
	"sort"
)

// seconds places the entries that a load function asks for: all at the start of
// their second, or spread evenly over it.
type seconds struct {
	issued []second
	spread bool
}

func (s seconds) offset(k int64) int64 {
	return s.place(sort.Search(len(s.issued), func(i int) bool { return s.issued[i].end > k }), k)
}

func (s seconds) cursor(k int64) func(int64) int64 {
	i := sort.Search(len(s.issued), func(i int) bool { return s.issued[i].end > k })
	return func(k int64) int64 {
		for s.issued[i].end <= k {
			i++
		}
		return s.place(i, k)
	}
}

// place is the offset of entry k, which belongs to the i-th second that issues.
func (s seconds) place(i int, k int64) int64 {
	at := s.issued[i].t * nanosPerSecond
	if !s.spread {
		return at
	}
	begin := int64(0)
	if i > 0 {
		begin = s.issued[i-1].end
	}
	hi, lo := bits.Mul64(uint64(k-begin), nanosPerSecond)
	q, _ := bits.Div64(hi, lo, uint64(s.issued[i].end-begin)) // k-begin is below the divisor
	return at + int64(q)
}
