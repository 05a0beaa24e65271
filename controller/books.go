package controller

import (
	"sort"

	"github.com/stampede-bench/stampede/ledger"
	"github.com/stampede-bench/stampede/measure"
	"github.com/stampede-bench/stampede/schedule"
)

// openBooks prepares what the run counts and measures with.
func (r *run) openBooks() { r.ledger, r.set = ledger.New(), measure.NewSet(r.measured()) }

// measured says what the run's figures are measured against.
func (r *run) measured() measure.Config {
	cfg := measure.Config{
		SLO:           r.slo(),
		TimeTolerance: int64(r.eff.Limits.TimeTolerance.D()),
		Streaming:     r.eff.Streaming(),
	}
	for _, p := range r.phases {
		cfg.Phases = append(cfg.Phases, measure.PhaseInfo{
			Name: p.Name, Warmup: p.Warmup, Closed: p.Kind == schedule.Closed, Judged: p.Judged,
		})
	}
	return cfg
}

func (r *run) slo() measure.SLO {
	s := r.eff.SLO
	return measure.SLO{TTFT: int64(s.TTFT.D()), TPOT: int64(s.TPOT.D()), E2E: int64(s.E2E.D())}
}

// drawn reports whether a phase's entries become planned as they are drawn: time
// ends it, so nobody knows how many there will be.
func (p *phase) drawn() bool {
	return p.Kind == schedule.Closed && (p.Duration > 0 || p.Sessions == schedule.Unbounded)
}

// planWhole plans a phase whose sessions are known.
func (r *run) planWhole(p *phase) {
	if !p.drawn() {
		r.planSessions(p, p.Sessions)
	}
}

// planSessions plans the first n sessions of a phase.
func (r *run) planSessions(p *phase, n int64) {
	if p.Sessions != schedule.Unbounded {
		n = min(n, p.Sessions)
	}
	if n <= p.planned {
		return
	}
	from, to := r.entries(p, p.planned), r.entries(p, n)
	if err := r.ledger.Plan(int32(p.Index), from, to); err != nil {
		r.log.Error("entries are not planned", "phase", p.Name, "err", err)
		return
	}
	p.planned = n
}

// entries is the index of the first entry of session k of a phase.
func (r *run) entries(p *phase, k int64) int64 { return r.corpus.EntriesBefore(p.firstSession + k) }

// owns reports whether session k of a phase belongs to a shard.
func (p *phase) owns(s schedule.Shard, k int64) bool {
	if p.Kind == schedule.Closed {
		return s.Has(k % int64(p.Slots))
	}
	return s.Has(k)
}

// ownsAll reports whether all of a phase belongs to a shard.
func (s *shard) ownsAll() bool { return s.ref.Shard.Stride == 1 }

// oneTurn reports whether each planned session of a phase is one entry.
func (r *run) oneTurn(p *phase) bool { return r.entries(p, p.planned)-r.entries(p, 0) == p.planned }

// sessions turns the indexes of a phase's planned entries into its sessions,
// counted from its begin; soonest when they are asked for in rising order.
func (r *run) sessions(p *phase) func(index int64) int64 {
	if r.oneTurn(p) {
		return func(index int64) int64 { return index - p.firstIndex }
	}
	k, begin, end := int64(0), int64(0), int64(0) // session k has begin to end-1
	return func(index int64) int64 {
		if index < begin || index > end || end == 0 {
			k = int64(sort.Search(int(p.planned), func(k int) bool { return r.entries(p, int64(k)+1) > index }))
			begin, end = r.entries(p, k), r.entries(p, k+1)
		}
		for index >= end {
			k, begin = k+1, end
			end += int64(r.corpus.Turns(p.firstSession + k))
		}
		return k
	}
}

// settle gives an outcome to the entries of a phase's sessions from from to to-1
// that have none and whose session passes; all of them when passes is nil.
func (r *run) settle(p *phase, status measure.Status, from, to int64, passes func(k int64) bool) int64 {
	from, to = max(from, 0), min(to, p.planned)
	if from >= to {
		return 0
	}
	var match func(index int64) bool
	if passes != nil {
		session := r.sessions(p)
		match = func(index int64) bool { return passes(session(index)) }
	}
	return r.ledger.SettleOpen(r.entries(p, from), r.entries(p, to), match, status)
}

// settleOf is settle for the sessions that belong to a shard.
func (r *run) settleOf(s *shard, p *phase, status measure.Status, from, to int64) int64 {
	if s.ownsAll() {
		return r.settle(p, status, from, to, nil)
	}
	return r.settle(p, status, from, to, func(k int64) bool { return p.owns(s.ref.Shard, k) })
}
