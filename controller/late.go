package controller

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/stampede-bench/stampede/controller/store"
	"github.com/stampede-bench/stampede/internal/wire"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
)

// reconcile tells a resumed agent what became of the shards that it still has,
// and the runs that count on it which ones it has.
func (c *Controller) reconcile(s *session, hello *stampedev1.Hello, resumed bool) {
	has := map[wire.Ref]bool{}
	for _, m := range hello.GetShards() {
		ref, err := wire.RefFromProto(m)
		if err != nil {
			c.odd(s)
			continue
		}
		has[ref] = true
		if c.run(ref.RunID) == nil {
			c.dismiss(s, ref.RunID)
		}
	}
	if !resumed {
		return
	}
	for _, r := range c.registry.runsOf(s.peer) {
		r.post(func() { r.agentBack(s.peer.id, has) })
	}
}

// dismiss ends an agent's part in a run that is over: its backlog may still
// come, and is counted as late. A run that nobody knows is forgotten at once.
func (c *Controller) dismiss(s *session, runID string) {
	if c.store.Run(nil, runID) == nil {
		s.send(forgetRun(runID))
		return
	}
	s.send(stopShard(runID, 0, "the run has ended"))
}

// latePeriod groups batches that came late, so that the disk is asked once.
const latePeriod = 50 * time.Millisecond

// late are the batches that came after their run's report and are not counted yet.
type late struct {
	mu      sync.Mutex
	batches []lateBatch
}

type lateBatch struct {
	from     *session
	ref      wire.Ref
	sequence int64
	samples  int64
	cost     int64 // as queued of the session
}

// lateBatch has outcomes counted that came after the report was written, and then
// acknowledged. Only agents of the run are believed.
func (c *Controller) lateBatch(s *session, b *wire.Batch) {
	run := c.store.Run(nil, b.Ref.RunID)
	if run == nil || !slices.Contains(run.AgentIDs, s.peer.id) {
		c.odd(s)
		s.send(forgetRun(b.Ref.RunID))
		return
	}
	cost := int64(b.Size() + eventOverhead)
	if s.queued.Add(cost) > maxQueuedBytes {
		s.end(s.tooMuch())
		return
	}
	c.late.mu.Lock()
	defer c.late.mu.Unlock()
	c.late.batches = append(c.late.batches, lateBatch{s, b.Ref, b.Sequence, int64(b.Count), cost})
	if len(c.late.batches) > 1 {
		return // somebody is about to count them
	}
	if release, err := c.enter(); err == nil {
		go func() {
			defer release()
			time.Sleep(latePeriod)
			c.countLate()
		}()
	}
}

// countLate journals how many samples came late, run by run, and acknowledges
// them.
func (c *Controller) countLate() {
	c.late.mu.Lock()
	batches := c.late.batches
	c.late.batches = nil
	c.late.mu.Unlock()
	samples := map[string]int64{}
	for _, b := range batches {
		samples[b.ref.RunID] += b.samples
	}
	for runID, n := range samples {
		if err := c.store.UpdateRun(runID, func(r *store.Run) { r.LateSamples += n }); err != nil {
			c.log.Warn("late samples are not counted", "run", runID, "samples", n, "err", err)
		}
	}
	for _, b := range batches {
		b.from.queued.Add(-b.cost)
		b.from.send(sampleAck(b.ref.Proto(), b.sequence))
	}
}

// maxOdd is how many messages that fit nothing one session may send: a few come
// from an agent that missed that its run is over.
const maxOdd = 1000

// odd counts a message that fits nothing.
func (c *Controller) odd(s *session) {
	c.strange.Add(1)
	if s.strange.Add(1) > maxOdd {
		s.end(fmt.Errorf("agent %s sent more than %d messages that fit nothing: %w", s.peer.id, maxOdd, errInvalid))
	}
}

// lateUpdate lets an agent forget a run once it has nothing more to say of it.
func (c *Controller) lateUpdate(s *session, u *stampedev1.ShardUpdate) {
	switch u.GetState() {
	case stampedev1.ShardState_SHARD_STATE_DONE, stampedev1.ShardState_SHARD_STATE_FAILED:
		s.send(forgetRun(u.GetRef().GetRunId()))
	case stampedev1.ShardState_SHARD_STATE_READY:
		s.send(stopShard(u.GetRef().GetRunId(), 0, "the run has ended"))
	}
}
