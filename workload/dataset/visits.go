package dataset

import (
	"fmt"
	"math/big"
	"sort"
	"strconv"

	"github.com/stampede-bench/stampede/internal/plural"
	"github.com/stampede-bench/stampede/workload"
)

// visits is a recorded corpus as the spec's sessions section wants it: turns
// apart, a range of it, its arrivals brought together. It wraps round.
type visits struct {
	of     Corpus
	parts  []part // nil: sessions stay whole
	first  int64
	size   int64
	begin  int64 // arrival of the first
	divide func(int64) int64
}

// part is a turn that is a session of its own.
type part struct {
	session, at int64
	turn        int32
}

// newVisits returns c itself where the spec changes nothing.
func newVisits(spec *workload.Spec, c Corpus) (Corpus, error) {
	s := &spec.Sessions
	apart := s.SeparateTurns || s.SeparateInterval > 0
	whole := s.Range == "" || s.Range == ":"
	if c.Len() < 0 || !apart && whole && (s.CompressionRatio == nil || *s.CompressionRatio == 1) {
		return c, nil
	}
	v := &visits{of: c, size: c.Len(), divide: func(t int64) int64 { return t }}
	if s.CompressionRatio != nil {
		v.divide = divisor(*s.CompressionRatio)
	}
	if apart {
		if err := v.separate(int64(s.SeparateInterval), unstamped(spec.Dataset.Name)); err != nil {
			return nil, err
		}
		v.size = int64(len(v.parts))
	}
	slice, err := workload.ParseSlice(s.Range)
	if !whole && err != nil {
		return nil, fault("sessions.range", err)
	}
	if !whole {
		all := v.size
		from, to := slice.Of(all)
		if v.first, v.size = from, to-from; v.size == 0 {
			return nil, fault("sessions.range", fmt.Errorf("%s leaves none of the %s", s.Range, plural.Of(all, "session")))
		}
	}
	v.begin = v.arrival(v.first)
	return v, nil
}

// unstamped says whether a dataset has no arrivals of its own, but gets one a
// second; turns that are separated then come at their interval instead.
func unstamped(name string) bool { return name == "dolly" || name == "openorca" }

// separate makes a session of each turn: an interval apart, or when it was
// recorded, in the order of time.
func (v *visits) separate(interval int64, unstamped bool) error {
	for i := range v.of.Len() {
		session, err := v.of.Session(i)
		if err != nil {
			return err
		}
		for t := range session.Turns {
			v.parts = append(v.parts, part{session: i, turn: int32(t), at: momentOf(&session, t, i, interval, unstamped)})
		}
	}
	sort.SliceStable(v.parts, func(a, b int) bool { return v.parts[a].at < v.parts[b].at })
	return nil
}

// momentOf is when turn t of session i comes by itself, or -1 without arrivals.
func momentOf(s *Session, t int, i, interval int64, unstamped bool) int64 {
	switch {
	case s.OffsetNanos < 0:
		return -1
	case unstamped && interval > 0:
		return i * interval
	case interval > 0:
		return s.OffsetNanos + int64(t)*interval
	}
	return s.OffsetNanos + max(s.Turns[t].OffsetNanos, 0)
}

// arrival is that of position k, as it was recorded.
func (v *visits) arrival(k int64) int64 {
	if v.parts != nil {
		return v.parts[k].at
	}
	return v.of.Offset(k)
}

func (v *visits) Len() int64 { return v.size }

func (v *visits) Turns(i int64) int {
	if v.parts != nil {
		return 1
	}
	return v.of.Turns(v.first + i%v.size)
}

func (v *visits) EntriesBefore(i int64) int64 {
	if v.parts != nil {
		return i
	}
	base := v.of.EntriesBefore(v.first)
	round := v.of.EntriesBefore(v.first+v.size) - base
	return i/v.size*round + v.of.EntriesBefore(v.first+i%v.size) - base
}

func (v *visits) Offset(i int64) int64 {
	at := v.arrival(v.first + i%v.size)
	if at < 0 {
		return -1
	}
	return v.divide(at - v.begin)
}

func (v *visits) Session(i int64) (Session, error) {
	k, round := v.first+i%v.size, i/v.size
	turn := -1
	if v.parts != nil {
		k, turn = v.parts[k].session, int(v.parts[k].turn)
	}
	// Another round is another round of the data, too.
	s, err := v.of.Session(k + round*v.of.Len())
	if err != nil {
		return s, err
	}
	s.Index, s.OffsetNanos = i, v.Offset(i)
	if turn >= 0 {
		s.Turns = []Turn{apart(s.Turns, turn)}
		if turn > 0 {
			s.volatile = 0
		}
	}
	return s, nil
}

// apart is a turn with all that was said before it, as it was recorded.
func apart(turns []Turn, t int) Turn {
	one := turns[t]
	one.Messages = append(recordedHistory(turns, t), one.Messages...)
	one.OffsetNanos, one.ThinkNanos, one.Skip, one.Heard = -1, 0, 0, ""
	return one
}

// recordedHistory is what was said before turn t, in its branch of the
// conversation.
func recordedHistory(turns []Turn, t int) []Message {
	before := t - 1 - turns[t].Skip
	if t == 0 || before < 0 {
		return nil
	}
	answer := turns[before].Answer
	if turns[t].Heard != "" {
		answer = turns[t].Heard
	}
	history := append(recordedHistory(turns, before), turns[before].Messages...)
	return append(history, Message{Role: RoleAssistant, Content: answer})
}

// divisor divides nanoseconds by the number that was written, rounding down.
func divisor(ratio float64) func(int64) int64 {
	if ratio == 1 {
		return func(t int64) int64 { return t }
	}
	by, ok := new(big.Rat).SetString(strconv.FormatFloat(ratio, 'g', -1, 64))
	if !ok || by.Sign() <= 0 { // Validate refuses those
		return func(t int64) int64 { return t }
	}
	return func(t int64) int64 {
		q := new(big.Int).Mul(big.NewInt(t), by.Denom())
		q.Quo(q, by.Num())
		if !q.IsInt64() {
			return 1<<63 - 1
		}
		return q.Int64()
	}
}
