package schedule

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"iter"
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
// microseconds per entry. It fails only when the corpus can't be read any more.
func WorkloadHash(plan *Plan, c dataset.Corpus, spec *workload.Spec, drawn []int64, s Shard) (Hash, error) {
	var sum Hash
	for batch := range HashBatches(plan, c, spec, drawn, s) {
		h, err := batch.Sum()
		if err != nil {
			return Hash{}, err
		}
		sum = sum.Add(h)
	}
	return sum, nil
}

// HashBatch is a part of a WorkloadHash, of sessions that stand together.
type HashBatch struct {
	corpus   dataset.Corpus
	sampling []byte
	due      []due
}

// due is a session and the offset of its first turn, or -1.
type due struct{ session, offset int64 }

// Sessions is how many sessions the part has.
func (b HashBatch) Sessions() int64 { return int64(len(b.due)) }

// HashedSessions is how many sessions go into a WorkloadHash.
func (plan *Plan) HashedSessions(drawn []int64) (sum int64) {
	for _, p := range plan.Phases {
		sum += p.sessions(drawn)
	}
	return sum
}

// batchSessions is how many sessions make a batch.
const batchSessions = 256

// HashBatches divides the work of WorkloadHash, which is the sum of all of them.
// Batches may be summed in any order and at the same time.
func HashBatches(plan *Plan, c dataset.Corpus, spec *workload.Spec, drawn []int64, s Shard) iter.Seq[HashBatch] {
	return func(yield func(HashBatch) bool) {
		sampling := dataset.CanonicalParameters(spec)
		played := plan.Play(c)
		batch := func(d []due) HashBatch { return HashBatch{corpus: played, sampling: sampling, due: d} }
		var gathered []due
		for d := range plan.sessions(drawn, s) {
			if gathered = append(gathered, d); len(gathered) < batchSessions {
				continue
			}
			if !yield(batch(gathered)) {
				return
			}
			gathered = nil
		}
		if len(gathered) > 0 {
			yield(batch(gathered))
		}
	}
}

// sessions yields the sessions of a shard, in the order of the phases.
func (plan *Plan) sessions(drawn []int64, s Shard) iter.Seq[due] {
	return func(yield func(due) bool) {
		var first int64
		for _, p := range plan.Phases {
			n := p.sessions(drawn)
			for k, offset := range p.hashed(s, n) {
				if !yield(due{first + k, offset}) {
					return
				}
			}
			first += n
		}
	}
}

// hashed yields a shard's sessions of n in the phase with what goes into the hash
// as their offset.
func (p *Phase) hashed(s Shard, n int64) iter.Seq2[int64, int64] {
	return func(yield func(int64, int64) bool) {
		if p.Kind == Open {
			for k, offset := range p.Arrivals(s, 0) {
				if !yield(k, p.Nominal+offset) {
					return
				}
			}
			return
		}
		for k := range p.drawn(s, n) {
			if !yield(k, -1) {
				return
			}
		}
	}
}

// Sum is the part's hash.
func (b HashBatch) Sum() (Hash, error) {
	h := hasher{corpus: b.corpus, sampling: b.sampling}
	for _, d := range b.due {
		if err := h.session(d.session, d.offset); err != nil {
			return Hash{}, err
		}
	}
	return h.sum, nil
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
func (h *hasher) session(i, offset int64) error {
	session, err := h.corpus.Session(i)
	if err != nil {
		return fmt.Errorf("workload hash: session %d: %w", i, err)
	}
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
	return nil
}
