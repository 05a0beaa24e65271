package agent

import (
	"sync"

	"github.com/stampede-bench/stampede/internal/wire"
)

// outbox keeps encoded batches until the controller has acknowledged them: those that
// wait to be sent and those in flight, each in order. What it holds is bounded by
// its writers, who leave out chunk detail once it is full; outcomes always find
// a place. What does not fit into memory goes to a file. It is safe for
// concurrent use.
type outbox struct {
	limit  int64 // bytes beyond which detail is shed
	memory int64 // bytes beyond which batches go to the file; 0: none do
	spill  spill
	lost   func(error) // told of batches that the file did not give back

	mu       sync.Mutex
	waiting  []parcel
	inFlight []parcel
	bytes    int64 // of both
	flying   int64 // of inFlight
	spilled  int64 // of those in the file
}

func newOutbox(cfg *Config) outbox {
	log := cfg.Logger
	return outbox{
		limit: cfg.OutboxBytes + cfg.SpillBytes, memory: cfg.OutboxBytes, spill: spill{dir: cfg.SpillDir},
		lost: func(err error) { log.Error("a batch of samples is lost", "error", err) },
	}
}

// parcel is one batch and its size on the wire.
type parcel struct {
	ref      wire.Ref
	sequence int64
	batch    []byte // encoded; nil while it lies only in the file
	size     int64
	filed    bool
	at       int64 // in the file
}

// full reports whether another n bytes go beyond the limit.
func (o *outbox) full(n int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.bytes+int64(n) > o.limit
}

// put adds a batch and keeps it.
func (o *outbox) put(ref wire.Ref, sequence int64, batch []byte) {
	p := parcel{ref: ref, sequence: sequence, batch: batch, size: int64(len(batch))}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.memory > 0 && p.size > 0 && o.bytes-o.spilled+p.size > o.memory {
		o.file(&p)
	}
	o.waiting = append(o.waiting, p)
	o.bytes += p.size
}

// file moves a batch to the file; with a disk that is full it stays in memory.
func (o *outbox) file(p *parcel) {
	at, err := o.spill.add(p.batch)
	if err != nil {
		return
	}
	p.filed, p.at, p.batch = true, at, nil
	o.spilled += p.size
}

// load brings a batch back from the file. One that can't be read is sent empty,
// so that the others follow; the controller counts its entries as lost.
func (o *outbox) load(p *parcel) {
	if p.batch != nil {
		return
	}
	batch, err := o.spill.read(p.at, p.size)
	if err != nil {
		batch = wire.AppendBatch(nil, p.ref, p.sequence)
		if o.lost != nil {
			o.lost(err)
		}
	}
	p.batch = batch
}

// next returns the next batch to send and counts it as in flight, unless as many
// bytes are in flight already. One batch may always be.
func (o *outbox) next(maxInFlight int64) []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.waiting) == 0 || len(o.inFlight) > 0 && o.flying+o.waiting[0].size > maxInFlight {
		return nil
	}
	p := o.waiting[0]
	o.load(&p)
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
	o.forget(func(p parcel) bool { return p.ref == ref && p.sequence <= upTo }, false)
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
		o.release(p)
		o.flying -= p.size
		return false
	})
	if !alsoWaiting {
		return
	}
	o.waiting = keep(o.waiting, func(p parcel) bool {
		if gone(p) {
			o.release(p)
			return false
		}
		return true
	})
}

// release counts a parcel out.
func (o *outbox) release(p parcel) {
	o.bytes -= p.size
	if p.filed {
		o.spilled -= p.size
		o.spill.drop(p.at, p.size)
	}
}

// close removes the file.
func (o *outbox) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.spill.close()
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
	for i := range o.inFlight {
		if o.inFlight[i].filed {
			o.inFlight[i].batch = nil
		}
	}
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
