package controller

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/stampede-bench/stampede/controller/journal"
	"github.com/stampede-bench/stampede/controller/store"
	"github.com/stampede-bench/stampede/internal/wire"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/schedule"
	"github.com/stampede-bench/stampede/workload"
)

// revive continues the runs that had not ended when the controller was killed.
func (c *Controller) revive(open []*store.Run, locked map[string]error) error {
	for _, row := range open {
		t := c.store.Test(nil, row.TestID)
		if t == nil {
			return fmt.Errorf("journal: run %s has no test: %w", row.ID, journal.ErrDBDamaged)
		}
		if err := locked[t.ID]; err != nil {
			c.endKept(row, fmt.Errorf("the controller was restarted: %w", err), "put the key file back before the controller starts")
			continue
		}
		r, err := c.reviveRun(row, t.Spec)
		if err != nil {
			c.endKept(row, fmt.Errorf("the controller was restarted and can't resume the run: %w", err), "")
			continue
		}
		if err := c.begin(r); err != nil {
			return err
		}
	}
	return nil
}

// endKept ends a run that can't go on.
func (c *Controller) endKept(row *store.Run, why error, hint string) {
	c.log.Error("run is not resumed", "run", row.ID, "err", why)
	err := c.store.UpdateRun(row.ID, func(r *store.Run) {
		r.State, r.Reason, r.Hint, r.EndTime = stampedev1.State_STATE_FAILED, why.Error(), hint, time.Now()
	})
	if err != nil {
		c.log.Error("run is not shown", "run", row.ID, "err", err)
	}
}

// reviveRun returns a run that goes on where its journal ends: from the beginning
// when it had sent nothing. Agents may resume their sessions at once; its samples
// are read when it lives.
func (c *Controller) reviveRun(row *store.Run, spec *workload.Spec) (*run, error) {
	r := newRun(c, row, spec)
	if row.StartTime.IsZero() {
		r.log.Info("run begins again after a restart: it had not sent load")
		c.registry.again[row.ID] = true // nobody else uses it yet
		return r, nil
	}
	var kept keptState
	there, err := c.keeper.get(journal.Resumes, row.ID, &kept)
	if err == nil && !there {
		err = errors.New("its state was not journaled")
	}
	if err != nil {
		return nil, err
	}
	var top ceiling
	if there, err = c.keeper.get(journal.Ceilings, row.ID, &top); err != nil || !there {
		return nil, errors.Join(err, errors.New("up to where it had sent was not journaled"))
	}
	if r.eff, err = c.keeper.open(kept.Spec); err != nil {
		return nil, err
	}
	if !c.keeper.marked(row.TestID, row.ID) {
		r.doomed = errors.New("its journal could not be written when the controller was killed: this is what was journaled")
	}
	r.restore(row, &kept, top)
	return r, nil
}

// restore takes over what was kept, and lets its agents resume.
func (r *run) restore(row *store.Run, kept *keptState, top ceiling) {
	r.kept, r.state = kept, row.State
	r.anchor = r.c.wall.at(kept.Anchor)
	r.data = corpusData{hash: kept.Data.Hash, fileName: kept.Data.FileName}
	r.permits = newPermits(r.c.cfg.Lease+r.c.cfg.Heartbeat, int64(r.eff.Limits.MaxRunTime.D()))
	r.permits.setCeiling(top)
	for i := range kept.Members {
		r.restoreMember(&kept.Members[i])
	}
	for i := range kept.Shards {
		r.restoreShard(&kept.Shards[i], top)
	}
	if h := kept.Halt; h != nil {
		r.halt = halt{on: true, cancelled: h.Cancelled, immediate: h.Immediate, reason: h.Reason, at: h.At, deadline: h.Deadline}
		r.permits.freeze()
	}
}

func (r *run) restoreMember(k *keptMember) {
	m := &member{
		id: k.ID, name: k.Name, row: k.Row, told: k.Told, steps: k.Steps, lost: k.Lost, dismissed: k.Dismissed, left: k.Left,
		lostAt: k.LostAt, away: k.Away,
	}
	r.members = append(r.members, m)
	r.c.registry.restore(k, r)
}

func (r *run) restoreShard(k *keptShard, top ceiling) {
	ref := wire.Ref{RunID: r.id, Shard: schedule.Shard{Offset: k.Offset, Stride: k.Stride}, Attempt: k.Attempt}
	n := len(k.Dispatched)
	s := &shard{
		ref: ref, member: r.member(k.Member), from: k.From, fromSessions: k.FromSessions, taken: k.Taken, clean: k.Clean,
		dispatched: k.Dispatched, drained: make([]bool, n), next: k.Next,
	}
	r.shards = append(r.shards, s)
	had := keptGrant{Open: top.Open, Closed: top.Closed, Next: k.FromSessions}
	state := store.ShardRunning
	if k.Lost {
		state, had = store.ShardLost, *k.Had
	}
	r.permits.restore(ref, s.member.id, had, k.Lost)
	r.putShard(s, state)
}

// restore is an attempt with what it was granted at most.
func (p *permits) restore(ref wire.Ref, agentID string, had keptGrant, dead bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.grants[ref] = &grant{
		agentID: agentID, shard: ref.Shard, open: had.Open, dead: dead,
		closed: append([]int64(nil), had.Closed...), next: append([]int64(nil), had.Next...),
	}
}

// resume brings a restored run back to where it was: its plan, its phases, and
// its samples out of the journal.
func (r *run) resume() error {
	notices := append(r.kept.Facts.Notices, "the controller was restarted during the run")
	if err := r.compile(r.c.stopping); errors.Is(err, context.Canceled) {
		return errLeft
	} else if err != nil {
		return err
	}
	r.facts = facts{serverVersion: r.kept.Facts.ServerVersion, engine: r.kept.Facts.Engine, models: r.kept.Facts.Models, notices: notices}
	if len(r.kept.Phases) > len(r.phases) {
		return fmt.Errorf("%d phases were journaled, the plan has %d", len(r.kept.Phases), len(r.phases))
	}
	from := r.recall()
	r.placePhases()
	if err := r.replay(from); err != nil {
		return err
	}
	r.log.Info("run resumed", "samples", r.counts.sampleCount, "shards", len(r.shards))
	if r.doomed != nil {
		return r.doomed
	}
	r.raiseCeiling(time.Now(), true)
	r.redeal()
	r.advance()
	return nil
}

// placePhases gives phases the place in time that they had.
func (r *run) placePhases() {
	for _, s := range r.kept.Shifts {
		r.permits.shifts = append(r.permits.shifts, shift{from: s.From, delta: s.Delta})
	}
	r.permits.start(r.anchor)
	for i, k := range r.kept.Phases {
		p := r.phases[i]
		p.released, p.base, p.firstSession = true, k.Base, k.FirstSession
		p.firstIndex = r.corpus.EntriesBefore(k.FirstSession)
		if next := i + 1; next < len(r.kept.Phases) {
			r.planSessions(p, r.kept.Phases[next].FirstSession-k.FirstSession)
		}
		r.planWhole(p)
		r.permits.release(released{phase: p.Phase, base: p.base})
	}
	r.windows(time.Now())
}

// replay folds what the segment holds from a byte on and opens it to be continued.
// Finals, which a run that was about to end had begun to write, are cut away: it
// ends again.
func (r *run) replay(from int64) error {
	path := r.c.files.segment(r.testID, r.id)
	end, err := r.replaySamples(path, from)
	if err != nil {
		return err
	}
	segment, err := journal.Open(path, end)
	if err != nil {
		return err
	}
	r.segment.appended, r.segment.synced = r.c.cfg.onDisk(segment), segment.Size()
	r.recordHead() // again: the first records may not have reached the disk
	return nil
}

// raisePeriod is how often the ceiling is raised while samples are read, so that
// agents go on whatever the size of the segment.
const raisePeriod = time.Second

// replaySamples returns where the samples end.
func (r *run) replaySamples(path string, from int64) (end int64, err error) {
	in, err := journal.NewReader(path)
	if err != nil {
		return 0, err
	}
	defer in.Close()
	if from > 0 {
		in.SkipTo(from)
	}
	raised := time.Now()
	for {
		if r.c.isStopping() {
			return 0, errLeft
		}
		rec, err := in.Next()
		switch {
		case errors.Is(err, io.EOF):
			if torn := in.Torn(); torn != "" {
				r.log.Warn("the end of the journal was torn", "what", torn)
			}
			return in.Offset(), nil
		case err != nil:
			return 0, err
		case rec.Kind == journal.KindFinal || rec.Kind == journal.KindClock:
			return rec.Offset, nil
		case rec.Kind == journal.KindBatch:
			if err := r.replayBatch(rec.Payload); err != nil {
				return 0, fmt.Errorf("%s: batch at byte %d: %w", path, rec.Offset, err)
			}
		}
		if now := time.Now(); now.Sub(raised) >= raisePeriod && r.doomed == nil {
			raised = now
			r.raiseCeiling(now, true)
		}
	}
}

func (r *run) replayBatch(payload []byte) error {
	b, err := wire.ParseBatch(payload)
	if err != nil {
		return err
	}
	for _, s := range r.shards {
		if s.ref == b.Ref {
			r.fold(s, &b)
			s.folded = max(s.folded, b.Sequence)
			if last := r.anchor.Add(time.Duration(r.lastEnd)); last.After(r.settled) {
				r.settled = last
			}
			return nil
		}
	}
	return fmt.Errorf("nobody has %v", b.Ref)
}

// secretOf returns what resumes an agent's session.
func (g *registry) secretOf(agentID string) []byte {
	g.mu.Lock()
	defer g.mu.Unlock()
	if p := g.peers[agentID]; p != nil {
		return p.secret
	}
	return nil
}

// restore makes an agent known that a run counts on. Its lease begins anew: it may
// have heard from the controller just before that was killed.
func (g *registry) restore(k *keptMember, r *run) {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.peers[k.ID]
	if p == nil {
		p = &peer{id: k.ID, name: k.Name, secret: k.Secret, heard: true, runs: map[string]*run{}, deadline: time.Now().Add(g.cfg.Lease)}
		if k.Row != nil {
			p.row = *k.Row
		}
		p.clock.track.Resume(k.Clock)
		g.peers[k.ID] = p
		if !k.Lost {
			g.watch(p)
		}
	}
	p.runs[r.id] = r
}
