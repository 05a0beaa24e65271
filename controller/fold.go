package controller

import (
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/stampede-bench/stampede/controller/journal"
	"github.com/stampede-bench/stampede/internal/wire"
	"github.com/stampede-bench/stampede/ledger"
	"github.com/stampede-bench/stampede/measure"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/schedule"
)

// onBatch takes a batch's outcomes, each entry once: a batch that was sent again
// is dropped by its number, an entry by the ledger. What is new goes into the
// segment; the acknowledgement follows when it is safe there.
func (r *run) onBatch(from *session, ref wire.Ref, b *stampedev1.SampleBatch) {
	s := r.shard(ref, from.peer.id)
	switch {
	case s == nil || r.anchor.IsZero():
		r.counts.strange++
		return
	case b.GetBatchSequence() <= s.folded:
		r.acknowledge(s) // the acknowledgement was lost on the way
		return
	case b.GetBatchSequence() != s.folded+1:
		// Batches are sent in order, so one is missing: all come again with the
		// next session.
		r.counts.strange++
		from.end(errGap(ref, s.folded+1, b.GetBatchSequence()))
		return
	}
	b.Samples = r.fold(s, b.GetSamples())
	r.c.folded.batches.Add(1)
	r.c.folded.samples.Add(int64(len(b.GetSamples())))
	s.folded = b.GetBatchSequence()
	r.append(s, b)
	r.finishShard(s)
}

// fold settles and measures samples and returns those that were new.
func (r *run) fold(s *shard, samples []*stampedev1.Sample) []*stampedev1.Sample {
	fresh := samples[:0]
	for _, p := range samples {
		if r.foldOne(s, p) {
			fresh = append(fresh, p)
		}
	}
	return fresh
}

func (r *run) foldOne(s *shard, p *stampedev1.Sample) bool {
	ph := r.phaseOf(s, p)
	m := &r.scratch
	if ph == nil || wire.SampleFromProto(p, m) != nil || m.Status == measure.StatusNone || m.Status == measure.Lost {
		r.counts.strange++
		return false
	}
	switch r.ledger.Settle(m.Index, m.Status) {
	case ledger.Fresh, ledger.Revived:
	default:
		return false
	}
	r.counts.sampleCount++
	r.settled = time.Now()
	if m.Sent != measure.Absent {
		ph.lastSent = max(ph.lastSent, m.Sent)
	}
	if m.Status != measure.Unsent {
		r.set.Fold(s.member.name, m)
	}
	return true
}

// phaseOf returns the phase that a sample belongs to, or nil when no agent that
// works on the shard can have sent this entry.
func (r *run) phaseOf(s *shard, p *stampedev1.Sample) *phase {
	i := int(p.GetPhase())
	if i < 0 || i >= len(r.phases) || !r.phases[i].released {
		return nil
	}
	ph := r.phases[i]
	k := p.GetSession() - ph.firstSession
	if k < 0 || !ph.owns(s.ref.Shard, k) || ph.Sessions != schedule.Unbounded && k >= ph.Sessions {
		return nil
	}
	if ph.Kind == schedule.Closed && !r.permits.begun(s.ref, i, k) {
		return nil
	}
	turn := int64(p.GetTurn())
	if turn < 0 || turn >= int64(r.corpus.Turns(p.GetSession())) || p.GetIndex() != r.corpus.EntriesBefore(p.GetSession())+turn {
		return nil
	}
	r.planSessions(ph, k+1)
	return ph
}

// append journals a batch and has it synced.
func (r *run) append(s *shard, b *stampedev1.SampleBatch) {
	// Also one without samples: its number has to survive, for what is acknowledged
	// is not sent again.
	end, err := r.segment.appendProto(journal.KindBatch, b)
	if err != nil {
		r.journalFailed(err)
	}
	s.foldedEnd = end
	r.queueSync()
}

// appendProto marshals into a buffer that is used again.
func (g *segment) appendProto(k journal.Kind, m proto.Message) (int64, error) {
	if g.problem != nil { // it was told once; the run goes on without
		return 0, nil //nolint:nilerr // as above
	}
	var err error
	if g.buf, err = (proto.MarshalOptions{}).MarshalAppend(g.buf[:0], m); err != nil {
		return 0, err
	}
	return g.Append(k, g.buf)
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
		end, err := g.Sync()
		r.post(func() { r.onSynced(end, err) })
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
