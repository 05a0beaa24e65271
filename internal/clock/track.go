package clock

import "math"

// maxDrift is how far two unsynchronised clocks may run apart, in parts per
// billion: quartz stays within ±50 ppm, so two of them within 100 ppm.
const maxDrift = 100_000

const second = 1_000_000_000

// Exchange is one question and its answer between two hosts: T0 and T3 are read
// on the asking host when the question left and the answer came, T1 and T2 on
// the answering host when the question came and the answer left. All are
// nanoseconds since the Unix epoch on the respective clock.
type Exchange struct{ T0, T1, T2, T3 int64 }

// offset is asking clock minus answering clock, and half of the round trip: the
// true value lies within offset ± bound, however asymmetric the ways were.
func (e Exchange) offset() (offset, bound int64) {
	out, back := e.T0-e.T1, e.T3-e.T2
	// The sum of two's complement halves, without overflow for far-off clocks.
	offset = out/2 + back/2 + (out%2+back%2)/2
	return offset, ((e.T3-e.T0)-(e.T2-e.T1)+1)/2 + drift(e.T3-e.T0)
}

// Mark says that at a moment of the answering clock the asking clock was off by
// Offset, give or take Bound.
type Mark struct {
	At     int64 `json:"at"`
	Offset int64 `json:"offset"`
	Bound  int64 `json:"bound"`
}

// Track follows how far one clock is off another, over time, from repeated
// exchanges. Of each stretch of time it keeps the exchange with the smallest
// round trip. What is true at a moment has to agree with all of them, each
// widened by the drift that is possible in between. It is a plain value without a
// clock: not safe for concurrent use. The zero value is ready.
type Track struct {
	marks []Mark // in order of time
	from  int    // the first mark since the last step
	since int64  // when that was first seen
	width int64  // of a stretch; it doubles when there are too many
	steps int64
}

const (
	maxMarks   = 128
	firstWidth = second
)

// Add takes one exchange into account. One that can't agree with those before
// means that a clock was set: Steps counts it, and what was known holds for the
// time before alone. An exchange that contradicts itself (a negative round trip),
// or is older than the last, is ignored.
func (t *Track) Add(x Exchange) {
	offset, bound := x.offset()
	if x.T3 < x.T0 || x.T2 < x.T1 || bound < 0 {
		return
	}
	t.add(Mark{At: x.T1 + (x.T2-x.T1)/2, Offset: offset, Bound: bound})
}

func (t *Track) add(m Mark) {
	n := len(t.marks)
	if n == 0 {
		t.width = firstWidth
		t.marks = append(t.marks, m)
		return
	}
	last := t.marks[n-1]
	if m.At < last.At {
		return
	}
	low, high := agreed(t.marks[t.from:], m.At)
	switch {
	case m.Offset+m.Bound < low || m.Offset-m.Bound > high:
		t.steps++
		t.marks, t.from, t.since = append(t.marks, m), n, m.At
	case m.At/t.width != last.At/t.width:
		t.marks = append(t.marks, m)
	case m.Bound <= last.Bound+drift(m.At-last.At):
		t.marks[n-1] = m
	}
	if len(t.marks) > maxMarks {
		t.thin()
	}
}

// thin halves the marks: of two neighbours on the same side of the last step the
// better one stays.
func (t *Track) thin() {
	t.width *= 2
	kept, from := t.marks[:0], 0
	for i := 0; i < len(t.marks); i++ {
		if i == t.from {
			from = len(kept)
		}
		m := t.marks[i]
		if i+1 < len(t.marks) && i+1 != t.from {
			if next := t.marks[i+1]; next.Bound < m.Bound {
				m = next
			}
			i++
		}
		kept = append(kept, m)
	}
	t.marks, t.from = kept, from
}

// Resume takes over marks of an earlier Track, before any exchange.
func (t *Track) Resume(marks []Mark) {
	for _, m := range marks {
		t.add(m)
	}
	t.steps = 0
}

// Ends are the first and the last mark since the last step.
func (t *Track) Ends() []Mark {
	since := t.marks[t.from:]
	if len(since) < 2 {
		return append([]Mark(nil), since...)
	}
	return []Mark{since[0], since[len(since)-1]}
}

// Moments are when marks were taken between two moments.
func (t *Track) Moments(from, to int64) []int64 {
	var at []int64
	for _, m := range t.marks {
		if m.At > from && m.At < to {
			at = append(at, m.At)
		}
	}
	return at
}

// At returns asking clock minus answering clock at a moment of the answering
// clock, and the bound on its error; ok is false before the first exchange.
func (t *Track) At(at int64) (offset, bound int64, ok bool) {
	marks := t.stretch(at)
	if len(marks) == 0 {
		return 0, 0, false
	}
	low, high := agreed(marks, at)
	offset = min(max(between(marks, at), low), high)
	return offset, max(high-offset, offset-low), true
}

// stretch are the marks on the side of the last step that a moment lies on.
func (t *Track) stretch(at int64) []Mark {
	if t.from > 0 && at < t.since {
		return t.marks[:t.from]
	}
	return t.marks[t.from:]
}

// agreed is what all marks allow at a moment.
func agreed(marks []Mark, at int64) (low, high int64) {
	low, high = math.MinInt64, math.MaxInt64
	for _, m := range marks {
		wide := m.Bound + drift(gap(at, m.At))
		low, high = max(low, m.Offset-wide), min(high, m.Offset+wide)
	}
	if low > high { // of a step before the last: nothing fits, so nothing is promised
		low, high = high, low
	}
	return low, high
}

// between joins the marks by straight lines.
func between(marks []Mark, at int64) int64 {
	for i, m := range marks {
		if at > m.At {
			continue
		}
		if i == 0 || at == m.At {
			return m.Offset
		}
		before := marks[i-1]
		share := float64(at-before.At) / float64(m.At-before.At)
		return before.Offset + int64(share*float64(m.Offset-before.Offset))
	}
	return marks[len(marks)-1].Offset
}

// Drift returns by how much the asking clock runs faster, in parts per billion,
// as a mean since the last step, and the bound on its error; ok is false while
// the exchanges lie too close together to tell.
func (t *Track) Drift() (ppb, bound int64, ok bool) {
	marks := t.marks[t.from:]
	if len(marks) < 2 {
		return 0, 0, false
	}
	part := max(1, len(marks)/3)
	a, b := best(marks[:part]), best(marks[len(marks)-part:])
	apart := float64(b.At-a.At) / second
	if apart <= 0 {
		return 0, 0, false
	}
	return int64(float64(b.Offset-a.Offset) / apart), int64(math.Ceil(float64(a.Bound+b.Bound) / apart)), true
}

func best(marks []Mark) Mark {
	least := marks[0]
	for _, m := range marks[1:] {
		if m.Bound < least.Bound {
			least = m
		}
	}
	return least
}

// Steps is how often a clock was seen to jump.
func (t *Track) Steps() int64 { return t.steps }

// drift is the most that two clocks can run apart within an age, rounded up.
func drift(age int64) int64 {
	return age/second*maxDrift + (age%second*maxDrift+second-1)/second
}

// gap is |a-b|.
func gap(a, b int64) int64 {
	if a < b {
		return b - a
	}
	return a - b
}
