package wire

import (
	"errors"
	"fmt"

	"github.com/stampede-bench/stampede/measure"
)

// Bounds of what an agent of ours sends.
const (
	maxInstant = 1 << 61 // ns: no sum of two can overflow
	maxWord    = 256     // bytes of an error's kind, a finish reason, a token source
	maxMessage = 64 << 10
)

// check refuses a sample that no agent of ours sends.
func (f *found) check(s *measure.Sample) error {
	err := f.checkChunks(s)
	if err == nil {
		err = checkInstants(s)
	}
	if err == nil {
		err = f.checkCounts(s)
	}
	if err == nil {
		err = checkTexts(s)
	}
	if err != nil {
		return fmt.Errorf("sample of entry %d: %w", s.Index, err)
	}
	return nil
}

func (f *found) checkChunks(s *measure.Sample) error {
	n, m := len(s.ChunkOffsets), len(s.ChunkTokens)
	switch {
	case f.gap != 0:
		return fmt.Errorf("a chunk gap of %d ns, want 0 or more and all together at most %d", f.gap, int64(maxInstant))
	case n > MaxChunks || m != 0 && m != n:
		return fmt.Errorf("%d chunk gaps and %d token counts, want equally many, at most %d", n, m, MaxChunks)
	case n > 0 && s.Sent == measure.Absent:
		return errors.New("it has token chunks and was never sent")
	case f.tokens < 0:
		return fmt.Errorf("%d tokens in a chunk, want 0 or more", f.tokens)
	}
	return nil
}

func checkInstants(s *measure.Sample) error {
	for _, at := range [...]int64{s.ScheduleOffset, s.Intended, s.Sent, s.Headers, s.FirstToken, s.FirstOutput, s.LastToken, s.End} {
		if at != measure.Absent && (at < -maxInstant || at > maxInstant) {
			return fmt.Errorf("an instant of %d ns, want at most ±%d", at, int64(maxInstant))
		}
	}
	for _, d := range [...]int64{s.StampUncertainty, s.ReadDelayMax, s.ConnectNanos, s.ResendNanos} {
		if d < 0 || d > maxInstant {
			return fmt.Errorf("a duration of %d ns, want 0 to %d", d, int64(maxInstant))
		}
	}
	return nil
}

func (f *found) checkCounts(s *measure.Sample) error {
	for _, n := range [...]int64{s.Index, s.Session, int64(s.Turn), int64(s.Phase), int64(s.Attempt), int64(s.CoalescedChunks), int64(s.HTTPStatus)} {
		if n < 0 {
			return fmt.Errorf("index, session, turn, phase, attempt, http_status or coalesced_chunk_count is %d, want 0 or more", n)
		}
	}
	for _, n := range [...]int32{
		f.counts[countInput], f.counts[countOutput], f.counts[countReasoning], f.counts[countCached],
		s.OutputTokensAsked, s.InputTokensAsked,
	} {
		if n < 0 {
			return fmt.Errorf("a token count of %d, want 0 or more", n)
		}
	}
	return nil
}

func checkTexts(s *measure.Sample) error {
	for _, text := range [...]string{s.TokenSource, s.FinishReason, s.ErrorKind} {
		if len(text) > maxWord {
			return fmt.Errorf("a word of %d bytes, want at most %d", len(text), maxWord)
		}
	}
	if n := len(s.ErrorMessage); n > maxMessage {
		return fmt.Errorf("an error message of %d bytes, want at most %d", n, maxMessage)
	}
	return nil
}
