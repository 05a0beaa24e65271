package agent

import (
	"sync"

	"google.golang.org/protobuf/proto"

	"github.com/stampede-bench/stampede/internal/wire"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
)

// outbox keeps batches until the controller has acknowledged them: those that
// wait to be sent and those in flight, each in order. What it holds is bounded by
// its writers, who leave out chunk detail once it is full; outcomes always find
// a place. It is safe for concurrent use.
type outbox struct {
	limit int64 // bytes beyond which detail is shed

	mu       sync.Mutex
	waiting  []parcel
	inFlight []parcel
	bytes    int64 // of both
	flying   int64 // of inFlight
}

// parcel is one batch and its size on the wire.
type parcel struct {
	ref   wire.Ref
	batch *stampedev1.SampleBatch
	size  int64
}

// full reports whether another n bytes go beyond the limit.
func (o *outbox) full(n int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.bytes+int64(n) > o.limit
}

// put adds a batch.
func (o *outbox) put(ref wire.Ref, batch *stampedev1.SampleBatch) {
	p := parcel{ref: ref, batch: batch, size: int64(proto.Size(batch))}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.waiting = append(o.waiting, p)
	o.bytes += p.size
}

// next returns the next batch to send and counts it as in flight, unless as many
// bytes are in flight already. One batch may always be.
func (o *outbox) next(maxInFlight int64) *stampedev1.SampleBatch {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.waiting) == 0 || len(o.inFlight) > 0 && o.flying+o.waiting[0].size > maxInFlight {
		return nil
	}
	p := o.waiting[0]
	o.waiting[0] = parcel{}
	o.waiting = o.waiting[1:]
	o.inFlight = append(o.inFlight, p)
	o.flying += p.size
	return p.batch
}

// ack forgets the batches of a shard up to a number. Only batches that were sent
// can be acknowledged.
func (o *outbox) ack(ref wire.Ref, upTo int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.forget(func(p parcel) bool { return p.ref == ref && p.batch.GetBatchSequence() <= upTo }, false)
}

// drop forgets all batches of a run.
func (o *outbox) drop(run string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.forget(func(p parcel) bool { return p.ref.RunID == run }, true)
}

func (o *outbox) forget(gone func(parcel) bool, alsoWaiting bool) {
	o.inFlight = keep(o.inFlight, func(p parcel) bool {
		if !gone(p) {
			return true
		}
		o.bytes -= p.size
		o.flying -= p.size
		return false
	})
	if !alsoWaiting {
		return
	}
	o.waiting = keep(o.waiting, func(p parcel) bool {
		if gone(p) {
			o.bytes -= p.size
			return false
		}
		return true
	})
}

// keep filters in place and forgets the rest.
func keep(all []parcel, wanted func(parcel) bool) []parcel {
	kept := all[:0]
	for _, p := range all {
		if wanted(p) {
			kept = append(kept, p)
		}
	}
	clear(all[len(kept):])
	return kept
}

// again lets everything that is not acknowledged be sent once more, in order.
func (o *outbox) again() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.waiting = append(o.inFlight, o.waiting...)
	o.inFlight, o.flying = nil, 0
}

// waits reports whether batches of a shard are not sent yet.
func (o *outbox) waits(ref wire.Ref) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, p := range o.waiting {
		if p.ref == ref {
			return true
		}
	}
	return false
}

// held is what is not acknowledged.
func (o *outbox) held() (batches int, bytes int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.waiting) + len(o.inFlight), o.bytes
}
