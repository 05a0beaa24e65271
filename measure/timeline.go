package measure

// The time line keeps counts in equal bins. When a run outgrows maxBins, pairs of
// bins are joined, so that memory stays constant however long it lasts.
const (
	binNanos = 10_000_000 // at first
	maxBins  = 1 << 19    // 87 minutes of them
)

// bin is what happened in one stretch of time, by succeeded requests unless it
// says otherwise.
type bin struct {
	tokens      int32 // output tokens that arrived
	ended       int32 // requests that succeeded
	inputTokens int32 // of those
	// flight is how much the number of requests in flight (of any outcome) changed
	// between the bin's begin and the one before.
	flight int32
}

// timeline counts along a run's time line, in nanoseconds since its anchor.
type timeline struct {
	width int64
	bins  []bin
}

func newTimeline() timeline { return timeline{width: binNanos} }

// at returns the bin of an instant; one before the anchor is in the first.
func (t *timeline) at(nanos int64) *bin {
	t.reach(nanos)
	return t.bin(max(nanos, 0) / t.width)
}

// edge returns the first bin that begins at or after an instant.
func (t *timeline) edge(nanos int64) *bin {
	t.reach(nanos)
	return t.bin(t.edges(nanos))
}

// edges is how many bins begin before an instant.
func (t *timeline) edges(nanos int64) int64 { return (max(nanos, 0) + t.width - 1) / t.width }

// reach joins bins until there is room for an instant.
func (t *timeline) reach(nanos int64) {
	for t.edges(nanos) >= maxBins {
		t.join()
	}
}

func (t *timeline) bin(i int64) *bin {
	for int64(len(t.bins)) <= i {
		t.bins = append(t.bins, make([]bin, i+1-int64(len(t.bins)))...)
	}
	return &t.bins[i]
}

// join doubles the width. What began at an odd bin's begin is first seen at the
// next even one.
func (t *timeline) join() {
	n := (len(t.bins) + 2) / 2
	joined := make([]bin, n, max(n, maxBins/2+1))
	for i, b := range t.bins {
		c, f := &joined[i/2], &joined[(i+1)/2]
		c.tokens += b.tokens
		c.ended += b.ended
		c.inputTokens += b.inputTokens
		f.flight += b.flight
	}
	t.bins, t.width = joined, 2*t.width
}

// span adds up the bins from one instant to another; bins that the ends cut are
// taken by the share that lies within.
func (t *timeline) span(from, to int64) (tokens, ended, inputTokens float64) {
	for i := max(from, 0) / t.width; i < int64(len(t.bins)) && i*t.width < to; i++ {
		b := &t.bins[i]
		in := min(to, (i+1)*t.width) - max(from, i*t.width)
		share := float64(in) / float64(t.width)
		tokens += share * float64(b.tokens)
		ended += share * float64(b.ended)
		inputTokens += share * float64(b.inputTokens)
	}
	return tokens, ended, inputTokens
}

// peakStep is the grid on which windows of the peak begin.
const peakStep = 100_000_000

// peak is the most tokens in any window of the given length that lies between two
// instants and begins on the grid or at the first, or ends at the last. When only
// one fits, it is all tokens there.
func (t *timeline) peak(from, to, window int64) float64 {
	if window <= 0 {
		return 0
	}
	sums := t.sums()
	step := max(peakStep, t.width)
	first, last := max(from, 0)/t.width*t.width, (max(to, 0)/t.width+1)*t.width // their bins count whole
	in := func(from, to int64) float64 { return t.before(sums, to) - t.before(sums, from) }
	if to-from <= window {
		return in(first, last)
	}
	best := max(in(first, first+window), in(last-window, last))
	for at := first / step * step; at <= last-window; at += step {
		if at > first {
			best = max(best, in(at, at+window))
		}
	}
	return best
}

// sums are the tokens before each bin, and before the end.
func (t *timeline) sums() []int64 {
	sums := make([]int64, len(t.bins)+1)
	for i := range t.bins {
		sums[i+1] = sums[i] + int64(t.bins[i].tokens)
	}
	return sums
}

// before is how many tokens arrived before an instant; of the bin that it cuts the
// share that lies before.
func (t *timeline) before(sums []int64, nanos int64) float64 {
	i := max(nanos, 0) / t.width
	if i >= int64(len(t.bins)) {
		return float64(sums[len(t.bins)])
	}
	share := float64(max(nanos, 0)-i*t.width) / float64(t.width)
	return float64(sums[i]) + share*float64(t.bins[i].tokens)
}

// flightPeak is the most requests in flight at any bin's begin from one instant to
// the first at or after another: a peak always follows upon a request sent.
func (t *timeline) flightPeak(from, to int64) int64 {
	most, now := int64(0), int64(0)
	to += t.width - 1
	for i := range t.bins {
		now += int64(t.bins[i].flight)
		if at := int64(i) * t.width; at >= from && at <= to {
			most = max(most, now)
		}
	}
	return most
}

// flights returns the number in flight at each multiple of step.
func (t *timeline) flights(step int64, points int) []int64 {
	at := make([]int64, points)
	now, next := int64(0), 0
	for i := range t.bins {
		for next < points && int64(next)*step < int64(i)*t.width {
			at[next] = now
			next++
		}
		now += int64(t.bins[i].flight)
	}
	for ; next < points; next++ {
		at[next] = now
	}
	return at
}

func (t *timeline) merge(o *timeline) {
	other := timeline{width: o.width, bins: o.bins}
	for other.width < t.width {
		other.join()
	}
	for t.width < other.width {
		t.join()
	}
	for i := range other.bins {
		b, c := t.bin(int64(i)), &other.bins[i]
		b.tokens += c.tokens
		b.ended += c.ended
		b.inputTokens += c.inputTokens
		b.flight += c.flight
	}
}
