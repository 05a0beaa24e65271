package agent

import (
	"time"

	"github.com/stampede-bench/stampede/internal/wire"
	"github.com/stampede-bench/stampede/measure"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
)

// A batch is closed when it holds this much, or is this old.
const (
	batchSamples = 500
	batchBytes   = 256 << 10
	batchAge     = 200 * time.Millisecond
)

// maxSampleBytes is the largest sample that keeps its chunk detail: with it a
// batch stays below gRPC's limit on messages of 4 MiB.
const maxSampleBytes = 3 << 20

// lookEvery is how long outcomes gather before the reporter looks at them, so
// that it does not wake up for each. Turns that follow others cannot wait.
const lookEvery = 20 * time.Millisecond

// reporter turns the outcomes of a shard into batches of samples, and keeps the
// account of its phases. It is the only goroutine that does.
type reporter struct {
	shard    *shard
	sequence int64 // of the last batch

	batch []byte // encoded, without its beginning
	held  int    // samples in it
	bare  int64  // of those, without their detail
	flush *time.Timer
	look  *time.Timer
	scrap measure.Sample
	buf   []byte // one encoded sample
}

func newReporter(s *shard) *reporter {
	r := &reporter{shard: s, flush: time.NewTimer(time.Hour), look: time.NewTimer(time.Hour)}
	r.flush.Stop()
	r.look.Stop()
	return r
}

// run returns when every entry that was sent has its outcome in the outbox.
func (r *reporter) run() {
	defer r.flush.Stop()
	defer r.look.Stop()
	for {
		select {
		case <-r.shard.news:
			r.look.Reset(lookEvery)
			continue
		case <-r.look.C:
		case <-r.shard.urgent:
		case <-r.flush.C:
			r.close()
			continue
		}
		if r.process() {
			r.close()
			return
		}
	}
}

// process takes all outcomes there are and reports whether they were the last.
func (r *reporter) process() (done bool) {
	halted := r.shard.halted.Load() // before looking: nothing is begun after it
	for e := r.shard.outcomes.takeAll(); e != nil; {
		next := e.next
		e.next = nil
		r.take(e)
		e = next
	}
	return r.account(halted)
}

// account tells of the phases whose state has changed. It reports whether all
// have drained, or all that were begun when the rest was given up.
func (r *reporter) account(halted bool) (done bool) {
	opened := int(r.shard.opened.Load())
	done = opened == len(r.shard.phases) || halted
	for _, p := range r.shard.phases[:opened] {
		if p.dispatched.Load() && !p.toldDispatched {
			p.toldDispatched = true
			r.tell(p, stampedev1.ShardState_SHARD_STATE_PHASE_DISPATCHED)
		}
		if p.drained() && !p.toldDrained {
			p.toldDrained = true
			r.tell(p, stampedev1.ShardState_SHARD_STATE_PHASE_DRAINED)
		}
		done = done && p.toldDrained
	}
	return done
}

func (r *reporter) tell(p *phase, state stampedev1.ShardState) {
	r.shard.updates.add(&stampedev1.ShardUpdate{State: state, Phase: int32(p.Index), NextSession: p.next.Load()})
	r.shard.run.agent.nudge()
}

// take turns one outcome into a sample and lets its session go on.
func (r *reporter) take(e *entry) {
	r.shard.live.remove(e)
	if e.unsent {
		e.phase.ended.Add(1)
		return
	}
	status := r.observe(e)
	if !e.last() {
		switch {
		case status != measure.Succeeded:
			r.giveUp(e)
		case !r.shard.stopping.Load():
			r.follow(e)
			free(e)
			return
		}
	}
	e.phase.ended.Add(1)
	free(e)
}

// follow builds the next turn of e's session and hands it to the dispatcher.
func (r *reporter) follow(e *entry) {
	s, v := r.shard, e.visit
	v.answered(e.x)
	turn := int(e.turn) + 1
	next := s.newEntry(e.phase, v, turn, e.index+1, e.k)
	next.slot, next.offset = e.slot, e.offset
	if e.phase.ofRequests() {
		next.slot = -1
	}
	next.due = followDue(&v.session.Turns[turn], v.began, e.endedAt(now()), wordsPerSecond(s.run.spec))
	s.later.push(next)
	s.wake()
}

// giveUp reports the turns after e, which are never sent.
func (r *reporter) giveUp(e *entry) {
	for turn := int(e.turn) + 1; turn < len(e.visit.session.Turns); turn++ {
		r.scrap = unsentSample(e, turn)
		r.add(&r.scrap)
	}
}

// observe makes the sample of a request that has ended.
func (r *reporter) observe(e *entry) measure.Status {
	s := r.shard
	s.recount.count(s.run.tokens, e.x)
	sampleOf(e, s.run.anchor.Load(), &r.scrap)
	s.tokens.Add(int64(len(r.scrap.ChunkOffsets)))
	r.add(&r.scrap)
	return r.scrap.Status
}

// add puts a sample into the batch.
func (r *reporter) add(s *measure.Sample) {
	r.buf = wire.AppendSample(r.buf[:0], s)
	if hasDetail(s) && (len(r.buf) > maxSampleBytes || len(s.ChunkOffsets) > wire.MaxChunks || r.shard.run.agent.outbox.full(len(r.batch)+len(r.buf))) {
		s.ChunkOffsets, s.ChunkTokens, s.DetailShed = s.ChunkOffsets[:0], s.ChunkTokens[:0], true
		r.shard.shed.Add(1)
		r.buf = wire.AppendSample(r.buf[:0], s)
	}
	if r.held > 0 && len(r.batch)+len(r.buf) > batchBytes {
		r.close()
	}
	if r.held == 0 {
		r.flush.Reset(batchAge)
	}
	if s.DetailShed {
		r.bare++
	}
	r.batch = wire.AppendEncoded(r.batch, r.buf)
	r.buf = keepRoom(r.buf)
	r.held++
	if r.held == batchSamples || len(r.batch) >= batchBytes {
		r.close()
	}
}

func hasDetail(s *measure.Sample) bool {
	return len(s.ChunkOffsets) > 0 || len(s.ChunkTokens) > 0
}

// batchHead is room for what stands before the samples of a batch.
const batchHead = 128

// close numbers the batch and hands it to the outbox.
func (r *reporter) close() {
	if r.held == 0 {
		return
	}
	r.flush.Stop()
	r.sequence++
	batch := wire.AppendBatch(make([]byte, 0, batchHead+len(r.batch)), r.shard.ref, r.sequence)
	batch = wire.AppendDetailShed(append(batch, r.batch...), r.bare)
	r.shard.run.agent.outbox.put(r.shard.ref, r.sequence, batch)
	r.shard.run.agent.nudge()
	r.held, r.bare, r.batch = 0, 0, keepRoom(r.batch)
}

// keepRoom empties a buffer for use again, unless one long answer made it large.
func keepRoom(b []byte) []byte {
	if cap(b) > 2*batchBytes {
		return nil
	}
	return b[:0]
}
