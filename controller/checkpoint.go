package controller

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/stampede-bench/stampede/controller/journal"
	"github.com/stampede-bench/stampede/internal/snapshot"
	"github.com/stampede-bench/stampede/internal/wire"
	"github.com/stampede-bench/stampede/ledger"
	"github.com/stampede-bench/stampede/measure"
)

// A checkpoint is what the fold has made of a segment up to a byte, so that after
// a restart only the samples behind it are read again. One is written when that
// would take long: the segment has grown by checkpointBytes, and by several times
// what the last checkpoint took, which bounds what checkpoints cost the disk.
const (
	checkpointBytes  = 16 << 20 // some 50,000 samples of 64 tokens, 140,000 of one
	checkpointShare  = 4
	checkpointPeriod = 2 * time.Second // at most this often
)

// checkpointing is where a run stands with its checkpoints.
type checkpointing struct {
	at   int64 // of the segment, the last one
	size int64
	when time.Time
	busy bool
}

// checkpoint is what is kept. Fields that say to which run and segment it belongs
// come first.
type checkpoint struct {
	runID  string
	anchor int64
	offset int64
	tail   uint64 // sum of what stands before offset

	counts  counts
	settled int64 // Unix nanoseconds, 0 none
	phases  []phaseMark
	shards  []shardMark
	set     string
	ledger  string
}

type phaseMark struct{ planned, lastSent, unsentAfter int64 }

type shardMark struct {
	offset, stride int64
	attempt        int32
	folded         int64
	next           []int64
}

// Bounds of what a checkpoint may claim.
const (
	maxMarks     = 1 << 20
	maxPhaseMark = 1 << 16
)

func (k *checkpoint) state(c *snapshot.Codec) {
	c.Text(&k.runID)
	c.Int(&k.anchor)
	c.Int(&k.offset)
	c.Uint(&k.tail)
	for _, n := range []*int64{&k.counts.strange, &k.counts.unfinished, &k.counts.overdue, &k.counts.redealt, &k.counts.sampleCount} {
		c.Int(n)
	}
	c.Int(&k.settled)
	snapshot.Slice(c, &k.phases, maxPhaseMark, func(m *phaseMark) {
		c.Int(&m.planned)
		c.Int(&m.lastSent)
		c.Int(&m.unsentAfter)
	})
	snapshot.Slice(c, &k.shards, maxMarks, func(m *shardMark) {
		c.Int(&m.offset)
		c.Int(&m.stride)
		c.Int32(&m.attempt)
		c.Int(&m.folded)
		snapshot.Slice(c, &m.next, maxPhaseMark, c.Int)
	})
	c.Text(&k.set)
	c.Text(&k.ledger)
}

// checkpointSoon writes a checkpoint when one is due, beside the run's work but
// for gathering what is in it.
func (r *run) checkpointSoon() {
	k, end := &r.checkpoints, r.segment.end()
	if r.c.keeper == nil || r.segment.problem != nil || k.busy ||
		end-k.at < max(r.c.cfg.checkpointBytes, checkpointShare*k.size) || time.Since(k.when) < r.c.cfg.checkpointPeriod {
		return
	}
	mark := r.mark(end)
	k.busy = true
	r.segment.flights.Go(func() {
		size, err := r.segment.keep(mark, r.c.files.checkpoint(r.testID, r.id))
		r.post(func() {
			k.busy, k.when = false, time.Now()
			if err != nil { // a restart then reads more
				r.log.Warn("checkpoint is not written", "err", err)
				return
			}
			k.at, k.size = mark.offset, size
		})
	})
}

// mark gathers a checkpoint of all that was folded, which is all that the segment
// holds up to end.
func (r *run) mark(end int64) *checkpoint {
	k := &checkpoint{
		runID: r.id, anchor: r.c.wall.unix(r.anchor), offset: end, counts: r.counts,
		set: string(r.set.AppendState(nil)), ledger: string(r.ledger.AppendState(nil)),
	}
	if !r.settled.IsZero() {
		k.settled = r.c.wall.unix(r.settled)
	}
	for _, p := range r.phases {
		k.phases = append(k.phases, phaseMark{p.planned, p.lastSent, p.unsentAfter})
	}
	for _, s := range r.shards {
		k.shards = append(k.shards, shardMark{
			offset: s.ref.Shard.Offset, stride: s.ref.Shard.Stride, attempt: s.ref.Attempt,
			folded: s.folded, next: r.permits.granted(s.ref).next,
		})
	}
	return k
}

// keep writes a checkpoint once the segment is safe up to it. It runs beside the
// run.
func (g *segment) keep(k *checkpoint, path string) (size int64, err error) {
	if _, err := g.Sync(); err != nil {
		return 0, err
	}
	tail, err := journal.TailSum(g.Path(), k.offset)
	if err != nil {
		return 0, err
	}
	k.tail = uint64(tail)
	c := snapshot.Writer(nil)
	k.state(c)
	return int64(len(c.Bytes())), journal.WriteCheckpoint(path, c.Bytes())
}

// recall takes the run's books over from its checkpoint and returns from which
// byte on the segment is to be read, 0 when it is from the beginning.
func (r *run) recall() int64 {
	offset, err := r.recallFrom(r.c.files.checkpoint(r.testID, r.id), r.c.files.segment(r.testID, r.id))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return 0
	case err != nil:
		r.log.Warn("the checkpoint is not used, all samples are read again", "err", err)
		return 0
	}
	r.log.Info("the books were taken over from a checkpoint", "samples", r.counts.sampleCount, "segment_bytes", offset)
	return offset
}

func (r *run) recallFrom(path, segment string) (offset int64, err error) {
	payload, err := journal.ReadCheckpoint(path)
	if err != nil {
		return 0, err
	}
	k, c := &checkpoint{}, snapshot.Reader(payload)
	if k.state(c); c.End() != nil {
		return 0, fmt.Errorf("%s: %w", path, c.Err())
	}
	if err := r.adopt(k, segment); err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	r.checkpoints.at, r.checkpoints.size = k.offset, int64(len(payload))
	return k.offset, nil
}

// adopt takes a checkpoint over, or nothing of it.
func (r *run) adopt(k *checkpoint, segment string) error {
	if err := r.fits(k, segment); err != nil {
		return err
	}
	set, books := measure.NewSet(r.measured()), ledger.New()
	if err := errors.Join(set.RestoreState([]byte(k.set)), books.RestoreState([]byte(k.ledger))); err != nil {
		return err
	}
	r.set, r.ledger = set, books
	r.takeOverMarks(k)
	return nil
}

// fits reports what a checkpoint has to do with another run, segment or plan.
func (r *run) fits(k *checkpoint, segment string) error {
	tail, err := journal.TailSum(segment, k.offset)
	switch {
	case k.runID != r.id || k.anchor != r.c.wall.unix(r.anchor):
		return fmt.Errorf("it belongs to run %.80q that began at %d", k.runID, k.anchor)
	case err != nil:
		return err
	case uint64(tail) != k.tail:
		return errors.New("it belongs to another segment")
	case len(k.phases) != len(r.phases):
		return fmt.Errorf("it has %d phases, the plan has %d", len(k.phases), len(r.phases))
	}
	for _, m := range k.shards {
		if r.marked(&m) == nil || len(m.next) != len(r.phases) {
			return fmt.Errorf("it has shard %d mod %d, attempt %d, that was not journaled", m.offset, m.stride, m.attempt)
		}
	}
	return nil
}

// marked is the shard that a mark is of.
func (r *run) marked(m *shardMark) *shard {
	for _, s := range r.shards {
		if s.ref.Shard.Offset == m.offset && s.ref.Shard.Stride == m.stride && s.ref.Attempt == m.attempt {
			return s
		}
	}
	return nil
}

func (r *run) takeOverMarks(k *checkpoint) {
	r.counts = k.counts
	if k.settled != 0 {
		r.settled = r.c.wall.at(k.settled)
	}
	for i, m := range k.phases {
		r.phases[i].planned, r.phases[i].lastSent, r.phases[i].unsentAfter = m.planned, m.lastSent, m.unsentAfter
	}
	for _, m := range k.shards {
		s := r.marked(&m)
		s.folded = m.folded
		r.permits.raiseNext(s.ref, m.next)
	}
}

// raiseNext takes over what is known to have begun.
func (p *permits) raiseNext(ref wire.Ref, next []int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	g := p.grants[ref]
	for i, n := range next {
		g.next[i] = max(g.next[i], min(n, g.closed[i]))
	}
}

// dropCheckpoint removes it: the run has ended, or begins anew.
func (r *run) dropCheckpoint() {
	if r.c.keeper == nil {
		return
	}
	if err := os.Remove(r.c.files.checkpoint(r.testID, r.id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		r.log.Warn("checkpoint is left", "err", err)
	}
}
