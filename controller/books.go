package controller

import (
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

// sessions turns the indexes of a phase's entries, asked for in rising order,
// into its sessions, counted from its begin.
func (r *run) sessions(p *phase) func(index int64) int64 {
	k, end := int64(-1), r.entries(p, 0)
	oneTurn := r.entries(p, max(p.planned, 1))-end == max(p.planned, 1)
	return func(index int64) int64 {
		if oneTurn {
			return index - p.firstIndex
		}
		if k >= 0 && index < r.entries(p, k) {
			k, end = -1, r.entries(p, 0) // begun again
		}
		for index >= end {
			k++
			end = r.entries(p, k+1)
		}
		return k
	}
}

// settle gives an outcome to the entries of a phase that have none and whose
// session passes.
func (r *run) settle(p *phase, status measure.Status, passes func(k int64) bool) int64 {
	if p.planned == 0 {
		return 0
	}
	session := r.sessions(p)
	return r.ledger.SettleOpen(r.entries(p, 0), r.entries(p, p.planned), func(index int64) bool {
		return passes(session(index))
	}, status)
}
