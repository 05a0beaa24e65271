package schedule

import (
	"iter"
	"sort"
)

// Plan is a whole run's schedule: warmup, if there is one, then the stages. It
// does not change after Compile and is safe for concurrent use.
type Plan struct{ Phases []*Phase }

// Phase is one stretch of load with its own offsets or slots.
type Phase struct {
	Index  int
	Name   string // "warmup", the stage's name, or one such as "rate 10"
	Warmup bool
	Stage  int // index in load.stages; -1 for warmup
	Kind   Kind

	// Sessions is how many begin in this phase, or Unbounded in a closed loop
	// that time alone ends. In a closed loop that both time and a count bound it
	// is the most there can be.
	Sessions int64
	// Entries is how many requests these sessions are; 0 when nobody knows.
	Entries int64
	// Duration of dispatch in nanoseconds: the bound reached first. Where that is
	// the count, it ends when one more entry would be due; 0 in a closed loop that
	// a count alone ends, and for a rate of inf.
	Duration int64
	// Nominal is the sum of the durations before: where the phase begins when
	// nothing is late and nothing drains.
	Nominal int64
	// Predictable says that the end of this phase is known before it begins: open
	// loop, and the next phase does not wait for its requests. Phases whose
	// predecessors are all predictable can be released at once.
	Predictable bool
	// DrainFull says that the next phase waits for this one's requests.
	DrainFull bool

	Slots          int   // closed loop: requests in flight, or sessions
	OfSessions     bool  // closed loop: a session keeps its slot between its turns
	ThinkTime      int64 // closed loop: nanoseconds before a slot's next request
	MaxConcurrency int   // open loop: most requests in flight; 0 is no cap

	// Judged says that lateness here is the generator's own: open loop, no cap on
	// requests in flight, not all at once.
	Judged bool
	// Rate is the offered load in requests per second: the rate that was asked for,
	// or the mean where it changes; 0 in closed loop, +Inf for all at once.
	Rate float64

	times timeline // nil in closed loop

	replays     bool
	from, round int64 // replay: first session of the corpus, and how many there are
}

// timeline places entries 0, 1, 2, … of a phase on its own time line, in
// nondecreasing nanoseconds from 0.
type timeline interface {
	// offset of entry k, 0 ≤ k < Sessions.
	offset(k int64) int64
	// cursor answers like offset, for entries that are asked for in rising order,
	// from k on; it belongs to one goroutine.
	cursor(k int64) func(k int64) int64
}

// searcher is a timeline that finds entries faster than by bisection.
type searcher interface{ before(offset int64) int64 }

// Offset is when session k of this phase is due, in nanoseconds from the phase's
// begin. It is 0 in closed loop; k is clamped to the sessions there are.
func (p *Phase) Offset(k int64) int64 {
	if p.times == nil || p.Sessions <= 0 {
		return 0
	}
	return p.times.offset(min(max(k, 0), p.Sessions-1))
}

// Before is how many sessions of this phase are due before offset. It is 0 in
// closed loop.
func (p *Phase) Before(offset int64) int64 {
	if p.times == nil || offset <= 0 {
		return 0
	}
	if s, ok := p.times.(searcher); ok {
		return min(s.before(offset), p.Sessions)
	}
	return int64(sort.Search(int(p.Sessions), func(k int) bool { return p.times.offset(int64(k)) >= offset }))
}

// Arrivals yields the sessions of a shard that are due at or after from, with
// their offsets, in order. A closed loop has none. The sequence can be ranged
// over more than once, also concurrently.
func (p *Phase) Arrivals(s Shard, from int64) iter.Seq2[int64, int64] {
	return func(yield func(int64, int64) bool) {
		if p.times == nil {
			return
		}
		k := s.next(p.Before(from))
		if k >= p.Sessions {
			return
		}
		at := p.times.cursor(k)
		for yield(k, at(k)) && s.Stride < p.Sessions-k {
			k += s.Stride
		}
	}
}

// next is the smallest index of s that is at least k ≥ 0.
func (s Shard) next(k int64) int64 {
	if k <= s.Offset {
		return s.Offset
	}
	return k + (s.Offset-k%s.Stride+s.Stride)%s.Stride
}

// Count is how many of the indexes 0 to n-1 belong to s.
func (s Shard) Count(n int64) int64 {
	if n <= s.Offset {
		return 0
	}
	return (n-s.Offset-1)/s.Stride + 1
}

// SlotsOf lists the slots of a shard, of n in all.
func SlotsOf(n int, s Shard) []int {
	slots := make([]int, 0, s.Count(int64(n)))
	for j := s.Offset; j < int64(n); j += s.Stride {
		slots = append(slots, int(j))
	}
	return slots
}

// Sessions is the number of sessions in all phases, or Unbounded when a closed
// loop is ended by time.
func (p *Plan) Sessions() int64 {
	var sum int64
	for _, phase := range p.Phases {
		if phase.Sessions == Unbounded {
			return Unbounded
		}
		sum += phase.Sessions
	}
	return sum
}

// Duration is where the last phase ends when nothing drains, in nanoseconds. A
// closed loop that a count ends adds nothing to it.
func (p *Plan) Duration() int64 {
	if len(p.Phases) == 0 {
		return 0
	}
	last := p.Phases[len(p.Phases)-1]
	return last.Nominal + last.Duration
}
