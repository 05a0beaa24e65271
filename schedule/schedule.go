// Package schedule says when each entry of a run is due: integer nanoseconds as
// a pure function of (spec, seed, index), the same on any number of agents and
// on any CPU. It owns no clock and no goroutine, builds no bodies and sends
// nothing.
package schedule

// Shard is the arithmetic progression of sessions (closed loop: of slots) with
// index ≡ Offset (mod Stride). The zero value is not valid; Whole is everything.
type Shard struct{ Offset, Stride int64 }

// Whole is the shard that holds everything.
var Whole = Shard{Offset: 0, Stride: 1}

// Has reports whether index i belongs to s.
func (s Shard) Has(i int64) bool { return i%s.Stride == s.Offset }

// Split divides s into n shards that add up to it.
func (s Shard) Split(n int) []Shard {
	parts := make([]Shard, n)
	for j := range parts {
		parts[j] = Shard{Offset: s.Offset + int64(j)*s.Stride, Stride: s.Stride * int64(n)}
	}
	return parts
}

// Kind tells open from closed loop.
type Kind uint8

// In open loop entries have offsets; in closed loop they belong to slots.
const (
	Open Kind = iota
	Closed
)

// Unbounded is the Sessions of a phase that is bounded by time alone.
const Unbounded = int64(-1)
