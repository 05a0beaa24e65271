package wire

import (
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
	measure.Lost:       stampedev1.Outcome_OUTCOME_UNSPECIFIED, // an agent never says so
}

// SampleToProto returns the wire form of s, which keeps none of its slices.
func SampleToProto(s *measure.Sample) *stampedev1.Sample {
	p := &stampedev1.Sample{
		Index: s.Index, Session: s.Session, Turn: s.Turn, Phase: s.Phase, Attempt: s.Attempt,
		Outcome:               outcomes[min(int(s.Status), len(outcomes)-1)],
		ScheduleOffsetNanos:   instant(s.ScheduleOffset),
		IntendedNanos:         instant(s.Intended),
		SentNanos:             instant(s.Sent),
		HeadersNanos:          instant(s.Headers),
		FirstTokenNanos:       instant(s.FirstToken),
		FirstOutputNanos:      instant(s.FirstOutput),
		LastTokenNanos:        instant(s.LastToken),
		EndNanos:              instant(s.End),
		TokenSource:           s.TokenSource,
		InputTokenCount:       known(s.InputTokens),
		OutputTokenCount:      known(s.OutputTokens),
		ReasoningTokenCount:   known(s.ReasoningTokens),
		CachedTokenCount:      known(s.CachedTokens),
		FinishReason:          s.FinishReason,
		KernelStamped:         s.KernelStamped,
		StampUncertaintyNanos: s.StampUncertainty, ReadDelayMaxNanos: s.ReadDelayMax,
		CoalescedChunkCount: s.CoalescedChunks, ConnectionReused: s.Reused, ConnectNanos: s.ConnectNanos,
		HttpStatus: s.HTTPStatus, ErrorKind: s.ErrorKind, ErrorMessage: s.ErrorMessage,
		DetailShed: s.DetailShed, StaleConnection: s.Stale,
		InputTokensAskedCount: s.InputTokensAsked,
	}
	if s.OutputTokensAsked > 0 {
		asked := s.OutputTokensAsked
		p.OutputTokensAskedCount = &asked
	}
	p.ChunkGapNanos = gaps(s.ChunkOffsets)
	p.ChunkTokenCounts = append([]int32(nil), s.ChunkTokens...)
	return p
}

func instant(at int64) *int64 {
	if at == measure.Absent {
		return nil
	}
	return &at
}

func known(n int32) *int32 {
	if n < 0 {
		return nil
	}
	return &n
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

// maxInstant bounds instants so that no sum of two can overflow.
const maxInstant = 1 << 61

func check(p *stampedev1.Sample) error {
	if n, m := len(p.GetChunkGapNanos()), len(p.GetChunkTokenCounts()); n > MaxChunks || m != 0 && m != n {
		return fmt.Errorf("sample %d: %d chunk gaps and %d token counts, want equally many, at most %d", p.GetIndex(), n, m, MaxChunks)
	}
	sum := int64(0)
	for _, g := range p.GetChunkGapNanos() {
		if g < -maxInstant || g > maxInstant {
			return fmt.Errorf("sample %d: chunk gap of %d ns is out of range", p.GetIndex(), g)
		}
		if sum += g; sum < -maxInstant || sum > maxInstant {
			return fmt.Errorf("sample %d: chunk offset of %d ns is out of range", p.GetIndex(), sum)
		}
	}
	for _, n := range p.GetChunkTokenCounts() {
		if n < 0 {
			return fmt.Errorf("sample %d: %d tokens in a chunk", p.GetIndex(), n)
		}
	}
	for _, at := range []*int64{p.ScheduleOffsetNanos, p.IntendedNanos, p.SentNanos, p.HeadersNanos, p.FirstTokenNanos, p.FirstOutputNanos, p.LastTokenNanos, p.EndNanos} {
		if at != nil && (*at < -maxInstant || *at > maxInstant) {
			return fmt.Errorf("sample %d: instant of %d ns is out of range", p.GetIndex(), *at)
		}
	}
	for _, n := range []*int32{p.InputTokenCount, p.OutputTokenCount, p.OutputTokensAskedCount, p.ReasoningTokenCount, p.CachedTokenCount} {
		if n != nil && *n < 0 {
			return fmt.Errorf("sample %d: a token count of %d", p.GetIndex(), *n)
		}
	}
	if p.GetIndex() < 0 || p.GetSession() < 0 || p.GetTurn() < 0 || p.GetPhase() < 0 || p.GetCoalescedChunkCount() < 0 {
		return fmt.Errorf("sample %d: index, session, turn, phase and counts must not be negative", p.GetIndex())
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
