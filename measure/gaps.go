package measure

import "iter"

// ICL yields the gaps between successive token chunks, in nanoseconds. They add
// up to last_token - first_token.
func (s *Sample) ICL() iter.Seq[int64] {
	return func(yield func(gap int64) bool) {
		for i := 1; i < len(s.ChunkOffsets); i++ {
			if !yield(s.ChunkOffsets[i] - s.ChunkOffsets[i-1]) {
				return
			}
		}
	}
}

// ITL yields the gaps between successive tokens, in nanoseconds, and how many are
// of that length: a chunk of m tokens that comes g after the one before gives m
// gaps of g/m. Those of one chunk differ by at most 1 ns, so that all of them add
// up to last_token - first_token. A chunk without a token of its own leaves its
// gap to the next.
func (s *Sample) ITL() iter.Seq2[int64, int64] {
	return func(yield func(gap, times int64) bool) {
		from := int64(0)
		for i := range s.ChunkOffsets {
			m := int64(s.chunkTokens(i))
			if i == 0 {
				from = s.ChunkOffsets[0]
				continue
			}
			if m == 0 {
				continue
			}
			g := s.ChunkOffsets[i] - from
			from = s.ChunkOffsets[i]
			longer := g % m
			if m > longer && !yield(g/m, m-longer) {
				return
			}
			if longer > 0 && !yield(g/m+1, longer) {
				return
			}
		}
	}
}
