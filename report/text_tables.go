package report

import (
	"fmt"
	"math"

	"github.com/stampede-bench/stampede/measure"
)

// percentiles is the table of distributions.
func (p *page) percentiles() {
	if t := percentileTable(p.r); len(t.rows) > 0 {
		p.section(t)
	}
}

func percentileTable(r *Report) *table {
	t := &table{columns: []column{
		{head: "", left: true}, {head: "unit", left: true},
		{head: "mean", keep: 5}, {head: "min", keep: 1}, {head: "p50"}, {head: "p90", keep: 6}, {head: "p95", keep: 4},
		{head: "p99"}, {head: "p99.9", keep: 2}, {head: "max", keep: 7}, {head: "count", keep: 3},
	}}
	for _, figure := range shown(r.Metrics) {
		d := r.Metrics[figure]
		name, cell := cells(d)
		t.add(string(figure), name, cell(d.Mean), cell(d.Min), cell(d.P50), cell(d.P90), cell(d.P95),
			cell(d.P99), cell(d.P999), cell(d.Max), integer(d.Count))
	}
	return t
}

// cells returns the unit in which a distribution reads best and how its values
// are shown in it, alike in one row.
func cells(d *measure.Distribution) (string, func(*float64) string) {
	typical, scale, name := or(d.P50, or(d.Mean, 0)), 1.0, d.Unit
	if d.Unit == "s" {
		u := unitOf(typical)
		if or(d.P99, 0)*u.factor >= 10_000 {
			u = unitOf(*d.P99)
		}
		scale, name = u.factor, u.name
	}
	n := decimals(typical * scale)
	if d.Unit == "tokens" {
		n = 0
	}
	return name, func(v *float64) string {
		return optional(v, func(v float64) string { return fixed(v*scale, n) })
	}
}

// shown picks the figures of the table: what exists, without those that say the
// same as another.
func shown(m Metrics) []measure.Figure {
	order := []measure.Figure{
		measure.TTFT, measure.TTFO, measure.TPOT, measure.ITL, measure.ICL, measure.E2E,
		measure.TTFTFromSchedule, measure.E2EFromSchedule, measure.Lateness,
		measure.InputTokens, measure.OutputTokens, measure.CachedTokens,
	}
	same := map[measure.Figure]measure.Figure{measure.TTFO: measure.TTFT, measure.ICL: measure.ITL}
	var figures []measure.Figure
	for _, f := range order {
		d := m[f]
		if d == nil || f == measure.CachedTokens && or(d.Max, 0) == 0 {
			continue
		}
		if other := m[same[f]]; other != nil && d.Count == other.Count && alike(d.Mean, other.Mean) {
			continue
		}
		figures = append(figures, f)
	}
	return figures
}

// alike reports whether two means differ by less than the histograms' precision.
func alike(a, b *float64) bool {
	return a != nil && b != nil && math.Abs(*a-*b) <= 0.001**b
}

func quantileText(d *measure.Distribution, p99 bool) string {
	switch {
	case d == nil:
		return "–"
	case p99:
		return optional(d.P99, seconds)
	default:
		return optional(d.P50, seconds)
	}
}

func optional(v *float64, show func(float64) string) string {
	if v == nil {
		return "–"
	}
	return show(*v)
}

// objectives is one row an objective, when there are some.
func (p *page) objectives() {
	if len(p.r.SLO.PerObjective) > 0 {
		p.section(objectiveTable(p.r))
	}
}

func objectiveTable(r *Report) *table {
	t := &table{columns: []column{{head: "objective", left: true}, {head: "limit"}, {head: "met by"}, {head: "share"}}}
	for _, name := range []string{"ttft", "tpot", "e2e"} {
		if o, there := r.SLO.PerObjective[name]; there {
			t.add(name, seconds(o.Limit), integer(o.Met), optional(o.Attainment, share1))
		}
	}
	return t
}

// errors is one row a kind, with an example.
func (p *page) errors() {
	if len(p.r.Errors) > 0 {
		p.section(errorTable(p.r))
	}
}

func errorTable(r *Report) *table {
	t := &table{columns: []column{{head: "error", left: true}, {head: "count"}, {head: "for example", left: true, shrink: true}}}
	for _, e := range r.Errors {
		t.add(printable(e.Kind), integer(e.Count), printable(example(e)))
	}
	return t
}

func example(e measure.ErrorGroup) string {
	if e.Message == "" && e.HTTPStatus != 0 {
		return fmt.Sprintf("HTTP status %d", e.HTTPStatus)
	}
	return e.Message
}

// agents is one row an agent, when there are several or one was lost.
func (p *page) agents() {
	if len(p.r.Agents) > 1 || len(p.r.Agents) == 1 && p.r.Agents[0].Lost != nil {
		p.section(agentTable(p.r))
	}
}

func agentTable(r *Report) *table {
	t := &table{columns: []column{
		{head: "agent", left: true, shrink: true}, {head: "requests"}, {head: "ok"}, {head: "failed", keep: 3},
		{head: "lateness p99"}, {head: "clock ±", keep: 2}, {head: "CPU", keep: 5}, {head: "", left: true},
	}}
	for i := range r.Agents {
		a := &r.Agents[i]
		remark := ""
		if a.Lost != nil {
			remark = fmt.Sprintf("lost at %s, %s %s unknown", a.Lost.At.UTC().Format("15:04:05"),
				integer(a.Lost.Requests), plural(a.Lost.Requests, "outcome", "outcomes"))
			if a.Lost.Returned {
				remark = "lost at " + a.Lost.At.UTC().Format("15:04:05") + ", came back"
			}
		}
		t.add(printable(a.Name), integer(a.Requests), integer(a.Succeeded), integer(a.Failed+a.TimedOut),
			quantileText(a.Lateness, true), optional(a.ClockBound, seconds), optional(a.CPUMax, percent), remark)
	}
	return t
}
