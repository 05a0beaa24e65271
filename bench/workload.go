package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"
)

// workload is one row of what is measured: tools that do the same work in turn,
// the figures that are shown of each, and what is to be reached. To add one is to
// add a value to the list in list.go.
type workload struct {
	name  string // of --only, and of its JSON
	title string // what is done, in a line
	// tools run in turn, A B A B; Stampede is the first.
	tools   []tool
	columns []column
	goals   []goal
	// once is for work that repeats itself, or whose figure doesn't vary: one run,
	// however many were asked for.
	once bool
	// long is work that only runs when it is named.
	long bool
}

// tool is one program at one workload.
type tool struct {
	name string
	// run does the work once, in an empty folder of its own, and returns what was
	// measured.
	run func(ctx context.Context, b *bench, dir string) (figures, error)
}

// figures are numbers by name, in SI units; a name ends in its unit where it has
// one. What doesn't exist is not there.
type figures map[string]float64

// spread adds a distribution of nanoseconds, in seconds.
func (f figures) spread(name string, nanos []int64) {
	if len(nanos) == 0 {
		return
	}
	slices.Sort(nanos)
	f[name+"_p50_s"] = rank(nanos, 0.5)
	f[name+"_p99_s"] = rank(nanos, 0.99)
	f[name+"_max_s"] = rank(nanos, 1)
}

// rank is the nearest-rank quantile of sorted nanoseconds, in seconds.
func rank(sorted []int64, q float64) float64 {
	return float64(sorted[max(0, int(math.Ceil(q*float64(len(sorted))))-1)]) / 1e9
}

// column is one figure of a table.
type column struct {
	figure string
	title  string
	scale  float64
	form   string
}

func plain(figure, title string) column      { return column{figure, title, 1, "%.0f"} }
func hundredths(figure, title string) column { return column{figure, title, 1, "%.2f"} }
func millis(figure, title string) column     { return column{figure, title + " ms", 1e3, "%.3f"} }
func micros(figure, title string) column     { return column{figure, title + " µs", 1e6, "%.0f"} }
func kilobytes(figure, title string) column  { return column{figure, title + " KB", 1e-3, "%.1f"} }
func megabytes(figure, title string) column  { return column{figure, title + " MB", 1e-6, "%.1f"} }

// goal is what the first tool's figure has to reach, by the median over runs. With
// over it is about the ratio to another tool's figure, pair by pair.
type goal struct {
	figure string
	over   string
	most   float64 // 0: no upper bound
	least  float64 // 0: no lower bound
}

func (g goal) String() string {
	what := g.figure
	if g.over != "" {
		what += ", stampede over " + g.over
	}
	if g.most > 0 {
		return fmt.Sprintf("%s: at most %g", what, g.most)
	}
	return fmt.Sprintf("%s: at least %g", what, g.least)
}

func (g goal) reached(v float64) bool {
	return (g.most == 0 || v <= g.most) && v >= g.least
}

// outcome is one run of one tool.
type outcome struct {
	Tool    string    `json:"tool"`
	Run     int       `json:"run"`
	At      time.Time `json:"at"`
	Figures figures   `json:"figures"`
	Problem string    `json:"problem,omitempty"` // why there are no figures
}

// median over runs of one figure; runs without it are left out.
func median(runs []outcome, figure string) (v float64, ok bool) {
	var all []float64
	for _, r := range runs {
		if v, ok := r.Figures[figure]; ok {
			all = append(all, v)
		}
	}
	return middle(all)
}

func middle(all []float64) (float64, bool) {
	if len(all) == 0 {
		return 0, false
	}
	all = slices.Sorted(slices.Values(all))
	n := len(all)
	return (all[(n-1)/2] + all[n/2]) / 2, true
}

// ratios are one tool's figure over another's, of runs that followed each other.
func ratios(as, bs []outcome, figure string) []float64 {
	var out []float64
	for _, a := range as {
		i := slices.IndexFunc(bs, func(b outcome) bool { return b.Run == a.Run })
		if i < 0 {
			continue
		}
		x, okA := a.Figures[figure]
		if y := bs[i].Figures[figure]; okA && y > 0 {
			out = append(out, x/y)
		}
	}
	slices.Sort(out)
	return out
}
