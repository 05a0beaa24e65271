package wire

import (
	"errors"
	"fmt"

	"github.com/stampede-bench/stampede/measure"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
)

// MaxChunks bounds the token chunks of one sample.
const MaxChunks = 1 << 20

var outcomes = [...]stampedev1.Outcome{
	measure.StatusNone: stampedev1.Outcome_OUTCOME_UNSPECIFIED,
	measure.Succeeded:  stampedev1.Outcome_OUTCOME_SUCCEEDED,
	measure.Failed:     stampedev1.Outcome_OUTCOME_FAILED,
	measure.TimedOut:   stampedev1.Outcome_OUTCOME_TIMED_OUT,
	measure.Cancelled:  stampedev1.Outcome_OUTCOME_CANCELLED,
	measure.Unsent:     stampedev1.Outcome_OUTCOME_UNSENT,
	measure.Lost:       stampedev1.Outcome_OUTCOME_LOST,
}

// boxes hold what the message has only pointers to, in one allocation.
type boxes struct {
	instants [8]int64
	counts   [5]int32
	nInstant int
	nCount   int
}

func (b *boxes) instant(at int64) *int64 {
	if at == measure.Absent {
		return nil
	}
	box := &b.instants[b.nInstant]
	b.nInstant++
	*box = at
	return box
}

// count boxes n unless it is below the least that says something.
func (b *boxes) count(n, least int32) *int32 {
	if n < least {
		return nil
	}
	box := &b.counts[b.nCount]
	b.nCount++
	*box = n
	return box
}

// SampleToProto returns the wire form of s, which keeps none of its slices.
func SampleToProto(s *measure.Sample) *stampedev1.Sample {
	b := &boxes{}
	return &stampedev1.Sample{
		Index: s.Index, Session: s.Session, Turn: s.Turn, Phase: s.Phase, Attempt: s.Attempt,
		Outcome:                outcomes[min(int(s.Status), len(outcomes)-1)],
		ScheduleOffsetNanos:    b.instant(s.ScheduleOffset),
		IntendedNanos:          b.instant(s.Intended),
		SentNanos:              b.instant(s.Sent),
		HeadersNanos:           b.instant(s.Headers),
		FirstTokenNanos:        b.instant(s.FirstToken),
		FirstOutputNanos:       b.instant(s.FirstOutput),
		LastTokenNanos:         b.instant(s.LastToken),
		EndNanos:               b.instant(s.End),
		ChunkGapNanos:          gaps(s.ChunkOffsets),
		ChunkTokenCounts:       append([]int32(nil), s.ChunkTokens...),
		TokenSource:            s.TokenSource,
		InputTokenCount:        b.count(s.InputTokens, 0),
		OutputTokenCount:       b.count(s.OutputTokens, 0),
		ReasoningTokenCount:    b.count(s.ReasoningTokens, 0),
		CachedTokenCount:       b.count(s.CachedTokens, 0),
		OutputTokensAskedCount: b.count(s.OutputTokensAsked, 1),
		InputTokensAskedCount:  s.InputTokensAsked,
		FinishReason:           s.FinishReason,
		KernelStamped:          s.KernelStamped,
		StampUncertaintyNanos:  s.StampUncertainty, ReadDelayMaxNanos: s.ReadDelayMax,
		CoalescedChunkCount: s.CoalescedChunks, ConnectionReused: s.Reused, ConnectNanos: s.ConnectNanos,
		HttpStatus: s.HTTPStatus, ErrorKind: s.ErrorKind, ErrorMessage: s.ErrorMessage,
		DetailShed: s.DetailShed, StaleConnection: s.Stale,
	}
}

// gaps writes offsets as differences, which are short as varints.
func gaps(offsets []int64) []int64 {
	if len(offsets) == 0 {
		return nil
	}
	g := make([]int64, len(offsets))
	last := int64(0)
	for i, at := range offsets {
		g[i] = at - last
		last = at
	}
	return g
}

// SampleFromProto fills s, using its slices again. A sample that no agent of ours
// sends is an error, and s is then not to be used.
func SampleFromProto(p *stampedev1.Sample, s *measure.Sample) error {
	if err := check(p); err != nil {
		return err
	}
	offsets, counts := s.ChunkOffsets[:0], append(s.ChunkTokens[:0], p.GetChunkTokenCounts()...)
	at := int64(0)
	for _, g := range p.GetChunkGapNanos() {
		at += g
		offsets = append(offsets, at)
	}
	*s = measure.Sample{
		Index: p.GetIndex(), Session: p.GetSession(), Turn: p.GetTurn(), Phase: p.GetPhase(), Attempt: p.GetAttempt(),
		Status:         statusOf(p.GetOutcome()),
		ScheduleOffset: or(p.ScheduleOffsetNanos), Intended: or(p.IntendedNanos), Sent: or(p.SentNanos),
		Headers: or(p.HeadersNanos), FirstToken: or(p.FirstTokenNanos), FirstOutput: or(p.FirstOutputNanos),
		LastToken: or(p.LastTokenNanos), End: or(p.EndNanos),
		ChunkOffsets: offsets, ChunkTokens: counts, TokenSource: p.GetTokenSource(),
		InputTokens: count(p.InputTokenCount), OutputTokens: count(p.OutputTokenCount),
		ReasoningTokens: count(p.ReasoningTokenCount), CachedTokens: count(p.CachedTokenCount),
		OutputTokensAsked: p.GetOutputTokensAskedCount(), InputTokensAsked: p.GetInputTokensAskedCount(),
		FinishReason: p.GetFinishReason(), KernelStamped: p.GetKernelStamped(),
		StampUncertainty: p.GetStampUncertaintyNanos(), ReadDelayMax: p.GetReadDelayMaxNanos(),
		CoalescedChunks: p.GetCoalescedChunkCount(), Reused: p.GetConnectionReused(), ConnectNanos: p.GetConnectNanos(),
		HTTPStatus: p.GetHttpStatus(), ErrorKind: p.GetErrorKind(), ErrorMessage: p.GetErrorMessage(),
		DetailShed: p.GetDetailShed(), Stale: p.GetStaleConnection(),
	}
	return nil
}

// Bounds of what an agent of ours sends.
const (
	maxInstant = 1 << 61 // ns: no sum of two can overflow
	maxWord    = 256     // bytes of an error's kind, a finish reason, a token source
	maxMessage = 64 << 10
)

func check(p *stampedev1.Sample) error {
	for _, err := range [...]error{checkChunks(p), checkInstants(p), checkCounts(p), checkTexts(p)} {
		if err != nil {
			return fmt.Errorf("sample of entry %d: %w", p.GetIndex(), err)
		}
	}
	return nil
}

func checkChunks(p *stampedev1.Sample) error {
	n, m := len(p.GetChunkGapNanos()), len(p.GetChunkTokenCounts())
	switch {
	case n > MaxChunks || m != 0 && m != n:
		return fmt.Errorf("%d chunk gaps and %d token counts, want equally many, at most %d", n, m, MaxChunks)
	case n > 0 && p.SentNanos == nil:
		return errors.New("it has token chunks and was never sent")
	}
	sum := int64(0)
	for _, g := range p.GetChunkGapNanos() {
		if g < 0 || g > maxInstant-sum {
			return fmt.Errorf("a chunk gap of %d ns, want 0 or more and all together at most %d", g, int64(maxInstant))
		}
		sum += g
	}
	for _, n := range p.GetChunkTokenCounts() {
		if n < 0 {
			return fmt.Errorf("%d tokens in a chunk, want 0 or more", n)
		}
	}
	return nil
}

func checkInstants(p *stampedev1.Sample) error {
	for _, at := range [...]*int64{p.ScheduleOffsetNanos, p.IntendedNanos, p.SentNanos, p.HeadersNanos, p.FirstTokenNanos, p.FirstOutputNanos, p.LastTokenNanos, p.EndNanos} {
		if at != nil && (*at < -maxInstant || *at > maxInstant) {
			return fmt.Errorf("an instant of %d ns, want at most ±%d", *at, int64(maxInstant))
		}
	}
	for _, d := range [...]int64{p.GetStampUncertaintyNanos(), p.GetReadDelayMaxNanos(), p.GetConnectNanos()} {
		if d < 0 || d > maxInstant {
			return fmt.Errorf("a duration of %d ns, want 0 to %d", d, int64(maxInstant))
		}
	}
	return nil
}

func checkCounts(p *stampedev1.Sample) error {
	for _, n := range [...]int64{p.GetIndex(), p.GetSession(), int64(p.GetTurn()), int64(p.GetPhase()), int64(p.GetAttempt()), int64(p.GetCoalescedChunkCount()), int64(p.GetHttpStatus())} {
		if n < 0 {
			return fmt.Errorf("index, session, turn, phase, attempt, http_status or coalesced_chunk_count is %d, want 0 or more", n)
		}
	}
	for _, n := range [...]int32{p.GetInputTokenCount(), p.GetOutputTokenCount(), p.GetReasoningTokenCount(), p.GetCachedTokenCount(), p.GetOutputTokensAskedCount(), p.GetInputTokensAskedCount()} {
		if n < 0 {
			return fmt.Errorf("a token count of %d, want 0 or more", n)
		}
	}
	return nil
}

func checkTexts(p *stampedev1.Sample) error {
	for _, s := range [...]string{p.GetTokenSource(), p.GetFinishReason(), p.GetErrorKind()} {
		if len(s) > maxWord {
			return fmt.Errorf("a word of %d bytes, want at most %d", len(s), maxWord)
		}
	}
	if n := len(p.GetErrorMessage()); n > maxMessage {
		return fmt.Errorf("an error message of %d bytes, want at most %d", n, maxMessage)
	}
	return nil
}

func statusOf(o stampedev1.Outcome) measure.Status {
	for status, outcome := range outcomes {
		if outcome == o {
			return measure.Status(status)
		}
	}
	return measure.StatusNone
}

func or(at *int64) int64 {
	if at == nil {
		return measure.Absent
	}
	return *at
}

func count(n *int32) int32 {
	if n == nil {
		return -1
	}
	return *n
}
