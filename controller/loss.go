package controller

import (
	"slices"
	"time"

	"github.com/stampede-bench/stampede/controller/store"
	"github.com/stampede-bench/stampede/internal/wire"
	"github.com/stampede-bench/stampede/measure"
	"github.com/stampede-bench/stampede/schedule"
)

// agentLost handles the end of an agent's lease.
func (r *run) agentLost(agentID string) {
	m := r.member(agentID)
	if m == nil || m.lost {
		return
	}
	if r.anchor.IsZero() {
		r.fail(errGone(m.name))
		return
	}
	r.log.Warn("agent of the run is lost", "agent", m.name)
	r.loseMember(m)
}

// loseMember takes a member's shards from it. What lies within its permits and
// has no outcome is lost, unless it comes back; what lies beyond is dealt to the
// others.
func (r *run) loseMember(m *member) {
	m.lost, m.lostAt = true, time.Now()
	for _, s := range r.shards {
		if s.member == m && !s.lost() && !s.done() {
			r.loseShard(s)
		}
	}
	r.redeal()
	r.advance()
}

// loseShard ends an attempt. Its bounds do not move any more.
func (r *run) loseShard(s *shard) {
	had := r.permits.kill(s.ref)
	r.putShard(s, store.ShardLost)
	r.saveSoon()
	s.saidDone = false
	for i, p := range r.phases {
		if !p.released {
			continue
		}
		until := p.permitted(had, i)
		if p.drawn() && until > s.fromIn(p) {
			r.planSessions(p, until) // it told that it had drawn them; no sample need have come
		}
		lost := r.settleOf(s, p, measure.Lost, s.fromIn(p), until)
		r.settled = time.Now()
		r.log.Info("entries lost", "shard", s.ref.String(), "phase", p.Name, "lost", lost)
	}
}

// permitted is up to which session of phase i an attempt may have begun. Where
// entries are planned as they are drawn, those count that are known to be.
func (p *phase) permitted(g granted, i int) int64 {
	switch {
	case p.Kind == schedule.Open:
		return p.Before(g.open - p.Nominal)
	case p.drawn():
		return g.next[i]
	default:
		return g.closed[i]
	}
}

// fromIn is the first session of a phase that an attempt is responsible for.
func (s *shard) fromIn(p *phase) int64 {
	if p.Kind == schedule.Closed {
		return s.fromSessions[p.Index]
	}
	return p.Before(s.from - p.Nominal)
}

// redeal splits what lost attempts left among the agents that live. With none
// there, it waits for one to come back.
func (r *run) redeal() {
	if r.halt.on {
		return
	}
	for _, s := range slices.Clone(r.shards) {
		if s.lost() && !s.taken {
			r.takeOver(s)
		}
	}
}

func (r *run) takeOver(s *shard) {
	heirs := r.living()
	if len(heirs) == 0 {
		return
	}
	heirs = heirs[:r.heirsOf(s.ref.Shard, len(heirs))]
	s.taken = true
	had := r.permits.granted(s.ref)
	if s.clean {
		had.open, had.closed = 0, had.next // it had nothing in flight when it gave the shard back
	}
	from := max(had.open, s.from, r.permits.nominal(time.Now().Add(takeoverMargin+r.diskLead())))
	if !r.remains(s, from, had) {
		return
	}
	r.settleOverdue(s, from)
	var assigned []*shard
	for i, part := range s.ref.Shard.Split(len(heirs)) {
		ref := wire.Ref{RunID: r.id, Shard: part, Attempt: s.ref.Attempt + 1}
		sessions := make([]int64, len(r.phases))
		for p := range sessions {
			sessions[p] = max(had.closed[p], s.fromSessions[p])
		}
		heir := r.assign(heirs[i], ref, from, sessions)
		copy(heir.dispatched, s.dispatched)
		copy(heir.drained, s.dispatched)
		copy(heir.next, s.next)
		assigned = append(assigned, heir)
	}
	r.save()
	for _, heir := range assigned {
		r.tell(heir.member, r.startShard(heir))
	}
	r.counts.redealt++
}

// living are the members that can take over.
func (r *run) living() []*member {
	return slices.DeleteFunc(slices.Clone(r.members), func(m *member) bool {
		return m.lost || m.dismissed || r.c.registry.isLeaving(m.id)
	})
}

// remains reports whether a lost attempt left anything that nobody may have sent.
func (r *run) remains(s *shard, from int64, had granted) bool {
	for i, p := range r.phases {
		if s.dispatched[i] {
			continue
		}
		if p.Kind == schedule.Open && p.Nominal+p.Duration >= from {
			return true
		}
		if p.Kind == schedule.Closed && (p.Sessions == schedule.Unbounded || had.closed[i] < p.Sessions) {
			return true
		}
	}
	return false
}

// settleOverdue loses what was due before a takeover begins: it is not sent late.
func (r *run) settleOverdue(s *shard, from int64) {
	for _, p := range r.phases {
		if p.released && p.Kind == schedule.Open {
			r.counts.overdue += r.settleOf(s, p, measure.Lost, s.fromIn(p), p.Before(from-p.Nominal))
		}
	}
}

// agentBack handles an agent that resumed its session. has are the attempts it
// still knows.
func (r *run) agentBack(agentID string, has map[wire.Ref]bool) {
	m := r.member(agentID)
	if m == nil {
		return
	}
	if m.lost {
		r.rejoin(m)
		return
	}
	r.remind(m, has)
}

// rejoin lets the backlog of a lost agent come in, and gives it work again when
// nobody else has taken it.
func (r *run) rejoin(m *member) {
	r.log.Info("lost agent came back", "agent", m.name)
	r.saveSoon()
	m.lost, m.away = false, m.away+time.Since(m.lostAt)
	r.redeal()
	if !slices.Contains(r.working(), m) {
		m.dismissed = true
		r.tell(m, stopShard(r.id, r.eff.Limits.DrainTimeout.D(), "its lease was over, others took its work"))
	}
	for _, s := range r.shards {
		if s.member == m && s.folded > 0 {
			r.acknowledge(s)
		}
	}
}

// giveBack handles a shard whose agent leaves: it is done with what it began,
// and what it did not begin goes to others.
func (r *run) giveBack(s *shard) {
	s.clean, s.member.left = true, true
	r.permits.kill(s.ref)
	r.putShard(s, store.ShardLost)
	r.log.Info("agent gave its shard back", "agent", s.member.name, "shard", s.ref.String())
	r.redeal()
	r.advance()
}

// remind tells an agent that was cut off, but not lost, what it may have missed.
func (r *run) remind(m *member, has map[wire.Ref]bool) {
	if r.probing != nil && r.probing.by == m && r.probing.result == nil {
		r.tell(m, r.question())
	}
	for _, s := range slices.Clone(r.shards) {
		if s.member != m || s.lost() || s.done() {
			continue
		}
		switch {
		case has[s.ref]:
			r.acknowledge(s)
		case s.state == store.ShardAssigned:
			r.tell(m, r.startShard(s))
		default:
			r.log.Warn("agent forgot its shard", "agent", m.name, "shard", s.ref.String())
			r.agentLost(m.id)
			return
		}
	}
	for _, s := range r.permits.moves() {
		r.tell(m, r.shiftMessage(s))
	}
	for _, p := range r.phases {
		if p.released {
			r.tell(m, startPhase(r.startPhase(p, m)))
		}
	}
	if r.halt.on {
		r.tell(m, stopShard(r.id, max(time.Until(r.halt.deadline)-stopMargin, 0), r.halt.reason))
	}
}
