package schedule

import (
	"fmt"
	"math/big"
	"sort"

	"github.com/stampede-bench/stampede/workload"
)

// replayed places sessions where they were recorded, again and again when there
// are more than that.
type replayed struct {
	offsets []int64 // of one round, scaled
	period  int64   // from one round's begin to the next's
}

func (r replayed) offset(k int64) int64 {
	n := int64(len(r.offsets))
	return k/n*r.period + r.offsets[k%n]
}

func (r replayed) cursor(int64) func(int64) int64 { return r.offset }

// before counts the sessions of all rounds that are due before offset.
func (r replayed) before(offset int64) int64 {
	if offset <= 0 {
		return 0
	}
	rounds, rest := offset/r.period, offset%r.period
	in := sort.Search(len(r.offsets), func(i int) bool { return r.offsets[i] >= rest })
	return rounds*int64(len(r.offsets)) + int64(in)
}

// replay compiles a stage that sends the dataset's sessions when they were
// recorded.
func (b *builder) replay(p *Phase, path string, st *workload.Stage) {
	first, times, err := b.recording(st.Replay)
	if err == nil && !b.countable {
		err = fmt.Errorf("can't follow a closed loop that time ends, because where its sessions end is not known before; bound that by requests, or put the replay first")
	}
	if err != nil {
		b.fail(path+".replay", "%v", err)
		return
	}
	round := int64(len(times.offsets))
	n := round
	if st.Replay.Loop {
		n = maxSessions
	}
	longest := times.before(maxNanos)
	p.Kind, p.times = Open, times
	p.from, p.round, p.replays = first, round, true
	if st.Requests > 0 {
		n = min(n, b.sessionsOf(first, round, st.Requests))
	}
	p.Duration = times.period
	if st.Duration > 0 {
		n = min(n, times.before(int64(st.Duration)))
		p.Duration = int64(st.Duration)
	}
	if n > longest || n == maxSessions {
		b.fail(path, "would take longer than 366 days or more than %d sessions", int64(maxSessions))
		return
	}
	if n == 0 {
		b.fail(path+".duration", "is over before the first session of the recording, which is due after %v", workload.Duration(times.offsets[0]))
		return
	}
	// As everywhere: a count ends the stage when one more would be due.
	natural := max(times.offset(n), times.offset(n-1)+1)
	if n == round {
		natural = times.period
	}
	if st.Duration == 0 || natural < p.Duration {
		p.Duration = natural
	}
	p.Sessions = n
	p.MaxConcurrency = st.MaxConcurrency
	p.Rate = perSecond(n, p.Duration)
	p.Judged = st.MaxConcurrency == 0
}

// recording reads the arrivals of the dataset from an offset on, divided by the
// time scale, and the session it begins with.
func (b *builder) recording(r *workload.Replay) (first int64, times replayed, err error) {
	if b.corpus == nil || b.corpus.Len() <= 0 || b.corpus.Offset(0) < 0 {
		return 0, times, fmt.Errorf("needs recorded arrivals, which the dataset does not have")
	}
	scale := 1.0
	if r.TimeScale != nil {
		scale = *r.TimeScale
	}
	if !(scale > 0 && scale <= 1e9) {
		return 0, times, fmt.Errorf("must have a time_scale above 0 and at most 1e9, got %v", scale)
	}
	divide := divisor(scale)
	n, from, before := b.corpus.Len(), int64(r.Offset), int64(0)
	for i := range n {
		at := b.corpus.Offset(i)
		if at < before {
			return 0, times, fmt.Errorf("needs arrivals in order, but session %d is recorded before the one in front of it", i)
		}
		before = at
		if at < from {
			first = i + 1
			continue
		}
		times.offsets = append(times.offsets, divide(at-from))
	}
	count := int64(len(times.offsets))
	if count == 0 {
		return 0, times, fmt.Errorf("begins at %v, but the last session is recorded at %v", r.Offset, workload.Duration(before))
	}
	last := times.offsets[count-1]
	// The next round begins as long after the last session as sessions are apart.
	times.period = last + max(1, (last-times.offsets[0])/max(count-1, 1))
	if count == 1 {
		times.period = last + nanosPerSecond
	}
	return first, times, nil
}

// divisor divides nanoseconds by the number that was written, rounding down.
func divisor(scale float64) func(int64) int64 {
	if scale == 1 {
		return func(t int64) int64 { return t }
	}
	by := decimalOf(scale).rat()
	return func(t int64) int64 {
		q := new(big.Int).Mul(big.NewInt(t), by.Denom())
		q.Quo(q, by.Num())
		if !q.IsInt64() || q.Int64() > 100*maxNanos {
			return 100 * maxNanos
		}
		return q.Int64()
	}
}

// countedAtOnce is how many sessions' turns are added up before somebody looks
// whether that is still needed.
const countedAtOnce = 1 << 20

// entries is the number of turns in the first k sessions of a segment.
func (b *builder) entries(s segment, k int64) int64 {
	for n := int64(countedAtOnce); n < k; n += countedAtOnce {
		s.entries(b.corpus, n) // turns that are drawn are added up, and the sums kept
		if b.ended() {
			return 0
		}
	}
	return s.entries(b.corpus, k)
}

// sessionsOf is how many sessions from first on hold n entries, the last of them
// whole; round is how many there are before they repeat, 0 for no repeating of
// its own.
func (b *builder) sessionsOf(first, round, n int64) int64 {
	if b.corpus == nil {
		return n
	}
	s := segment{from: first, round: round}
	if whole := b.entries(s, n); whole == n || b.ended() {
		return n // one turn each, the usual
	}
	return int64(sort.Search(int(n), func(k int) bool { return s.entries(b.corpus, int64(k)) >= n }))
}
