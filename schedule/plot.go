package schedule

import (
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/stampede-bench/stampede/internal/plural"
)

// Plot draws the offered rate of a plan over its nominal time, width columns and
// height rows of it, in ASCII; beneath stand the phases. A closed loop offers no
// rate of its own and is drawn as a row of "=", a rate of inf as a "^"; what has
// no duration of its own is given a tenth of the width. It returns the first
// error of w.
func Plot(w io.Writer, plan *Plan, width, height int) error {
	width, height = max(width, 10), max(height, 3)
	c := newChart(plan, width)
	var out strings.Builder
	c.draw(&out, height)
	c.legend(&out, plan)
	_, err := io.WriteString(w, out.String())
	return err
}

// chart is a plan divided into columns.
type chart struct {
	columns []column
	begins  []int     // first column of each phase
	times   []float64 // seconds at the left edge of each column, and at the end
	top     float64   // highest rate
}

type column struct {
	rate float64 // requests per second
	mark byte    // for what has no rate: '=' closed loop, '^' all at once, ' ' idle
}

func newChart(plan *Plan, width int) *chart {
	c := &chart{}
	widths := columnsOf(plan, width)
	for i, p := range plan.Phases {
		c.begins = append(c.begins, len(c.columns))
		for j := range widths[i] {
			from, to := edge(p, j, widths[i]), edge(p, j+1, widths[i])
			c.times = append(c.times, float64(p.Nominal+from)/nanosPerSecond)
			c.columns = append(c.columns, columnOf(p, from, to))
			c.top = max(c.top, c.columns[len(c.columns)-1].rate)
		}
	}
	c.times = append(c.times, float64(plan.Duration())/nanosPerSecond)
	return c
}

// edge is the in-phase nanosecond where column j of n begins.
func edge(p *Phase, j, n int) int64 {
	return int64(float64(p.Duration) * float64(j) / float64(n))
}

func columnOf(p *Phase, from, to int64) column {
	switch {
	case p.Kind == Closed:
		return column{mark: '='}
	case p.Duration == 0:
		return column{mark: '^'}
	case to <= from:
		return column{mark: ' '}
	}
	switch times := p.times.(type) {
	case constant: // as it was asked for; counts of a few would flicker
		return column{rate: p.Rate, mark: ' '}
	case rampConstant:
		return column{rate: times.rateAt(from + (to-from)/2), mark: ' '}
	case seconds:
		if !times.spread {
			from = from / nanosPerSecond * nanosPerSecond // a second's entries stand at its start
			to = (to + nanosPerSecond - 1) / nanosPerSecond * nanosPerSecond
		}
	}
	return column{rate: perSecond(p.Before(to)-p.Before(from), to-from), mark: ' '}
}

// columnsOf divides the width among phases by their durations, one column each
// at least.
func columnsOf(plan *Plan, width int) []int {
	timeless := 0
	for _, p := range plan.Phases {
		if p.Duration == 0 {
			timeless++
		}
	}
	widths := make([]int, len(plan.Phases))
	total := plan.Duration()
	rest := width
	if total > 0 {
		rest = max(width-timeless*max(width/10, 1), width/2)
	}
	for i, p := range plan.Phases {
		switch {
		case p.Duration > 0:
			widths[i] = max(int(math.Round(float64(rest)*float64(p.Duration)/float64(total))), 1)
		case total > 0:
			widths[i] = max((width-rest)/timeless, 1)
		default:
			widths[i] = max(width/timeless, 1)
		}
	}
	return widths
}

// draw writes the rows from the top, then the axis.
func (c *chart) draw(out *strings.Builder, height int) {
	top := niceCeil(c.top)
	label := func(v float64) string { return fmt.Sprintf("%.4g", v) }
	margin := max(len(label(top)), len(label(top/2)), len("req/s"))
	fmt.Fprintf(out, "%*s\n", margin, "req/s")
	for row := height; row >= 1; row-- {
		tick := ""
		if c.top > 0 && (row == height || height >= 5 && row == (height+1)/2) {
			tick = label(top * float64(row) / float64(height))
		}
		line := make([]byte, len(c.columns))
		for i, col := range c.columns {
			line[i] = cell(col, row, height, top)
		}
		fmt.Fprintf(out, "%*s |%s\n", margin, tick, strings.TrimRight(string(line), " "))
	}
	c.axis(out, margin)
}

// cell is what stands in a row of a column: a bar with a finer top.
func cell(col column, row, height int, top float64) byte {
	if col.rate == 0 {
		if row == 1 {
			return col.mark
		}
		return ' '
	}
	level := col.rate / top * float64(height)
	switch {
	case level >= float64(row)-0.25:
		return '#'
	case level >= float64(row)-0.6:
		return ':'
	case level >= float64(row)-1 && (row == 1 || level > float64(row)-0.95):
		return '.'
	}
	return ' '
}

// axis writes the time axis, a + where each phase begins, and its labels.
func (c *chart) axis(out *strings.Builder, margin int) {
	line := []byte(strings.Repeat("-", len(c.columns)))
	labels := []byte(strings.Repeat(" ", len(c.columns)+12))
	free := 0
	end := clockText(c.times[len(c.times)-1])
	for _, b := range c.begins {
		line[b] = '+'
		text := clockText(c.times[b])
		if b >= free && b+len(text)+2 <= len(c.columns)-len(end)/2 {
			free = b + copy(labels[b:], text) + 2
		}
	}
	copy(labels[max(len(c.columns)-len(end)/2, free):], end)
	fmt.Fprintf(out, "%*s +%s\n", margin, "0", line)
	fmt.Fprintf(out, "%*s  %s\n", margin, "", strings.TrimRight(string(labels), " "))
}

func clockText(seconds float64) string {
	d := time.Duration(seconds * 1e9)
	if d >= 10*time.Second {
		d = d.Round(100 * time.Millisecond)
	}
	return d.Round(time.Millisecond).String()
}

// legend lists the phases.
func (c *chart) legend(out *strings.Builder, plan *Plan) {
	name := 0
	for _, p := range plan.Phases {
		name = max(name, len(p.Name))
	}
	for i, p := range plan.Phases {
		fmt.Fprintf(out, "  + %-8s %-*s  %s\n", clockText(c.times[c.begins[i]]), name, p.Name, p.summary())
	}
}

// summary is a phase in a few words.
func (p *Phase) summary() string {
	var parts []string
	if p.Sessions != Unbounded {
		count := plural.Of(p.Sessions, "request")
		if p.turned() {
			count = plural.Of(p.Sessions, "session") + ", " + plural.Of(p.Entries, "request")
		}
		if p.Kind == Closed && p.Duration > 0 {
			count = "at most " + count
		}
		parts = append(parts, count)
	}
	if p.Duration > 0 {
		parts = append(parts, "in "+clockText(float64(p.Duration)/nanosPerSecond))
	}
	switch {
	case p.Kind == Closed:
		parts = append(parts, "closed loop, "+p.slotsText())
	case math.IsInf(p.Rate, 1):
		parts = append(parts, "all at once")
	default:
		unit := "req/s"
		if p.turned() {
			unit = "sessions/s"
		}
		parts = append(parts, fmt.Sprintf("mean %.4g %s", perSecond(p.Sessions, p.Duration), unit))
	}
	if p.MaxConcurrency > 0 {
		parts = append(parts, fmt.Sprintf("at most %d in flight", p.MaxConcurrency))
	}
	if p.DrainFull {
		parts = append(parts, "then drain")
	}
	return strings.Join(parts, ", ")
}

// turned reports whether sessions of the phase are known to have several turns.
func (p *Phase) turned() bool { return p.Entries > p.Sessions && p.Sessions != Unbounded }

func (p *Phase) slotsText() string {
	if p.OfSessions {
		return plural.Of(p.Slots, "session") + " at a time"
	}
	return fmt.Sprintf("%d in flight", p.Slots)
}

// niceCeil is the next of 1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10 times a power of ten.
func niceCeil(x float64) float64 {
	if x <= 0 {
		return 1
	}
	scale := math.Pow(10, math.Floor(math.Log10(x)))
	for _, step := range []float64{1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8} {
		if x <= step*scale*1.0000001 {
			return step * scale
		}
	}
	return 10 * scale
}
