package schedule

import (
	"math"

	"github.com/stampede-bench/stampede/workload"
)

// Steady reports whether a stage's load is the same all along: only then does one
// distribution describe what it measures. st is the stage that p was compiled
// from. Random arrivals and closed loops are steady; ramps, replays, requests all
// at once and load functions whose rate changes are not.
func (p *Phase) Steady(st *workload.Stage) bool {
	switch {
	case p.Kind == Closed:
		return true
	case st.Rate != nil:
		return !st.Rate.Inf() && (st.EndRate == nil || *st.EndRate == *st.Rate)
	case st.Func != nil:
		return p.even()
	}
	return false
}

// even compares the parts of a phase in whole seconds. What a load function issues
// at its very begin and end is often one off, so the first and last part are left
// out.
func (p *Phase) even() bool {
	const most, least = 12, 4
	seconds := p.Duration / nanosPerSecond
	parts := min(most, seconds)
	if parts < least {
		return false
	}
	edge := func(i int64) int64 { return i * seconds / parts * nanosPerSecond }
	from, to := edge(1), edge(parts-1)
	mean := float64(p.Before(to)-p.Before(from)) / float64(to-from)
	for i := int64(1); i < parts-1; i++ {
		want := mean * float64(edge(i+1)-edge(i))
		got := float64(p.Before(edge(i+1)) - p.Before(edge(i)))
		if math.Abs(got-want) > 1+0.05*want {
			return false
		}
	}
	return true
}
