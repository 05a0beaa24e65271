package controller

import (
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/stampede-bench/stampede/controller/store"
	"github.com/stampede-bench/stampede/ledger"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/schedule"
)

// publish shows how far the run has come, if anything moved.
func (r *run) publish() {
	if r.anchor.IsZero() || r.over {
		return
	}
	p := r.progress(time.Now())
	if proto.Equal(p, r.shown) {
		return
	}
	r.shown = p
	r.update(func(row *store.Run) { row.Progress = p })
}

func (r *run) progress(now time.Time) *stampedev1.Progress {
	first := r.firstStagePhase()
	sum, warmup := r.sum(r.phases[first:]), r.sum(r.phases[:first])
	ended := sum.Succeeded + sum.Failed + sum.TimedOut + sum.Cancelled
	sent, inFlight := r.permits.load() // of warmup, too
	if r.ledger.Sealed() {
		sent, inFlight = 0, 0 // what was not reported is lost by now
	}
	at := r.sinceAnchor(now)
	live := r.set.Live(at)
	p := &stampedev1.Progress{
		Phase:          r.phaseName(at),
		PlannedCount:   sum.Planned,
		SentCount:      max(sent-warmup.Planned, ended),
		InFlightCount:  inFlight,
		SucceededCount: sum.Succeeded,
		FailedCount:    sum.Failed + sum.TimedOut,
		CancelledCount: sum.Cancelled + sum.Unsent,
		LostCount:      sum.Lost,
		WarmupCount:    warmup.Planned - warmup.Open,
		ElapsedNanos:   max(at, 0),
		ExpectedNanos:  r.expected(),
	}
	p.OutputTokensPerSecond = float64(live.OutputTokens)
	p.TtftP50Nanos, p.TtftP99Nanos = live.TTFTP50, live.TTFTP99
	return p
}

// sum is the account of some phases, as far as it is known.
func (r *run) sum(phases []*phase) (a ledger.Accounting) {
	for _, p := range phases {
		if r.ledger.Sealed() {
			a = a.Add(r.account(p))
		} else {
			a = a.Add(r.ledger.Phase(int32(p.Index)))
		}
	}
	return a
}

// phaseName is the last phase that has begun.
func (r *run) phaseName(at int64) string {
	name := r.phases[0].Name
	for _, p := range r.phases {
		if p.released && p.base <= at {
			name = p.Name
		}
	}
	return name
}

// expected is the nominal length of the run; 0 when a count bounds some of it.
func (r *run) expected() int64 {
	for _, p := range r.phases {
		if p.Kind == schedule.Closed && p.Duration == 0 {
			return 0
		}
	}
	length := r.plan.Duration()
	if limit := r.permits.limit; limit > 0 {
		length = min(length, limit)
	}
	return length
}
