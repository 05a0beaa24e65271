// Package draw gives random numbers by counter: each is a pure function of
// (seed, stream, i, j), so that any part of a run can be drawn anywhere, in any
// order, and comes out the same. It uses integer arithmetic only. It is not for
// secrets.
package draw

// golden is the increment of SplitMix64, odd and close to 2^64 divided by the
// golden ratio.
const golden = 0x9e3779b97f4a7c15

// Stream is one independent sequence of draws. The zero value is a valid stream
// of its own. It is safe for concurrent use.
type Stream struct{ key uint64 }

// NewStream names a stream of the seed. Streams of different names or numbers
// are independent of each other.
func NewStream(seed int64, name string, n int64) Stream {
	h := mix(uint64(seed) + golden)
	for _, b := range []byte(name) {
		h = mix((h ^ uint64(b)) + golden)
	}
	return Stream{key: mix(h ^ mix(uint64(n)+golden))}
}

// At is draw j of item i: 64 random bits.
func (s Stream) At(i int64, j uint64) uint64 {
	return mix(mix(s.key+uint64(i)*golden) + j*golden)
}

// Uniform is draw j of item i as a multiple of 2^-53 in (0, 1].
func (s Stream) Uniform(i int64, j uint64) float64 {
	return float64(s.At(i, j)>>11+1) * (1.0 / (1 << 53))
}

// Sequence starts a sequence of draws for item i, for those who need many.
func (s Stream) Sequence(i int64) Sequence { return Sequence{state: mix(s.key + uint64(i)*golden)} }

// Sequence yields 64 bits at a time; it belongs to one goroutine.
type Sequence struct{ state uint64 }

// Next is the next draw.
func (q *Sequence) Next() uint64 {
	q.state += golden
	return mix(q.state)
}

// mix is the finalizer of SplitMix64 (Steele, Lea, Flood 2014): a bijection that
// spreads every input bit over all output bits.
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
