package agent

import (
	"errors"
	"math"

	"github.com/stampede-bench/stampede/internal/clock"
	"github.com/stampede-bench/stampede/measure"
	"github.com/stampede-bench/stampede/target"
)

// kindUnprepared is the error kind of what failed before anything was sent.
const kindUnprepared = "unprepared"

// sampleOf fills s from what was observed of an entry.
func sampleOf(e *entry, anchor int64, s *measure.Sample) {
	*s = blankSample(e, int(e.turn), s)
	s.Intended = e.intended - anchor
	if e.x == nil {
		s.Status, s.ErrorKind = measure.Failed, kindUnprepared
		if e.err != nil {
			s.ErrorMessage = e.err.Error()
		}
		return
	}
	measure.Derive(e.x, anchor, s)
}

// unsentSample stands for a later turn that is not sent because one before it
// failed.
func unsentSample(e *entry, turn int) measure.Sample {
	s := blankSample(e, turn, &measure.Sample{})
	s.Index += int64(turn) - int64(e.turn)
	s.Status = measure.Unsent
	s.ErrorKind, s.ErrorMessage = measure.KindTurnBefore, "an earlier turn of its session failed"
	return s
}

// blankSample identifies a turn of e's session and knows nothing else; it keeps
// the buffers of old.
func blankSample(e *entry, turn int, old *measure.Sample) measure.Sample {
	t := &e.visit.session.Turns[turn]
	s := measure.Sample{
		Index: e.index, Session: e.visit.session.Index, Turn: int32(turn), Phase: int32(e.phase.Index), Attempt: 1,
		ScheduleOffset: e.scheduleOffset(), Intended: measure.Absent, Sent: measure.Absent, Headers: measure.Absent,
		FirstToken: measure.Absent, FirstOutput: measure.Absent, LastToken: measure.Absent, End: measure.Absent,
		InputTokens: -1, OutputTokens: -1, ReasoningTokens: -1, CachedTokens: -1,
		InputTokensAsked: count(t.InputTokens), OutputTokensAsked: count(t.OutputTokens),
		ChunkOffsets: old.ChunkOffsets[:0], ChunkTokens: old.ChunkTokens[:0],
	}
	if turn > 0 {
		s.ScheduleOffset = measure.Absent
	}
	return s
}

func count(n int) int32 { return int32(min(max(n, 0), math.MaxInt32)) }

// free gives the entry's exchange back, once nothing reads it any more.
func free(e *entry) {
	if e.call != nil {
		e.call.Release()
	}
	e.call, e.x = nil, nil
}

// errorKind is the kind an error says it has.
func errorKind(err error) string {
	var failure *target.Error
	if errors.As(err, &failure) {
		return failure.Kind
	}
	return kindUnprepared
}

func now() int64 { return clock.Now() }
