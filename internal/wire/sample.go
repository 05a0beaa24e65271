package wire

import (
	"slices"

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
		DetailShed: s.DetailShed, StaleConnection: s.Stale, ResendNanos: s.ResendNanos,
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
	f := found{counts: [...]int32{
		countInput: p.GetInputTokenCount(), countOutput: p.GetOutputTokenCount(),
		countReasoning: p.GetReasoningTokenCount(), countCached: p.GetCachedTokenCount(),
	}}
	chunks := measure.Sample{ChunkOffsets: s.ChunkOffsets[:0], ChunkTokens: append(s.ChunkTokens[:0], p.GetChunkTokenCounts()...)}
	for _, g := range p.GetChunkGapNanos() {
		f.addGap(g, &chunks)
	}
	f.tokens = slices.Min(append([]int32{0}, p.GetChunkTokenCounts()...))
	*s = measure.Sample{
		Index: p.GetIndex(), Session: p.GetSession(), Turn: p.GetTurn(), Phase: p.GetPhase(), Attempt: p.GetAttempt(),
		Status:         statusOf(int32(p.GetOutcome())),
		ScheduleOffset: or(p.ScheduleOffsetNanos), Intended: or(p.IntendedNanos), Sent: or(p.SentNanos),
		Headers: or(p.HeadersNanos), FirstToken: or(p.FirstTokenNanos), FirstOutput: or(p.FirstOutputNanos),
		LastToken: or(p.LastTokenNanos), End: or(p.EndNanos),
		ChunkOffsets: chunks.ChunkOffsets, ChunkTokens: chunks.ChunkTokens, TokenSource: p.GetTokenSource(),
		InputTokens: count(p.InputTokenCount), OutputTokens: count(p.OutputTokenCount),
		ReasoningTokens: count(p.ReasoningTokenCount), CachedTokens: count(p.CachedTokenCount),
		OutputTokensAsked: p.GetOutputTokensAskedCount(), InputTokensAsked: p.GetInputTokensAskedCount(),
		FinishReason: p.GetFinishReason(), KernelStamped: p.GetKernelStamped(),
		StampUncertainty: p.GetStampUncertaintyNanos(), ReadDelayMax: p.GetReadDelayMaxNanos(),
		CoalescedChunks: p.GetCoalescedChunkCount(), Reused: p.GetConnectionReused(), ConnectNanos: p.GetConnectNanos(),
		HTTPStatus: p.GetHttpStatus(), ErrorKind: p.GetErrorKind(), ErrorMessage: p.GetErrorMessage(),
		DetailShed: p.GetDetailShed(), Stale: p.GetStaleConnection(), ResendNanos: p.GetResendNanos(),
	}
	return f.check(s)
}

func statusOf(outcome int32) measure.Status {
	if outcome >= 0 && outcome < int32(len(statuses)) {
		return statuses[outcome]
	}
	return measure.StatusNone
}

// statuses is the inverse of outcomes.
var statuses = func() (all [len(outcomes)]measure.Status) {
	for status, outcome := range outcomes {
		all[outcome] = measure.Status(status)
	}
	return all
}()

func or(at *int64) int64 {
	if at == nil {
		return measure.Absent
	}
	return present(*at)
}

func count(n *int32) int32 {
	if n == nil {
		return -1
	}
	return *n
}
