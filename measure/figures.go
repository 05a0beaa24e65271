package measure

import "math"

// Figure is the id of a figure that has a distribution: one value a request, or,
// for itl, icl and stamp_uncertainty, one a token or chunk.
type Figure string

// The figures of docs/metrics.md, in reading order.
const (
	TTFT             Figure = "ttft"
	TTFO             Figure = "ttfo"
	TTST             Figure = "ttst"
	TPOT             Figure = "tpot"
	ITL              Figure = "itl"
	ICL              Figure = "icl"
	NTPOT            Figure = "ntpot"
	E2E              Figure = "e2e"
	TTFTFromSchedule Figure = "ttft_from_schedule"
	E2EFromSchedule  Figure = "e2e_from_schedule"
	Lateness         Figure = "lateness"
	Connect          Figure = "connect"
	StampUncertainty Figure = "stamp_uncertainty"
	ReadDelay        Figure = "read_delay"
	TokensPerSecond  Figure = "tokens_per_second_per_user"
	InputTokens      Figure = "input_tokens"
	OutputTokens     Figure = "output_tokens"
	OutputAsked      Figure = "output_tokens_asked"
	ReasoningTokens  Figure = "reasoning_tokens"
	CachedTokens     Figure = "cached_tokens"
	CacheHitRate     Figure = "cache_hit_rate"
)

// figures lists all of them with the scale of their values; the order numbers
// them.
var figures = []struct {
	id    Figure
	scale *scale
}{
	{TTFT, &nanoseconds}, {TTFO, &nanoseconds}, {TTST, &nanoseconds}, {TPOT, &nanoseconds},
	{ITL, &nanoseconds}, {ICL, &nanoseconds}, {NTPOT, &nanoseconds}, {E2E, &nanoseconds},
	{TTFTFromSchedule, &nanoseconds}, {E2EFromSchedule, &nanoseconds},
	{Lateness, &nanoseconds}, {Connect, &nanoseconds}, {StampUncertainty, &nanoseconds}, {ReadDelay, &nanoseconds},
	{TokensPerSecond, &milliPerSecond},
	{InputTokens, &tokens}, {OutputTokens, &tokens}, {OutputAsked, &tokens},
	{ReasoningTokens, &tokens}, {CachedTokens, &tokens}, {CacheHitRate, &partsPerMillion},
}

// Figures returns the ids of all figures in reading order.
func Figures() []Figure {
	ids := make([]Figure, len(figures))
	for i := range figures {
		ids[i] = figures[i].id
	}
	return ids
}

// The numbers of figures in a phase's histograms.
const (
	iTTFT = iota
	iTTFO
	iTTST
	iTPOT
	iITL
	iICL
	iNTPOT
	iE2E
	iTTFTFromSchedule
	iE2EFromSchedule
	iLateness
	iConnect
	iStampUncertainty
	iReadDelay
	iTokensPerSecond
	iInputTokens
	iOutputTokens
	iOutputAsked
	iReasoningTokens
	iCachedTokens
	iCacheHitRate
	figureCount
)

func (f Figure) number() int {
	for i := range figures {
		if figures[i].id == f {
			return i
		}
	}
	return -1
}

// between returns to - from, when both happened.
func between(from, to int64) (int64, bool) {
	if from == Absent || to == Absent {
		return 0, false
	}
	return to - from, true
}

// TTFT is first_token - sent in nanoseconds.
func (s *Sample) TTFT() (int64, bool) { return between(s.Sent, s.FirstToken) }

// TTFO is first_output - sent in nanoseconds.
func (s *Sample) TTFO() (int64, bool) { return between(s.Sent, s.FirstOutput) }

// TTST is second token chunk - first_token in nanoseconds.
func (s *Sample) TTST() (int64, bool) {
	if len(s.ChunkOffsets) < 2 {
		return 0, false
	}
	return s.ChunkOffsets[1] - s.ChunkOffsets[0], true
}

// E2E is last_token - sent in nanoseconds.
func (s *Sample) E2E() (int64, bool) { return between(s.Sent, s.LastToken) }

// Lateness is sent - intended in nanoseconds, never below 0. Of a request that was
// sent again it is the first attempt's: that the server closes connections is not
// the generator's doing.
func (s *Sample) Lateness() (int64, bool) {
	v, ok := between(s.Intended, s.Sent)
	return max(v-s.ResendNanos, 0), ok
}

// TPOT is (last_token - first_token) / (output_tokens - tokens of the first
// chunk) in nanoseconds, of requests with two token chunks or more. Tokens that
// were counted but never streamed are in neither.
func (s *Sample) TPOT() (int64, bool) {
	d, ok := between(s.FirstToken, s.LastToken)
	if !ok || len(s.ChunkOffsets) < 2 {
		return 0, false
	}
	after := s.streamedOutput() - int64(s.chunkTokens(0))
	if after < 1 {
		return 0, false
	}
	return d / after, true
}

// NTPOT is (last_token - sent) / output_tokens in nanoseconds.
func (s *Sample) NTPOT() (int64, bool) {
	d, ok := s.E2E()
	if !ok || s.OutputTokens < 1 {
		return 0, false
	}
	return d / int64(s.OutputTokens), true
}

// TokensPerSecond is (output_tokens - 1) / (last_token - first_token) in
// thousandths of a token per second.
func (s *Sample) TokensPerSecond() (int64, bool) {
	d, ok := between(s.FirstToken, s.LastToken)
	if !ok || d <= 0 || s.OutputTokens < 2 {
		return 0, false
	}
	return int64(min(math.Round(float64(s.OutputTokens-1)*1e12/float64(d)), 1<<62)), true
}

// chunkTokens is how many tokens chunk i held.
func (s *Sample) chunkTokens(i int) int32 {
	if len(s.ChunkTokens) == 0 {
		return 1
	}
	return s.ChunkTokens[i]
}

// streamedOutput is output_tokens less what was never streamed. With usage that
// knows fewer tokens than there were chunks, it is usage's number.
func (s *Sample) streamedOutput() int64 {
	n := streamed(s)
	if s.TokenSource == SourceChunks && s.OutputTokens > 0 {
		return min(n, int64(s.OutputTokens))
	}
	return n
}

// SLO holds the objectives of one request in nanoseconds; 0 is none.
type SLO struct{ TTFT, TPOT, E2E int64 }

// Any reports whether there is an objective.
func (o SLO) Any() bool { return o.TTFT > 0 || o.TPOT > 0 || o.E2E > 0 }

// Met reports for each objective, and for all together, whether a request met
// it. One that did not succeed meets none; an objective whose figure the reply
// does not have is not met, except that an answer of one token is not judged by
// tpot.
func (o SLO) Met(s *Sample, streaming bool) (ttft, tpot, e2e, all bool) {
	ok := s.Status == Succeeded
	meets := func(limit int64, figure func() (int64, bool)) bool {
		if limit <= 0 {
			return ok
		}
		v, has := figure()
		return ok && has && v <= limit
	}
	ttft = meets(o.TTFT, s.TTFT) && (streaming || o.TTFT <= 0)
	tpot = meets(o.TPOT, s.TPOT) && (streaming || o.TPOT <= 0)
	if ok && s.OutputTokens == 1 {
		tpot = true
	}
	e2e = meets(o.E2E, s.E2E)
	return ttft, tpot, e2e, ttft && tpot && e2e
}
