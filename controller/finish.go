package controller

import (
	"errors"
	"time"

	"github.com/stampede-bench/stampede/controller/journal"
	"github.com/stampede-bench/stampede/controller/store"
	"github.com/stampede-bench/stampede/ledger"
	"github.com/stampede-bench/stampede/measure"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/schedule"
)

// finish closes the books and writes the report. err is what ended the run
// before its load did, or nil.
func (r *run) finish(err error) {
	ended := time.Now()
	for _, m := range r.working() {
		r.tell(m, stopShard(r.id, 0, orText(errText(err), "the run has ended")))
	}
	if r.anchor.IsZero() {
		r.finishUnstarted(err, ended)
		return
	}
	if err != nil {
		r.loseAll()
	}
	r.settleRest(err != nil || r.halt.on)
	r.ledger.Seal()
	r.windows(ended)
	r.recordFinals(ended)
	took, cerr := r.segment.close()
	r.noteSync(took)
	if cerr != nil && r.segment.problem == nil {
		r.journalFailed(cerr)
	}
	r.segment.synced = 1<<63 - 1
	r.acknowledgeAll()
	r.conclude(err, ended)
}

// finishUnstarted ends a run that never sent load: it has no report.
func (r *run) finishUnstarted(err error, ended time.Time) {
	state, reason := stampedev1.State_STATE_FAILED, errText(err)
	if errors.Is(err, errCancelled) {
		state = stampedev1.State_STATE_CANCELLED
	}
	r.log.Info("run ended before it sent load", "state", state, "reason", reason)
	r.end(func(row *store.Run) {
		row.State, row.Reason, row.Hint, row.EndTime = state, reason, hintOf(err), ended
		row.InvalidSpec = isInvalidSpec(err)
	})
}

// loseAll ends all attempts when the run breaks off: what they may have sent and
// not reported is lost.
func (r *run) loseAll() {
	r.halt.on = true
	if r.halt.at.IsZero() {
		r.halt.at = time.Now()
	}
	for _, s := range r.shards {
		if !s.lost() && !s.done() {
			r.loseShard(s)
		}
	}
}

// settleRest gives an outcome to every entry that has none. What a stopped run
// did not send is unsent; where agents are gone for good it is lost.
func (r *run) settleRest(stopped bool) {
	status := measure.Lost
	if stopped {
		status = measure.Unsent
	}
	for i, p := range r.phases {
		if !p.released {
			r.planUnreleased(i)
		}
		var drawn func(k int64) bool // nil: all were
		if p.drawn() {
			drawn = func(k int64) bool { return r.begun(p, k) }
		}
		n := r.settle(p, status, 0, p.planned, drawn)
		if n > 0 && !stopped && len(r.gone()) == 0 {
			r.counts.unfinished += n
		}
	}
}

// planUnreleased plans what the schedule holds beyond the stop.
func (r *run) planUnreleased(i int) {
	p := r.phases[i]
	if p.Kind == schedule.Closed {
		return // nothing was drawn
	}
	if i > 0 {
		before := r.phases[i-1]
		r.planSessions(before, r.begunIn(before))
		p.firstSession = before.firstSession + r.begunIn(before)
	}
	p.firstIndex = r.corpus.EntriesBefore(p.firstSession)
	r.planWhole(p)
}

// begun reports whether a session of a phase that time ends was drawn.
func (r *run) begun(p *phase, k int64) bool {
	for _, s := range r.shards {
		if !p.owns(s.ref.Shard, k) || k < s.fromSessions[p.Index] {
			continue
		}
		next := s.next[p.Index]
		if !s.dispatched[p.Index] {
			next = r.permits.granted(s.ref).next[p.Index]
		}
		if k < next {
			return true
		}
	}
	return false
}

// account is a phase's account. What a closed loop that time ends had planned
// ahead and never drew is none of it.
func (r *run) account(p *phase) ledger.Accounting {
	a := r.ledger.Phase(int32(p.Index))
	if p.drawn() {
		a.Planned -= a.Open
		a.Open = 0
	}
	return a
}

// gone are the members that are lost, or were when the run ended.
func (r *run) gone() []*member {
	var gone []*member
	for _, m := range r.members {
		if m.lost {
			gone = append(gone, m)
		}
	}
	return gone
}

// windows tells the set where each phase was dispatched.
func (r *run) windows(ended time.Time) {
	for _, p := range r.phases {
		if p.released {
			base, end := r.window(p, ended)
			r.set.Window(int32(p.Index), base, end)
		}
	}
}

// window is a phase's stretch of dispatch, in nanoseconds since the anchor.
func (r *run) window(p *phase, ended time.Time) (base, end int64) {
	if !p.released {
		return 0, 0
	}
	base = p.base
	switch {
	case p.Duration > 0 && p.Kind == schedule.Open:
		base, end = r.permits.moved(p.Phase, p.base)
	case p.Duration > 0:
		end = p.base + p.Duration
		if p.lastSent > p.base && p.Sessions != schedule.Unbounded && r.begunIn(p) >= p.Sessions {
			end = min(end, p.lastSent) // its requests were the bound reached first
		}
	case p.lastSent > p.base:
		end = p.lastSent
	case p.dispatchEnd > 0:
		end = p.dispatchEnd
	default:
		end = r.sinceAnchor(ended)
	}
	if stopped := r.sinceAnchor(r.halt.at); r.halt.on && !r.halt.at.IsZero() {
		end = min(end, stopped)
	}
	return base, max(end, base)
}

// recordFinals journals what only the end brings: clocks, and rows for entries
// that are lost. It counts those by agent, too.
func (r *run) recordFinals(ended time.Time) {
	for _, m := range r.members {
		r.recordClock(m, ended)
	}
	r.recordLost()
}

// recordClock journals what brings a member's offsets, which it placed by the
// clock offset it was told at the start, to the controller's clock.
func (r *run) recordClock(m *member, ended time.Time) {
	if r.segment.problem != nil {
		return
	}
	anchor := r.c.wall.unix(r.anchor)
	marks, _ := r.c.registry.clockOver(m.id, anchor, r.c.wall.unix(ended))
	rec := journal.ClockRecord{AgentID: m.id}
	for _, mark := range marks {
		rec.Points = append(rec.Points, journal.ClockPoint{OffsetNanos: mark.At - anchor, CorrectionNanos: m.told - mark.Offset})
	}
	if err := r.segment.AppendJSON(journal.KindClock, rec); err != nil {
		r.journalFailed(err)
	}
}
