package agent

import (
	"strconv"
	"sync/atomic"

	"github.com/stampede-bench/stampede/measure"
	"github.com/stampede-bench/stampede/schedule"
	"github.com/stampede-bench/stampede/target"
	"github.com/stampede-bench/stampede/workload/dataset"
)

// visit is one session of the corpus under way, and what the model answered so
// far. One goroutine at a time owns it, as its turns follow one another.
type visit struct {
	session dataset.Session
	answers []string // by turn
	// began is when its first turn was due, for recorded offsets of later ones.
	began int64
}

// entry is one request of a shard, complete before its deadline.
type entry struct {
	next *entry // in a stack

	shard *shard
	phase *phase
	visit *visit
	turn  int32
	index int64 // within the run
	k     int64 // session, counted from the phase's begin
	slot  int32 // position among the shard's slots, -1 in open loop

	offset   int64 // open loop: within the phase
	intended int64 // process-monotonic; set when it is due
	due      int64 // later turns: when to send

	call    *target.Call
	bytes   int64 // what it takes up until it is sent, near enough
	unsent  bool  // given up before it was sent
	started atomic.Bool
	err     error // why there is no call
	x       *measure.Exchange
	done    func(*target.Call, *measure.Exchange)
}

// entryOverhead is what an entry takes beside the text of its messages.
const entryOverhead = 1024

// newEntry builds a turn of a visit, with its call. It may take long.
func (s *shard) newEntry(p *phase, v *visit, turn int, index, k int64) *entry {
	e := &entry{shard: s, phase: p, visit: v, turn: int32(turn), index: index, k: k, slot: -1}
	e.done = func(_ *target.Call, x *measure.Exchange) {
		e.x = x
		s.ended(e)
	}
	t := &v.session.Turns[turn]
	messages := v.conversation(turn)
	e.bytes = entryOverhead
	for _, m := range messages {
		e.bytes += int64(len(m.Content) + len(m.Media))
	}
	in := target.Input{
		ID:           requestID(s.ref.RunID, index),
		Messages:     messages,
		OutputTokens: t.OutputTokens,
		KeepAnswer:   turn+1 < len(v.session.Turns) || s.run.tokens != nil,
	}
	if s.run.mixed {
		in.Model = s.run.spec.ModelOf(v.session.Index)
	}
	e.call, e.err = s.run.doer.Prepare(in)
	s.live.add(e)
	return e
}

// requestID is the id of contract §6.
func requestID(run string, index int64) string {
	return run + "-" + strconv.FormatInt(index, 10)
}

// scheduleOffset is the nominal offset of a sample: only first turns in open
// loop are scheduled; later ones follow from what came before.
func (e *entry) scheduleOffset() int64 {
	if e.phase.Kind != schedule.Open || e.turn > 0 {
		return measure.Absent
	}
	return e.phase.Nominal + e.offset
}
