package controller

import (
	"time"

	"github.com/stampede-bench/stampede/controller/store"
	"github.com/stampede-bench/stampede/internal/wire"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/schedule"
)

// start gives the run its anchor and releases its first phases.
func (r *run) start() error {
	r.anchor = time.Now().Add(r.startLead())
	for _, m := range r.members {
		c, _ := r.c.registry.clockOf(m.id)
		m.told, m.steps = c.offset, c.steps
	}
	r.permits.start(r.anchor)
	r.recordRun()
	placed := r.place(0, 0, 0)
	r.raiseCeiling(time.Now(), true)
	r.beginKeeping()
	first := r.firstStagePhase()
	r.update(func(row *store.Run) { row.StartTime, row.FirstStagePhase = r.anchorTime(), first })
	for _, s := range r.shards {
		r.putShard(s, store.ShardRunning)
	}
	r.announce(placed)
	r.setState(stampedev1.State_STATE_RUNNING, "")
	return r.failure
}

// startWrites is how often the start of a run waits for the disk.
const startWrites = 6

// startLead is how far off offset 0 is to be, so that all is journaled and the
// agents know it by then: further with a disk that is slow.
func (r *run) startLead() time.Duration {
	began := time.Now()
	r.setState(stampedev1.State_STATE_PENDING, "starting")
	r.slow = time.Since(began)
	return startLead + min(startWrites*r.slow, maxDiskLead)
}

// diskLead is how much sooner than planned something has to be decided that is
// journaled before it is told.
func (r *run) diskLead() time.Duration { return min(2*r.slow, maxDiskLead) }

// firstStagePhase is 1 when there is a warmup.
func (r *run) firstStagePhase() int32 {
	for i, p := range r.phases {
		if !p.Warmup {
			return int32(i)
		}
	}
	return int32(len(r.phases))
}

// release gives phase i, and all whose begin follows from it, their place, and
// tells the agents once that is safe.
func (r *run) release(i int, base, firstSession int64) {
	placed := r.place(i, base, firstSession)
	r.raiseCeiling(time.Now(), true)
	r.save()
	r.announce(placed)
}

// announce tells the agents of phases that were placed.
func (r *run) announce(placed []*phase) {
	for _, p := range placed {
		for _, m := range r.working() {
			r.tell(m, startPhase(r.startPhase(p, m)))
		}
		r.log.Info("phase released", "phase", p.Name, "base", time.Duration(p.base), "first_session", p.firstSession)
	}
}

// place gives phases their place and tells nobody.
func (r *run) place(i int, base, firstSession int64) (placed []*phase) {
	for ; i < len(r.phases); i++ {
		p := r.phases[i]
		p.released, p.base, p.firstSession = true, base, firstSession
		p.firstIndex = r.corpus.EntriesBefore(firstSession)
		r.planWhole(p)
		if p.Duration > 0 {
			r.set.Window(int32(p.Index), base, base+p.Duration)
		}
		r.permits.release(released{phase: p.Phase, base: base})
		placed = append(placed, p)
		if !p.Predictable {
			break
		}
		base, firstSession = base+p.Duration, firstSession+p.Sessions
	}
	return placed
}

func (r *run) startPhase(p *phase, m *member) *stampedev1.StartPhase {
	return &stampedev1.StartPhase{
		RunId: r.id, Phase: int32(p.Index), AnchorTime: timestamp(r.anchorTime()), ClockOffsetNanos: m.told,
		BaseNanos: p.base, FirstIndex: p.firstIndex, FirstSession: p.firstSession,
	}
}

// working are the members that hold a shard which is neither done nor lost.
func (r *run) working() []*member {
	var there []*member
	for _, m := range r.members {
		for _, s := range r.shards {
			if s.member == m && !s.lost() && !s.done() {
				there = append(there, m)
				break
			}
		}
	}
	return there
}

// onUpdate handles a shard's change of state.
func (r *run) onUpdate(from *session, ref wire.Ref, u *stampedev1.ShardUpdate) {
	s := r.shard(ref, from.peer.id)
	if s == nil {
		r.c.odd(from)
	}
	if s == nil || (s.lost() && u.GetState() != stampedev1.ShardState_SHARD_STATE_DONE) {
		r.counts.strange++
		return
	}
	switch u.GetState() {
	case stampedev1.ShardState_SHARD_STATE_READY:
		r.onReady(s)
	case stampedev1.ShardState_SHARD_STATE_PHASE_DISPATCHED:
		r.onDispatched(s, int(u.GetPhase()), u.GetNextSession())
	case stampedev1.ShardState_SHARD_STATE_PHASE_DRAINED:
		r.onDrained(s, int(u.GetPhase()), u.GetNextSession())
	case stampedev1.ShardState_SHARD_STATE_DONE:
		r.onDone(s, u)
	case stampedev1.ShardState_SHARD_STATE_FAILED:
		r.onFailed(s, u)
	default:
		r.counts.strange++
	}
}

func (r *run) onReady(s *shard) {
	switch {
	case s.state != store.ShardAssigned:
	case r.anchor.IsZero():
		r.putShard(s, store.ShardReady)
	default:
		r.putShard(s, store.ShardRunning) // a takeover begins by itself
	}
}

func (r *run) onDispatched(s *shard, i int, next int64) {
	if i < 0 || i >= len(r.phases) || !r.phases[i].released {
		r.counts.strange++
		return
	}
	if s.dispatched[i] || r.givesUp(s) {
		return
	}
	s.dispatched[i] = true
	r.saveSoon()
	if r.phases[i].Kind == schedule.Closed {
		s.next[i] = min(max(next, s.fromSessions[i]), r.permits.granted(s.ref).closed[i])
		r.planSessions(r.phases[i], s.next[i])
	}
	r.advance()
}

func (r *run) onDrained(s *shard, i int, next int64) {
	r.onDispatched(s, i, next)
	if i < 0 || i >= len(r.phases) || !s.dispatched[i] || s.drained[i] {
		return
	}
	s.drained[i] = true
	r.advance()
}

// advance releases the phase that the last one held back, and shows that the
// load's dispatch is over.
func (r *run) advance() {
	if len(r.working()) == 0 {
		return // what is left waits for agents to come back
	}
	now := time.Now()
	for i, p := range r.phases {
		if !p.released || !r.all(func(s *shard) bool { return s.dispatched[i] }) {
			return
		}
		if p.dispatchEnd == 0 {
			p.dispatchEnd = max(r.sinceAnchor(now), 1)
		}
		if p.DrainFull && i+1 < len(r.phases) && !r.all(func(s *shard) bool { return s.drained[i] }) {
			return
		}
		if i+1 == len(r.phases) {
			r.drain("")
			return
		}
		if !r.phases[i+1].released && !r.halt.on {
			r.emptied(p.DrainFull, func() { r.releaseAfter(i) })
			return
		}
	}
}

// releaseAfter releases the phase that comes after phase i, which is over.
func (r *run) releaseAfter(i int) {
	if r.halt.on {
		return
	}
	p := r.phases[i]
	r.planSessions(p, r.begunIn(p)) // it can't grow once the next is planned
	r.release(i+1, r.sinceAnchor(time.Now().Add(phaseLead+r.diskLead())), p.firstSession+r.begunIn(p))
}

// all reports whether every shard that counts for the phases is so. Shards that
// were lost count by those that took over.
func (r *run) all(is func(*shard) bool) bool {
	for _, s := range r.shards {
		if !s.lost() && !is(s) {
			return false
		}
	}
	return true
}

// begunIn is how many session numbers a phase has used up.
func (r *run) begunIn(p *phase) int64 {
	if p.Kind == schedule.Open {
		return p.Sessions
	}
	n := int64(0)
	for _, s := range r.shards {
		if s.lost() {
			n = max(n, r.permits.granted(s.ref).closed[p.Index])
		}
		n = max(n, s.next[p.Index])
	}
	if p.Sessions != schedule.Unbounded && p.Duration == 0 {
		n = max(n, p.Sessions)
	}
	return n
}

// drain shows that dispatch has ended.
func (r *run) drain(reason string) {
	if r.state == stampedev1.State_STATE_RUNNING {
		r.setState(stampedev1.State_STATE_DRAINING, reason)
	}
}
