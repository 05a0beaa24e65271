package report

import (
	"fmt"
	"strings"

	"github.com/stampede-bench/stampede/measure"
)

// fact is one line of the headline: a label and what is to be said.
type fact struct{ label, text string }

const (
	labelWidth = 11
	shortLabel = 6  // beside them
	besides    = 88 // from this width on, facts stand side by side
)

// headline shows the few numbers that matter, side by side where there is room.
func (p *page) headline() {
	left := p.flowFacts()
	p.gap()
	show := func(f fact, n int) string { return p.style(dim, fmt.Sprintf("%-*s", n, f.label)) + p.style("", f.text) }
	column := p.room() / 2
	for _, f := range left {
		column = max(column, labelWidth+width(f.text)+4)
	}
	right := p.latencyFacts(p.room() - column - shortLabel)
	if p.width < besides || len(right) == 0 {
		for _, f := range append(left, p.latencyFacts(p.room()-labelWidth)...) {
			p.line(show(f, labelWidth))
		}
		return
	}
	for i := range max(len(left), len(right)) {
		line, at := "", 0
		if i < len(left) {
			line, at = show(left[i], labelWidth), labelWidth+width(left[i].text)
		}
		if i < len(right) {
			line += strings.Repeat(" ", column-at) + show(right[i], shortLabel)
		}
		p.line(line)
	}
}

// flowFacts say how much went through.
func (p *page) flowFacts() []fact {
	r := p.r
	facts := []fact{{"requests", outcomes(&r.Accounting)}}
	add := func(label, text string) {
		if text != "" {
			facts = append(facts, fact{label, text})
		}
	}
	add("rate", rateText(&r.Throughput))
	add("output", outputText(&r.Throughput))
	add("per user", perUserText(r.Metrics[measure.TokensPerSecond]))
	add("in flight", inFlightText(&r.Throughput))
	add("cache", cacheText(r.PrefixCache))
	add("goodput", goodputText(&r.SLO))
	return facts
}

// outcomes says what became of the requests, leaving out what did not happen.
func outcomes(a *Accounting) string {
	s := fmt.Sprintf("%s of %s ok", integer(a.Succeeded), integer(a.Planned))
	for _, part := range []struct {
		n    int64
		what string
	}{{a.Failed, "failed"}, {a.TimedOut, "timed out"}, {a.Cancelled, "cancelled"}, {a.Unsent, "unsent" + a.unsentText()}, {a.Lost, "lost"}} {
		if part.n > 0 {
			s += ", " + integer(part.n) + " " + part.what
		}
	}
	return s
}

// cacheText holds hits of the prefix cache against what was wanted.
func cacheText(c *PrefixCache) string {
	switch {
	case c == nil:
		return ""
	case c.Got == nil:
		return percent(c.Wanted) + " of input wanted, the endpoint does not tell"
	}
	return percent(*c.Got) + " of input hit, " + percent(c.Wanted) + " wanted"
}

// unsentText says how many of the unsent came after a turn that failed.
func (a *Accounting) unsentText() string {
	if n := a.UnsentByReason; n != nil && n.TurnBefore > 0 {
		return fmt.Sprintf(" (%s after a failed turn)", integer(n.TurnBefore))
	}
	return ""
}

func rateText(t *measure.Throughput) string {
	switch {
	case t.OfferedRate != nil && t.AchievedRate != nil:
		return fmt.Sprintf("%s/s offered → %s/s achieved", number(*t.OfferedRate), number(*t.AchievedRate))
	case t.RequestThroughput != nil:
		return number(*t.RequestThroughput) + " requests/s"
	default:
		return ""
	}
}

func outputText(t *measure.Throughput) string {
	if t.OutputThroughput == nil {
		return ""
	}
	s := number(*t.OutputThroughput) + " tokens/s"
	if t.PeakOutputThroughput != nil {
		s += ", peak " + number(*t.PeakOutputThroughput)
	}
	return s
}

func goodputText(s *SLO) string {
	if s.Attainment == nil {
		return ""
	}
	text := percent(*s.Attainment) + " met the SLO"
	if s.GoodputRPS != nil {
		text = number(*s.GoodputRPS) + " requests/s, " + text
	}
	return text
}

// perUserText says how fast single replies stream; the slow tail is the low one.
func perUserText(d *measure.Distribution) string {
	if d == nil || d.P50 == nil || d.P5 == nil {
		return ""
	}
	return fmt.Sprintf("%s tokens/s p50, %s p5", number(*d.P50), number(*d.P5))
}

// inFlightText says how many requests were under way at a time.
func inFlightText(t *measure.Throughput) string {
	if t.InFlightMean == nil || t.InFlightPeak == nil {
		return ""
	}
	return fmt.Sprintf("%s on average, peak %s", number(*t.InFlightMean), fixed(*t.InFlightPeak, 0))
}

// latencyFacts are p50 and p99 of what users feel, with their intervals as far as
// there is room for them.
func (p *page) latencyFacts(room int) []fact {
	var labels []string
	var rows [][4]string
	for _, f := range []struct {
		label  string
		figure measure.Figure
	}{{"TTFT", measure.TTFT}, {"TPOT", measure.TPOT}, {"ITL", measure.ITL}, {"E2E", measure.E2E}} {
		if d := p.r.Metrics[f.figure]; d != nil {
			labels = append(labels, f.label)
			rows = append(rows, [4]string{
				fmt.Sprintf("%8s", optional(d.P50, seconds)), intervalText(d, "p50", d.P50),
				fmt.Sprintf("%8s", optional(d.P99, seconds)), intervalText(d, "p99", d.P99),
			})
		}
	}
	widths, shown := intervalRoom(rows, room)
	facts := make([]fact, 0, len(rows)+1)
	for i, row := range rows {
		text := "p50 " + row[0] + padded(row[1], widths[0]) + "   p99 " + row[2] + padded(row[3], widths[1])
		facts = append(facts, fact{labels[i], strings.TrimRight(text, " ")})
	}
	if shown {
		facts = append(facts, fact{"", "[ ] " + intervalKind(p.r)})
	}
	return facts
}

// intervalRoom decides which intervals are shown: both, or those of the percentile
// that more figures have one of. It returns the widths of their columns.
func intervalRoom(rows [][4]string, room int) (widths [2]int, shown bool) {
	bare, more := 0, 0 // more figures have one of p99
	for _, row := range rows {
		bare = max(bare, width("p50 "+row[0]+"   p99 "+row[2]))
		widths[0], widths[1] = max(widths[0], width(row[1])), max(widths[1], width(row[3]))
		more += min(len(row[3]), 1) - min(len(row[1]), 1)
	}
	if bare+widths[0]+widths[1] > room {
		if more >= 0 {
			widths[0] = 0
		} else {
			widths[1] = 0
		}
	}
	if bare+widths[0]+widths[1] > room {
		widths = [2]int{}
	}
	return widths, widths != [2]int{}
}

// padded fills a column; one without width is left out.
func padded(s string, n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%-*s", n, s)
}

// intervalText is the interval of a value in the value's unit, or nothing.
func intervalText(d *measure.Distribution, name string, v *float64) string {
	ends, there := d.CI95[name]
	if !there || v == nil {
		return ""
	}
	u := unitOf(*v)
	return fmt.Sprintf(" [%s, %s]", number(ends[0]*u.factor), number(ends[1]*u.factor))
}

// intervalKind says what the intervals of a report are of.
func intervalKind(r *Report) string {
	if r.Trials == nil {
		return "95 % interval within this run"
	}
	return fmt.Sprintf("95 %% interval between %d trials", r.Trials.N)
}
