package schedule

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math/bits"

	"github.com/stampede-bench/stampede/workload"
	"github.com/stampede-bench/stampede/workload/dataset"
)

// Hash is a sum of SHA-256 digests modulo 2^256, big-endian. The zero value is
// the hash of no entries.
type Hash [32]byte

// String is h in 64 hexadecimal digits.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// Add is h + o modulo 2^256. The order of additions does not matter.
func (h Hash) Add(o Hash) Hash {
	var sum Hash
	var carry uint64
	for i := len(h) - 8; i >= 0; i -= 8 {
		var word uint64
		word, carry = bits.Add64(binary.BigEndian.Uint64(h[i:]), binary.BigEndian.Uint64(o[i:]), carry)
		binary.BigEndian.PutUint64(sum[i:], word)
	}
	return sum
}

// WorkloadHash is what a shard adds to the workload_hash of a run: for each of
// its entries the digest of index, offset, and the body with its parameters, but
// nothing of the endpoint. The hashes of shards that divide a run add up to that
// of Whole. In closed loop entries have no offset, and their number is known only
// after the run: drawn[p] is how many sessions of phase p were drawn; it is used
// for closed loops that time ends. It builds every body, so it takes a few
// microseconds per entry.
func WorkloadHash(plan *Plan, c dataset.Corpus, spec *workload.Spec, drawn []int64, s Shard) Hash {
	h := hasher{corpus: plan.Play(c), sampling: dataset.CanonicalSampling(spec.Sampling)}
	var first int64
	for _, p := range plan.Phases {
		n := p.sessions(drawn)
		if p.Kind == Open {
			for k, offset := range p.Arrivals(s, 0) {
				h.session(first+k, p.Nominal+offset)
			}
		} else {
			for k := range p.drawn(s, n) {
				h.session(first+k, -1)
			}
		}
		first += n
	}
	return h.sum
}

// sessions is how many sessions of the phase there were.
func (p *Phase) sessions(drawn []int64) int64 {
	if p.Kind == Open || p.Duration == 0 {
		return p.Sessions
	}
	n := int64(0)
	if p.Index < len(drawn) {
		n = max(drawn[p.Index], 0)
	}
	if p.Sessions != Unbounded {
		n = min(n, p.Sessions)
	}
	return n
}

// drawn yields the sessions below n that belong to a shard's slots.
func (p *Phase) drawn(s Shard, n int64) func(yield func(int64) bool) {
	return func(yield func(int64) bool) {
		slots := SlotsOf(p.Slots, s)
		for round := int64(0); round < n; round += int64(p.Slots) {
			for _, slot := range slots {
				if k := round + int64(slot); k < n && !yield(k) {
					return
				}
			}
		}
	}
}

// hasher adds up the digests of entries.
type hasher struct {
	corpus   dataset.Corpus
	sampling []byte
	buffer   []byte
	sum      Hash
}

// session adds the entries of session i. The first turn is due at offset, or at
// no fixed time when that is negative; later turns follow answers.
func (h *hasher) session(i, offset int64) {
	session := h.corpus.Session(i)
	index := h.corpus.EntriesBefore(i)
	for t := range session.Turns {
		h.buffer = binary.BigEndian.AppendUint64(h.buffer[:0], uint64(index+int64(t)))
		if offset >= 0 {
			h.buffer = append(h.buffer, 1)
			h.buffer = binary.BigEndian.AppendUint64(h.buffer, uint64(offset))
		} else {
			h.buffer = append(h.buffer, 0)
		}
		h.buffer = dataset.AppendCanonicalBody(h.buffer, session, t, h.sampling, session.Turns[t].OutputTokens)
		h.sum = h.sum.Add(sha256.Sum256(h.buffer))
		offset = -1
	}
}
