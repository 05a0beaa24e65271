package measure

import (
	"cmp"
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
// reuses the slices of s and keeps none of x.
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
	for i := range x.Chunks {
		c := &x.Chunks[i]
		s.ChunkOffsets = append(s.ChunkOffsets, c.At-x.Sent)
		if s.FirstOutput == Absent && c.Kind != Reasoning {
			s.FirstOutput = c.At - anchorMono
		}
	}
	s.FirstToken = x.Chunks[0].At - anchorMono
	s.LastToken = x.Chunks[len(x.Chunks)-1].At - anchorMono
}

// deriveTokens finds how many tokens each chunk held, by the best evidence.
func deriveTokens(x *Exchange, s *Sample) {
	s.ChunkTokens = s.ChunkTokens[:0]
	s.OutputTokens, s.TokenSource = x.Usage.Output, ""
	n := len(x.Chunks)
	if n == 0 {
		return
	}
	switch {
	case byUsageDelta(x, s):
		s.TokenSource = SourceUsageDelta
	case byLogprobs(x, s):
		s.TokenSource = SourceLogprobs
	case byUsageTotal(x, s):
		s.TokenSource = SourceUsage
	default:
		s.TokenSource, s.ChunkTokens = SourceChunks, s.ChunkTokens[:0]
	}
	if s.OutputTokens < 0 {
		s.OutputTokens = int32(streamed(s))
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

func byUsageDelta(x *Exchange, s *Sample) bool {
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
	return true
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
	text := int64(0)
	for i := range chunks {
		text += weight(&chunks[i])
	}
	type share struct {
		rest  int64
		index int
	}
	left := excess
	shares := make([]share, len(chunks))
	for i := range chunks {
		part := excess * weight(&chunks[i])
		counts[i] += int32(min(part/text, math.MaxInt32/2))
		left -= part / text
		shares[i] = share{part % text, i}
	}
	slices.SortFunc(shares, func(a, b share) int {
		return cmp.Or(cmp.Compare(b.rest, a.rest), cmp.Compare(a.index, b.index))
	})
	for i := int64(0); i < left; i++ {
		counts[shares[i].index]++
	}
}

func weight(c *Chunk) int64 { return max(int64(c.TextBytes), 1) }
