package report

import (
	"strconv"

	"github.com/stampede-bench/stampede/measure"
)

// Row is what EncodeRow writes of a sample; false when it writes nothing. The
// row shares the sample's chunks.
func (c *RowContext) Row(s *measure.Sample) (r Row, ok bool) {
	if s.Status == measure.Unsent || s.Status == measure.StatusNone {
		return Row{}, false
	}
	r = Row{
		ID: c.rowID(s.Index), Index: s.Index, Session: s.Session, Turn: s.Turn, Phase: phaseWarmup,
		Agent: c.Agent, Model: c.modelOf(s.Session), URL: c.URL, Attempt: s.Attempt,
		IntendedOffsetNS: known(s.ScheduleOffset, s.ScheduleOffset != measure.Absent),
		TokenSource:      known(s.TokenSource, s.TokenSource != ""),
		InputTokens:      known(s.InputTokens, s.InputTokens >= 0), OutputTokens: known(s.OutputTokens, s.OutputTokens >= 0),
		OutputTokensAsked: known(s.OutputTokensAsked, s.OutputTokensAsked > 0),
		ReasoningTokens:   known(s.ReasoningTokens, s.ReasoningTokens >= 0), CachedTokens: known(s.CachedTokens, s.CachedTokens >= 0),
		FinishReason:       known(s.FinishReason, s.FinishReason != ""),
		StampUncertaintyNS: s.StampUncertainty, ReadDelayMaxNS: s.ReadDelayMax, CoalescedChunks: s.CoalescedChunks,
		Status: statusWord(s.Status), HTTPStatus: known(s.HTTPStatus, s.HTTPStatus != 0),
		ConnectNS:        known(s.ConnectNanos, s.ConnectNanos > 0),
		InputTokensAsked: known(s.InputTokensAsked, s.InputTokensAsked > 0),
		StaleConnection:  s.Stale, ResendNS: known(s.ResendNanos, s.ResendNanos != 0), DetailShed: s.DetailShed,
	}
	if s.Phase >= c.FirstStagePhase {
		r.Stage, r.Phase = known(s.Phase-c.FirstStagePhase, true), phaseMeasure
	}
	c.placeRow(&r, s)
	r.takeChunks(s)
	c.judgeRow(&r, s)
	return r, true
}

// placeRow fills in the instants, and what depends on whether they happened.
func (c *RowContext) placeRow(r *Row, s *measure.Sample) {
	at := func(offset int64) *int64 { return known(offset+c.AnchorUnix+c.Correction, offset != measure.Absent) }
	r.IntendedUnixNS, r.SentUnixNS, r.HeadersUnixNS = at(s.Intended), at(s.Sent), at(s.Headers)
	r.FirstTokenUnixNS, r.FirstOutputUnixNS = at(s.FirstToken), at(s.FirstOutput)
	r.LastTokenUnixNS, r.EndUnixNS = at(s.LastToken), at(s.End)
	stamp, connection := stampProcess, connectionNew
	if s.KernelStamped {
		stamp = stampKernel
	}
	if s.Reused {
		connection = connectionReused
	}
	r.Stamp, r.Connection = known(stamp, s.Headers != measure.Absent), known(connection, s.Sent != measure.Absent)
}

func (r *Row) takeChunks(s *measure.Sample) {
	if len(s.ChunkOffsets) == 0 {
		return
	}
	r.ChunkOffsetsNS, r.ChunkTokens = s.ChunkOffsets, s.ChunkTokens
	if len(s.ChunkTokens) == len(s.ChunkOffsets) {
		return
	}
	r.ChunkTokens = make([]int32, len(s.ChunkOffsets))
	for i := range r.ChunkTokens {
		r.ChunkTokens[i] = int32(chunkTokens(s, i))
	}
}

func (c *RowContext) judgeRow(r *Row, s *measure.Sample) {
	if c.SLO.Any() && s.Status != measure.Cancelled {
		_, _, _, met := c.SLO.Met(s, c.Streaming)
		r.SLOMet = &met
	}
	if s.ErrorKind != "" || s.ErrorMessage != "" {
		r.Error = &RowError{Kind: s.ErrorKind, Message: s.ErrorMessage}
	}
}

func (c *RowContext) rowID(index int64) string {
	b := make([]byte, 0, len(c.RunID)+21)
	b = append(append(b, c.RunID...), '-')
	return string(strconv.AppendInt(b, index, 10))
}

func known[T any](v T, is bool) *T {
	if !is {
		return nil
	}
	return &v
}
