package report

import (
	"slices"

	"github.com/stampede-bench/stampede/measure"
)

// stages is one row a stage, when there is more than one.
func (p *page) stages() {
	if len(p.r.Stages) > 1 {
		p.section(stageTable(p.r))
	}
}

// stageQuantile is a column of the stages' table: a quantile of a figure, and how
// long it stays when room is scarce.
type stageQuantile struct {
	figure measure.Figure
	head   string
	of     func(*measure.Distribution) *float64
	keep   int
}

var stageQuantiles = []stageQuantile{
	{measure.TTFT, "ttft p50", distP50, 0}, {measure.TTFT, "p90", distP90, 1}, {measure.TTFT, "p99", distP99, 0},
	{measure.TPOT, "tpot p50", distP50, 0}, {measure.TPOT, "p90", distP90, 2}, {measure.TPOT, "p99", distP99, 8},
	{measure.E2E, "e2e p50", distP50, 6}, {measure.E2E, "p99", distP99, 4},
}

func distP50(d *measure.Distribution) *float64 { return d.P50 }
func distP90(d *measure.Distribution) *float64 { return d.P90 }
func distP99(d *measure.Distribution) *float64 { return d.P99 }

// stageTable shows all latencies of one figure in one unit, so that rows compare
// at a glance; the unit stands in the head.
func stageTable(r *Report) *table {
	slo := r.SLO.Attainment != nil
	t := &table{columns: []column{
		{head: "stage", left: true, shrink: true}, {head: "ok", keep: 9}, {head: "req/s"},
	}}
	if slo {
		t.columns = append(t.columns, column{head: "goodput/s", keep: 7}, column{head: "SLO met"})
	}
	if tokens(r) {
		t.columns = append(t.columns, column{head: "tokens/s"})
	}
	units := map[measure.Figure]unit{}
	for _, q := range quantilesOf(r) {
		if _, known := units[q.figure]; !known {
			units[q.figure] = stageUnit(r, q.figure)
		}
		head := q.head
		if q.keep == 0 && q.head != "p99" || q.figure == measure.E2E && q.head != "p99" {
			head += " " + units[q.figure].name
		}
		t.columns = append(t.columns, column{head: head, keep: q.keep})
	}
	for i := range r.Stages {
		t.add(stageRow(r, &r.Stages[i], slo, units)...)
	}
	return t
}

// tokens reports whether answers consist of tokens.
func tokens(r *Report) bool { return r.Spec == nil || r.Spec.Endpoint.Generates() }

// quantilesOf leaves out those of figures that no answer of the API has.
func quantilesOf(r *Report) []stageQuantile {
	if tokens(r) {
		return stageQuantiles
	}
	return slices.DeleteFunc(slices.Clone(stageQuantiles), func(q stageQuantile) bool { return q.figure != measure.E2E })
}

func stageRow(r *Report, s *Stage, slo bool, units map[measure.Figure]unit) []string {
	row := []string{
		printable(s.Name), integer(s.Accounting.Succeeded) + "/" + integer(s.Accounting.Planned),
		optional(s.Throughput.RequestThroughput, number),
	}
	if slo {
		row = append(row, optional(s.SLO.GoodputRPS, number), optional(s.SLO.Attainment, share1))
	}
	if tokens(r) {
		row = append(row, optional(s.Throughput.OutputThroughput, number))
	}
	for _, q := range quantilesOf(r) {
		cell := "–"
		if d := s.Metrics[q.figure]; d != nil {
			factor := units[q.figure].factor
			cell = optional(q.of(d), func(v float64) string { return number(v * factor) })
		}
		row = append(row, cell)
	}
	return row
}

// stageUnit is the unit in which a figure reads best over all stages: that of the
// least median, unless the greatest p99 would fill the column.
func stageUnit(r *Report, f measure.Figure) unit {
	least, most := 0.0, 0.0
	for i := range r.Stages {
		d := r.Stages[i].Metrics[f]
		if d == nil || d.P50 == nil || d.P99 == nil {
			continue
		}
		if least == 0 || *d.P50 < least {
			least = *d.P50
		}
		most = max(most, *d.P99)
	}
	if least == 0 {
		return millis
	}
	u := unitOf(least)
	if most*u.factor >= 100_000 {
		u = unitOf(most)
	}
	return u
}
