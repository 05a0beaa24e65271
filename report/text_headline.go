package report

import (
	"fmt"
	"strings"

	"github.com/stampede-bench/stampede/ledger"
	"github.com/stampede-bench/stampede/measure"
)

// fact is one line of the headline: a label and what is to be said.
type fact struct{ label, text string }

// headline shows the few numbers that matter, side by side where there is room.
func (p *page) headline() {
	left, right := p.flowFacts(), p.latencyFacts()
	p.gap()
	const labelWidth = 11
	one := func(f fact, code string) string {
		return p.style(dim, fmt.Sprintf("%-*s", labelWidth, f.label)) + p.style(code, f.text)
	}
	if p.width < 88 || len(right) == 0 {
		for _, f := range append(left, right...) {
			p.line(one(f, ""))
		}
		return
	}
	column := 0
	for _, f := range left {
		column = max(column, labelWidth+width(f.text))
	}
	column = max(column+4, p.room()/2)
	for i := range max(len(left), len(right)) {
		line, at := "", 0
		if i < len(left) {
			line, at = one(left[i], ""), labelWidth+width(left[i].text)
		}
		if i < len(right) {
			line += strings.Repeat(" ", column-at) + one(right[i], "")
		}
		p.line(line)
	}
}

// flowFacts say how much went through.
func (p *page) flowFacts() []fact {
	r := p.r
	facts := []fact{{"requests", outcomes(r.Accounting.Accounting)}}
	add := func(label, text string) {
		if text != "" {
			facts = append(facts, fact{label, text})
		}
	}
	add("rate", rateText(&r.Throughput))
	add("output", outputText(&r.Throughput))
	add("per user", perUserText(r.Metrics[measure.TokensPerSecond]))
	add("in flight", inFlightText(&r.Throughput))
	add("goodput", goodputText(&r.SLO))
	return facts
}

// outcomes says what became of the requests, leaving out what did not happen.
func outcomes(a ledger.Accounting) string {
	s := fmt.Sprintf("%s of %s ok", integer(a.Succeeded), integer(a.Planned))
	for _, part := range []struct {
		n    int64
		what string
	}{{a.Failed, "failed"}, {a.TimedOut, "timed out"}, {a.Cancelled, "cancelled"}, {a.Unsent, "unsent"}, {a.Lost, "lost"}} {
		if part.n > 0 {
			s += ", " + integer(part.n) + " " + part.what
		}
	}
	return s
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

// latencyFacts are p50 and p99 of what users feel.
func (p *page) latencyFacts() []fact {
	var facts []fact
	for _, f := range []struct {
		label  string
		figure measure.Figure
	}{{"TTFT", measure.TTFT}, {"TPOT", measure.TPOT}, {"ITL", measure.ITL}, {"E2E", measure.E2E}} {
		if d := p.r.Metrics[f.figure]; d != nil {
			facts = append(facts, fact{f.label, fmt.Sprintf("p50 %8s   p99 %8s", optional(d.P50, seconds), optional(d.P99, seconds))})
		}
	}
	return facts
}
