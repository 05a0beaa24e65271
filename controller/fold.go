package controller

import (
	"time"

	"github.com/stampede-bench/stampede/controller/journal"
	"github.com/stampede-bench/stampede/internal/wire"
	"github.com/stampede-bench/stampede/ledger"
	"github.com/stampede-bench/stampede/measure"
	"github.com/stampede-bench/stampede/schedule"
)

// onBatch takes a batch's outcomes, each entry once: a batch that was sent again
// is dropped by its number, an entry by the ledger. What is new goes into the
// segment; the acknowledgement follows when it is safe there.
func (r *run) onBatch(from *session, b *wire.Batch) {
	s := r.shard(b.Ref, from.peer.id)
	switch {
	case s == nil || r.anchor.IsZero():
		r.c.odd(from)
		r.counts.strange++
		return
	case b.Sequence <= s.folded:
		r.acknowledge(s) // the acknowledgement was lost on the way
		return
	case b.Sequence != s.folded+1:
		// Batches are sent in order, so one is missing: all come again with the
		// next session.
		r.counts.strange++
		from.end(errGap(b.Ref, s.folded+1, b.Sequence))
		return
	}
	fresh := r.fold(s, b)
	if fresh > 0 {
		r.settled = time.Now()
	}
	r.c.folded.batches.Add(1)
	r.c.folded.samples.Add(fresh)
	s.folded = b.Sequence
	r.append(s)
	r.checkpointSoon()
	r.finishShard(s)
}

// fold settles and measures the samples of a batch. Those that were new are put
// into r.fresh, an encoded batch for the segment.
func (r *run) fold(s *shard, b *wire.Batch) (fresh int64) {
	r.fresh = wire.AppendBatch(r.fresh[:0], b.Ref, b.Sequence)
	r.horizon = r.sinceAnchor(time.Now()) + int64(maxAhead)
	for encoded := range b.Samples() {
		if r.foldOne(s, encoded) {
			r.fresh = wire.AppendEncoded(r.fresh, encoded)
			fresh++
		}
	}
	r.fresh = wire.AppendDetailShed(r.fresh, b.DetailShed)
	return fresh
}

func (r *run) foldOne(s *shard, encoded []byte) bool {
	m := &r.scratch
	if r.decoder.Sample(encoded, m) != nil || m.Status == measure.StatusNone || m.Status == measure.Lost || latest(m) > r.horizon {
		r.counts.strange++
		return false
	}
	ph := r.phaseOf(s, m)
	if ph == nil {
		r.counts.strange++
		return false
	}
	switch r.ledger.Settle(m.Index, m.Status) {
	case ledger.Fresh, ledger.Revived:
	default:
		return false
	}
	r.counts.sampleCount++
	if m.Sent != measure.Absent {
		ph.lastSent = max(ph.lastSent, m.Sent)
	}
	r.lastEnd = max(r.lastEnd, m.End)
	if m.Status == measure.Unsent && m.ErrorKind == measure.KindTurnBefore {
		ph.unsentAfter++
	}
	if m.Status != measure.Unsent {
		r.set.Fold(s.member.name, m)
	}
	return true
}

// maxAhead is how far beyond the present an agent may say that something has
// happened: more than clocks part. A time line to the end of days would hide
// everybody's figures.
const maxAhead = time.Minute

// latest is the last instant of a sample.
func latest(m *measure.Sample) int64 {
	return max(m.Sent, m.Headers, m.FirstToken, m.FirstOutput, m.LastToken, m.End)
}

// phaseOf returns the phase that a sample belongs to, or nil when no agent that
// works on the shard can have sent this entry.
func (r *run) phaseOf(s *shard, m *measure.Sample) *phase {
	i := int(m.Phase)
	if i >= len(r.phases) || !r.phases[i].released {
		return nil
	}
	ph := r.phases[i]
	k := m.Session - ph.firstSession
	if k < 0 || !ph.owns(s.ref.Shard, k) || ph.Sessions != schedule.Unbounded && k >= ph.Sessions {
		return nil
	}
	if ph.Kind == schedule.Closed && !r.permits.begun(s.ref, i, k) {
		return nil
	}
	turn := int64(m.Turn)
	if turn >= int64(r.corpus.Turns(m.Session)) || m.Index != r.corpus.EntriesBefore(m.Session)+turn {
		return nil
	}
	r.planSessions(ph, k+1)
	return ph
}

// append journals what was new in a shard's batch and has it synced.
func (r *run) append(s *shard) {
	// Also when nothing was: the batch's number has to survive, for what is
	// acknowledged is not sent again.
	s.foldedEnd = r.record(journal.KindBatch, r.fresh)
	r.queueSync()
}

// record appends to the segment and returns where that ends. A failure is told
// once; the run goes on without.
func (r *run) record(k journal.Kind, payload []byte) (end int64) {
	if r.segment.problem != nil {
		return 0
	}
	end, err := r.segment.Append(k, payload)
	if err != nil {
		r.journalFailed(err)
		return 0
	}
	return end
}

// acknowledge tells the agent of a shard up to where its batches are safe.
func (r *run) acknowledge(s *shard) {
	if s.foldedEnd > r.segment.synced && r.segment.problem == nil {
		return // the next sync does
	}
	s.acked = s.folded
	r.tell(s.member, sampleAck(s.ref.Proto(), s.acked))
}

// syncPeriod groups batches into one sync, and so bounds how often a disk is
// asked for one.
const syncPeriod = 50 * time.Millisecond

// queueSync has the segment synced soon, on another goroutine: a slow disk holds
// back acknowledgements and nothing else.
func (r *run) queueSync() {
	g := r.segment
	if g.syncing {
		return
	}
	if g.problem != nil {
		r.acknowledgeAll()
		return
	}
	g.syncing = true
	g.flights.Go(func() {
		time.Sleep(syncPeriod)
		began := time.Now()
		end, err := g.Sync()
		took := time.Since(began)
		r.post(func() {
			r.noteSync(took)
			r.onSynced(end, err)
		})
	})
}

func (r *run) onSynced(end int64, err error) {
	r.segment.syncing = false
	if err != nil {
		r.journalFailed(err)
	}
	r.segment.synced = max(r.segment.synced, end)
	if r.acknowledgeAll() {
		r.queueSync()
	}
}

// acknowledgeAll acknowledges what is safe and reports whether something is left.
func (r *run) acknowledgeAll() (left bool) {
	for _, s := range r.shards {
		if s.acked == s.folded {
			continue
		}
		r.acknowledge(s)
		left = left || s.acked != s.folded
	}
	return left
}

// journalFailed makes the run go on without its journal: its report says so.
func (r *run) journalFailed(err error) {
	if r.segment.problem == nil {
		r.segment.problem = err
		r.endKeeping()
		r.log.Error("journal is not written, the run goes on without it", "err", err)
	}
}
