package controller

import (
	"sync/atomic"

	"github.com/stampede-bench/stampede/controller/store"
	"github.com/stampede-bench/stampede/internal/wire"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
)

// count counts what is ignored.
func (c *Controller) count(n *atomic.Int64) { n.Add(1) }

// reconcile tells a resumed agent what became of the shards that it still has,
// and the runs that count on it which ones it has.
func (c *Controller) reconcile(s *session, hello *stampedev1.Hello, resumed bool) {
	has := map[wire.Ref]bool{}
	for _, m := range hello.GetShards() {
		ref, err := wire.RefFromProto(m)
		if err != nil {
			c.count(&c.strange)
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

// lateBatch acknowledges outcomes that came after the report was written.
func (c *Controller) lateBatch(s *session, b *wire.Batch) {
	runID := b.Ref.RunID
	if c.store.Run(nil, runID) == nil {
		c.count(&c.strange)
		s.send(forgetRun(runID))
		return
	}
	n := int64(b.Count)
	if err := c.store.UpdateRun(runID, func(r *store.Run) { r.LateSamples += n }); err != nil {
		c.log.Warn("late samples are not counted", "run", runID, "samples", n, "err", err)
	}
	s.send(sampleAck(b.Ref.Proto(), b.Sequence))
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
