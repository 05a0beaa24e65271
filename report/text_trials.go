package report

import "fmt"

// trialsText says how many trials the figures are means of.
func trialsText(t *Trials) string {
	if t.N < t.Asked {
		return fmt.Sprintf("means over %d of %d trials", t.N, t.Asked)
	}
	return fmt.Sprintf("means over %d trials", t.N)
}

// trials is one row a figure that is no distribution, with its interval.
func (p *page) trials() {
	if p.r.Trials != nil && p.r.Trials.N > 1 {
		p.section(trialTable(p.r))
	}
}

func trialTable(r *Report) *table {
	t := &table{columns: []column{
		{head: "", left: true}, {head: "unit", left: true}, {head: "mean"}, {head: fmt.Sprintf("95 %% between %d trials", r.Trials.N), left: true},
	}}
	for _, f := range []struct {
		name, unit, path string
		value            *float64
	}{
		{"request throughput", "1/s", "throughput.request_throughput", r.Throughput.RequestThroughput},
		{"output throughput", "tokens/s", "throughput.output_throughput", r.Throughput.OutputThroughput},
		{"goodput", "1/s", "slo.goodput_rps", r.SLO.GoodputRPS},
		{"SLO attainment", "", "slo.attainment", r.SLO.Attainment},
		{"fail rate", "", "fail_rate", r.FailRate},
	} {
		ends, there := r.Trials.CI95[f.path]
		if f.value == nil || !there {
			continue
		}
		show := number
		if f.unit == "" {
			show = percent
		}
		t.add(f.name, f.unit, show(*f.value), fmt.Sprintf("[%s, %s]", show(ends[0]), show(ends[1])))
	}
	return t
}
