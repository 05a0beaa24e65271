package controller

import (
	"fmt"
	"time"

	"github.com/stampede-bench/stampede/controller/store"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
)

// halt is how far a run is being stopped.
type halt struct {
	on        bool
	cancelled bool // by request; else by max_run_time
	immediate bool
	reason    string
	at        time.Time // first
	deadline  time.Time // when agents that are not done are given up
}

// obeyCancel stops the run as far as its row says that it was asked to: what is in
// flight may end, or it gives up at once.
func (r *run) obeyCancel() {
	row := r.c.store.Run(nil, r.id)
	if r.over || row == nil || row.Cancel == store.NotCancelled {
		return
	}
	if atOnce := row.Cancel == store.CancelAtOnce; r.halt.cancelled && (r.halt.immediate || !atOnce) {
		return
	}
	r.halt.cancelled = true
	if r.anchor.IsZero() {
		r.fail(fmt.Errorf("%w before it began to send load", errCancelled))
		return
	}
	drain := r.eff.Limits.DrainTimeout.D()
	if row.Cancel == store.CancelAtOnce {
		drain, r.halt.immediate = 0, true
	}
	r.stop(drain, "cancelled by request")
}

// stop ends dispatch on all agents and gives requests in flight some time.
func (r *run) stop(drain time.Duration, reason string) {
	if !r.halt.on {
		r.halt.at = time.Now()
	}
	r.halt.on, r.halt.reason = true, reason
	r.permits.freeze()
	deadline := time.Now().Add(drain + stopMargin)
	if r.halt.deadline.IsZero() || deadline.Before(r.halt.deadline) {
		r.halt.deadline = deadline
	}
	r.save()
	for _, m := range r.working() {
		r.tell(m, stopShard(r.id, drain, reason))
	}
	r.log.Info("run stops", "reason", reason, "drain", drain)
	if r.state == stampedev1.State_STATE_RUNNING || r.state == stampedev1.State_STATE_DRAINING {
		r.setState(stampedev1.State_STATE_DRAINING, reason)
	}
}

// onTime does what is due.
func (r *run) onTime(now time.Time) {
	r.raiseCeiling(now, false)
	if r.unsaved {
		r.save()
	}
	if end := r.maxRunEnd(); !end.IsZero() && !now.Before(end) {
		r.stop(r.eff.Limits.DrainTimeout.D(), fmt.Sprintf("max_run_time of %v was reached", r.eff.Limits.MaxRunTime.D()))
	}
	if !r.halt.deadline.IsZero() && !now.Before(r.halt.deadline) {
		r.halt.deadline = time.Time{}
		r.giveUp()
	}
}

// giveUp counts agents that did not end in time as lost.
func (r *run) giveUp() {
	for _, m := range r.working() {
		r.log.Warn("agent did not end in time", "agent", m.name)
		r.loseMember(m)
	}
}
