package measure

import (
	"math"
	"slices"
)

// Sources of token counts, best first.
const (
	SourceUsageDelta = "usage_delta" // usage repeated on every chunk
	SourceLogprobs   = "logprobs"    // logprobs or token ids of each chunk
	SourceUsage      = "usage"       // usage's total spread over the chunks
	SourceTokenizer  = "tokenizer"
	SourceChunks     = "chunks" // one a chunk
)

// Derive fills s with what x tells: instants relative to the run's anchor
// (anchorMono on the process's monotonic clock), chunks, tokens and errors. What
// identifies the entry and what was asked for stay as the caller set them. It
// reuses the slices of s and keeps none of x; with room in them it allocates
// nothing.
//
// Bytes of one connection arrive in order, and a reply after its request. A stamp
// that says otherwise, which the mapping of the wall clock may do by a little, is
// moved up to the instant before it, so no gap is negative.
func Derive(x *Exchange, anchorMono int64, s *Sample) {
	rel := func(at int64) int64 {
		if at == Absent {
			return Absent
		}
		return at - anchorMono
	}
	s.Attempt, s.Status = x.Attempt, x.Status
	s.Sent, s.Headers, s.End = rel(x.Sent), rel(x.Headers), rel(x.End)
	s.FinishReason = x.FinishReason
	s.KernelStamped = x.KernelStamped
	s.StampUncertainty, s.ReadDelayMax = x.StampUncertaintyNano, x.ReadDelayMaxNano
	s.CoalescedChunks, s.Reused, s.Stale = x.CoalescedChunks, x.Reused, x.Stale
	s.ConnectNanos, s.HTTPStatus = x.ConnectNanos, x.HTTPStatus
	s.ErrorKind, s.ErrorMessage = x.ErrorKind, x.ErrorMessage
	s.InputTokens, s.CachedTokens, s.ReasoningTokens = x.Usage.Input, x.Usage.Cached, x.Usage.Reasoning
	s.ResendNanos = 0
	if x.FirstSent != Absent {
		s.ResendNanos = max(0, x.Sent-x.FirstSent)
	}
	s.DetailShed = false
	deriveChunks(x, anchorMono, s)
	deriveTokens(x, s)
}

func deriveChunks(x *Exchange, anchorMono int64, s *Sample) {
	s.FirstToken, s.FirstOutput, s.LastToken = Absent, Absent, Absent
	s.ChunkOffsets = s.ChunkOffsets[:0]
	if len(x.Chunks) == 0 || x.Sent == Absent {
		return
	}
	at := x.Sent
	for i := range x.Chunks {
		c := &x.Chunks[i]
		at = max(at, c.At)
		s.ChunkOffsets = append(s.ChunkOffsets, at-x.Sent)
		if s.FirstOutput == Absent && c.Kind != Reasoning {
			s.FirstOutput = at - anchorMono
		}
	}
	s.FirstToken = s.Sent + s.ChunkOffsets[0]
	s.LastToken = at - anchorMono
	if s.End != Absent {
		s.End = max(s.End, s.LastToken)
	}
}

// deriveTokens finds how many tokens each chunk held, by the best evidence.
// Output tokens are usage's number where there is one.
func deriveTokens(x *Exchange, s *Sample) {
	s.ChunkTokens = s.ChunkTokens[:0]
	s.OutputTokens, s.TokenSource = x.Usage.Output, ""
	if len(x.Chunks) == 0 {
		return
	}
	if x.Chunks[0].Kind == Result {
		s.OutputTokens, s.ChunkTokens = -1, append(s.ChunkTokens, 0)
		return
	}
	switch {
	case byUsageDelta(x, s):
		s.TokenSource = SourceUsageDelta
	case byLogprobs(x, s):
		s.TokenSource = SourceLogprobs
	case byUsageTotal(x, s):
		s.TokenSource = SourceUsage
		if x.Counted {
			s.TokenSource = SourceTokenizer
		}
	default:
		s.TokenSource, s.ChunkTokens = SourceChunks, s.ChunkTokens[:0]
	}
	if s.OutputTokens <= 0 { // not told, or nonsense: there were tokens
		s.OutputTokens = int32(min(streamed(s), math.MaxInt32))
	}
	if !slices.ContainsFunc(s.ChunkTokens, func(m int32) bool { return m != 1 }) {
		s.ChunkTokens = s.ChunkTokens[:0] // one each needs no list
	}
}

// streamed is how many tokens the chunks held.
func streamed(s *Sample) int64 {
	if len(s.ChunkTokens) == 0 {
		return int64(len(s.ChunkOffsets))
	}
	sum := int64(0)
	for _, m := range s.ChunkTokens {
		sum += int64(m)
	}
	return sum
}

// byUsageDelta takes what usage grew by from chunk to chunk. It needs usage on
// every one of several chunks: on a single one it is no more than the total.
func byUsageDelta(x *Exchange, s *Sample) bool {
	if len(x.Chunks) < 2 {
		return false
	}
	last := int32(0)
	for i := range x.Chunks {
		total := x.Chunks[i].UsageTotal
		if total <= last { // none at all, or a chunk that added nothing
			s.ChunkTokens = s.ChunkTokens[:0]
			return false
		}
		s.ChunkTokens = append(s.ChunkTokens, total-last)
		last = total
	}
	// By the first chunk, usage had grown by what was thought in silence, too.
	if unseen := hidden(x); unseen > 0 && unseen < s.ChunkTokens[0] {
		s.ChunkTokens[0] -= unseen
	}
	takeTail(x, s)
	return true
}

func byLogprobs(x *Exchange, s *Sample) bool {
	for i := range x.Chunks {
		if x.Chunks[i].Tokens <= 0 {
			s.ChunkTokens = s.ChunkTokens[:0]
			return false
		}
		s.ChunkTokens = append(s.ChunkTokens, x.Chunks[i].Tokens)
	}
	takeTail(x, s)
	return true
}

// takeTail gives the last chunk the few tokens that usage's total has beyond the
// chunks' own counts: an end-of-sequence token has no text and so no chunk. A
// larger difference is a contradiction and stays visible in the row.
func takeTail(x *Exchange, s *Sample) {
	tail := int64(x.Usage.Output-hidden(x)) - streamed(s)
	if tail > 0 && tail <= max(2, int64(x.Usage.Output)/20) {
		s.ChunkTokens[len(s.ChunkTokens)-1] += int32(tail)
	}
}

// byUsageTotal gives each chunk one token and spreads the rest over them by the
// length of their text.
func byUsageTotal(x *Exchange, s *Sample) bool {
	excess := int64(x.Usage.Output-hidden(x)) - int64(len(x.Chunks))
	if x.Usage.Output < 0 || excess < 0 {
		return false
	}
	for range x.Chunks {
		s.ChunkTokens = append(s.ChunkTokens, 1)
	}
	if excess > 0 {
		spread(x.Chunks, s.ChunkTokens, excess)
	}
	return true
}

// hidden is how many reasoning tokens were counted but never streamed.
func hidden(x *Exchange) int32 {
	if x.Usage.Reasoning <= 0 || slices.ContainsFunc(x.Chunks, func(c Chunk) bool { return c.Kind == Reasoning }) {
		return 0
	}
	return min(x.Usage.Reasoning, max(x.Usage.Output, 0))
}

// spread adds excess tokens to counts in proportion to the chunks' text, by the
// largest remainder; ties go to the earlier chunk.
func spread(chunks []Chunk, counts []int32, excess int64) {
	text, left := int64(0), excess
	for i := range chunks {
		text += weight(&chunks[i])
	}
	for i := range chunks {
		part := excess * weight(&chunks[i]) / text
		counts[i] += int32(min(part, math.MaxInt32/2))
		left -= part
	}
	if left == 0 {
		return
	}
	rest := func(i int) int64 { return excess * weight(&chunks[i]) % text }
	least, ties := leastRest(len(chunks), rest, text, left)
	for i := range chunks {
		switch r := rest(i); {
		case r > least:
			counts[i]++
		case r == least && ties > 0:
			counts[i]++
			ties--
		}
	}
}

// leastRest is the smallest of the n largest remainders below limit, and how many
// of those equal to it are among them. A search over values needs no memory.
func leastRest(chunks int, rest func(i int) int64, limit, n int64) (least, ties int64) {
	atLeast := func(v int64) (count int64) {
		for i := range chunks {
			if rest(i) >= v {
				count++
			}
		}
		return count
	}
	low, high := int64(0), limit // atLeast(low) >= n > atLeast(high)
	for high-low > 1 {
		if mid := low + (high-low)/2; atLeast(mid) >= n {
			low = mid
		} else {
			high = mid
		}
	}
	return low, n - atLeast(high)
}

func weight(c *Chunk) int64 { return max(int64(c.TextBytes), 1) }
