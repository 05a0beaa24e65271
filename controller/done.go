package controller

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/stampede-bench/stampede/controller/store"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
)

// onDone handles a shard that has nothing more to send or to tell.
func (r *run) onDone(s *shard, u *stampedev1.ShardUpdate) {
	if s.saidDone {
		return
	}
	s.saidDone, s.last = true, u.GetLastBatchSequence()
	s.member.audit = mergeAudit(s.member.audit, u.GetSelfAudit())
	r.finishShard(s)
}

// finishShard ends a shard once all its batches were folded.
func (r *run) finishShard(s *shard) {
	if !s.saidDone || s.folded < s.last || s.closed {
		return
	}
	s.closed = true
	if s.lost() {
		return
	}
	if r.givesUp(s) && r.unfinished(s) {
		r.giveBack(s)
		return
	}
	for i := range r.phases {
		s.dispatched[i], s.drained[i] = true, true
	}
	r.putShard(s, store.ShardDone)
	r.advance()
}

// givesUp reports whether a shard's agent leaves a run that goes on: what it calls
// the end of a phase is then only the end of its own part.
func (r *run) givesUp(s *shard) bool {
	return !r.halt.on && r.c.registry.isLeaving(s.member.id)
}

// unfinished reports whether a shard has phases that it did not dispatch.
func (r *run) unfinished(s *shard) bool {
	for _, dispatched := range s.dispatched {
		if !dispatched {
			return true
		}
	}
	return false
}

// onFailed handles a shard that could not be prepared. Before the start that ends
// the run; in a takeover the agent counts as lost to it.
func (r *run) onFailed(s *shard, u *stampedev1.ShardUpdate) {
	text := clip(orText(u.GetMessage(), orText(u.GetErrorKind(), "it did not say why")), maxReason)
	err := fmt.Errorf("agent %s could not prepare: %s", s.member.name, text)
	if r.anchor.IsZero() {
		r.putShard(s, store.ShardFailed)
		r.fail(err)
		return
	}
	r.log.Warn("takeover failed", "err", err)
	s.member.dismissed = true
	r.loseShard(s)
	r.redeal()
	r.advance()
}

// loadOver reports whether the run has nothing more to wait for.
func (r *run) loadOver() bool {
	if len(r.working()) > 0 {
		r.grace = time.Time{}
		return false
	}
	now := time.Now()
	if r.nothingMissing() || r.halt.on && (r.halt.immediate || r.halt.deadline.IsZero()) {
		return true
	}
	if r.grace.IsZero() {
		r.grace = now.Add(r.c.cfg.RejoinGrace)
		r.setState(r.state, fmt.Sprintf("waiting up to %v for lost agents to come back", r.c.cfg.RejoinGrace))
	}
	return !now.Before(r.grace)
}

// nothingMissing reports whether no agent that is gone could still change
// anything.
func (r *run) nothingMissing() bool {
	for _, s := range r.shards {
		if s.lost() && !s.closed {
			sum := r.ledger.Sum(r.allPhases()...)
			return sum.Lost == 0 && (sum.Open == 0 || r.halt.on)
		}
	}
	for _, s := range r.shards {
		if s.lost() && !s.taken && !r.halt.on {
			return false // given back, and nobody was there to take it
		}
	}
	return true
}

func (r *run) allPhases() []int32 {
	all := make([]int32, len(r.phases))
	for i := range all {
		all[i] = int32(i)
	}
	return all
}

// stagePhases are the phases that are not warmup.
func (r *run) stagePhases() []int32 { return r.allPhases()[r.firstStagePhase():] }

// mergeAudit adds up what an agent said of itself for several shards.
func mergeAudit(a, b *stampedev1.SelfAudit) *stampedev1.SelfAudit {
	switch {
	case b == nil:
		return a
	case a == nil:
		a = &stampedev1.SelfAudit{}
	}
	return &stampedev1.SelfAudit{
		CpuSeconds:               max(a.CpuSeconds, finite(b.CpuSeconds)),
		CpuUtilizationMax:        max(a.CpuUtilizationMax, share(b.CpuUtilizationMax)),
		GcPauseMaxNanos:          max(a.GcPauseMaxNanos, b.GcPauseMaxNanos),
		GcCount:                  max(a.GcCount, b.GcCount),
		SchedulerLatencyP99Nanos: max(a.SchedulerLatencyP99Nanos, b.SchedulerLatencyP99Nanos),
		DetailShedCount:          a.DetailShedCount + max(b.DetailShedCount, 0),
		ClockStepCount:           max(a.ClockStepCount, b.ClockStepCount),
		ConnectionCount:          max(a.ConnectionCount, b.ConnectionCount),
		StaleConnectionCount:     max(a.StaleConnectionCount, b.StaleConnectionCount),
		MemoryMaxBytes:           max(a.MemoryMaxBytes, b.MemoryMaxBytes),
		ColdConnectionCount:      max(a.ColdConnectionCount, b.ColdConnectionCount),
		CpuWaitSeconds:           max(a.CpuWaitSeconds, b.CpuWaitSeconds),

		CheckedUsageTokenCount:     a.CheckedUsageTokenCount + max(b.CheckedUsageTokenCount, 0),
		CheckedTokenizerTokenCount: a.CheckedTokenizerTokenCount + max(b.CheckedTokenizerTokenCount, 0),
	}
}

// finite is a number that can be written, whatever was said.
func finite(v float64) float64 {
	if !(v > 0) || v > math.MaxFloat32 {
		return 0
	}
	return v
}

// endState says how a run ended and why.
func (r *run) endState(err error, succeeded int64) (stampedev1.State, string) {
	switch {
	case r.halt.cancelled || errors.Is(err, errCancelled):
		return stampedev1.State_STATE_CANCELLED, orText(r.halt.reason, errText(err))
	case err != nil:
		return stampedev1.State_STATE_FAILED, err.Error()
	case succeeded == 0:
		return stampedev1.State_STATE_FAILED, "not one request succeeded"
	}
	return stampedev1.State_STATE_SUCCEEDED, r.halt.reason
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
