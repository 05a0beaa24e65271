package export

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// aiperfSchema is the version of AIPerf's summary that is written.
const aiperfSchema = "1.5"

// aiperfFiles write AIPerf's profile_export_aiperf.json and, line by line, its
// profile_export.jsonl. Every metric is a key of its own with its unit; a metric
// that does not exist is left out. AIPerf's inter_token_latency is (request
// latency - TTFT) / (output tokens - 1), its inter_chunk_latency the gap between
// chunks.
func aiperfFiles(d *data, rows Rows) []File {
	return []File{
		jsonFile("aiperf_"+d.r.ID+".json", func() object { return aiperfSummary(d) }),
		{Name: "aiperf_" + d.r.ID + ".jsonl", Write: aiperfLines(d, rows)},
	}
}

func aiperfSummary(d *data) object {
	var o object
	o.add("schema_version", aiperfSchema)
	o.add("aiperf_version", d.version())
	o.add("benchmark_id", d.r.ID)
	aiperfDistributions(d, &o)
	aiperfTotals(d, &o)
	o.add("input_config", aiperfConfig(d))
	o.add("run_info", object{
		{"benchmark_id", d.r.ID}, {"sweep_id", nil}, {"random_seed", d.spec.Seed}, {"trial", nil},
		{"run_label", nullIfEmpty(d.r.Name)},
	})
	o.add("was_cancelled", d.r.State == "CANCELLED")
	o.add("error_summary", aiperfErrors(d))
	o.add("start_time", isoTime(d.r.StartedAt))
	o.add("end_time", isoTime(d.r.EndedAt))
	return o
}

// aiperfMetric is one metric of a request.
type aiperfMetric struct {
	tag, unit string
	factor    float64
	figure    func(*request) (float64, bool)
}

func (d *data) aiperfMetrics() []aiperfMetric {
	second := func(q *request) (float64, bool) {
		if !d.streaming || q.gapsTo == q.gapsFrom {
			return 0, false
		}
		return float64(d.gaps[q.gapsFrom]) / 1e9, true
	}
	perUser := func(q *request) (float64, bool) {
		v, ok := d.decode(q)
		return 1 / v, ok && v > 0
	}
	answer := func(q *request) (float64, bool) {
		return float64(q.output - max(q.reasoning, 0)), q.output >= 0
	}
	reasoning := func(q *request) (float64, bool) { return float64(q.reasoning), q.reasoning >= 0 }
	return []aiperfMetric{
		{"request_latency", "ms", 1e3, d.e2e},
		{"time_to_first_token", "ms", 1e3, d.ttft},
		{"time_to_second_token", "ms", 1e3, second},
		{"time_to_first_output_token", "ms", 1e3, d.ttfo},
		{"inter_token_latency", "ms", 1e3, d.decode},
		{"output_token_throughput_per_user", "tokens/sec/user", 1, perUser},
		{"output_sequence_length", "tokens", 1, outputTokens},
		{"output_token_count", "tokens", 1, answer},
		{"reasoning_token_count", "tokens", 1, reasoning},
		{"input_sequence_length", "tokens", 1, inputTokens},
	}
}

func aiperfDistributions(d *data, o *object) {
	for _, m := range d.aiperfMetrics() {
		aiperfStats(o, m.tag, m.unit, m.factor, d.values(m.figure))
		if m.tag == "inter_token_latency" {
			aiperfStats(o, "inter_chunk_latency", "ms", 1e3, d.streamGaps())
		}
	}
}

func aiperfStats(o *object, tag, unit string, factor float64, values []float64) {
	for i := range values {
		values[i] *= factor
	}
	s := newSample(values)
	if s == nil {
		return
	}
	stats := object{{"unit", unit}, {"avg", s.mean}, {"min", s.min()}, {"max", s.max()}}
	for _, p := range []struct {
		key string
		p   float64
	}{{"p1", 1}, {"p5", 5}, {"p10", 10}, {"p25", 25}, {"p50", 50}, {"p75", 75}, {"p90", 90}, {"p95", 95}, {"p99", 99}} {
		stats.add(p.key, s.percentile(p.p))
	}
	stats.add("std", s.std)
	stats.add("count", s.count())
	stats.add("sum", s.sum)
	o.add(tag, stats)
}

func aiperfTotals(d *data, o *object) {
	scalar := func(tag, unit string, v float64) {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			o.add(tag, object{{"unit", unit}, {"avg", v}})
		}
	}
	succeeded, input, output := d.tokens()
	duration := d.duration()
	scalar("request_throughput", "requests/sec", float64(succeeded)/duration)
	scalar("output_token_throughput", "tokens/sec", float64(output)/duration)
	scalar("total_token_throughput", "tokens/sec", float64(input+output)/duration)
	scalar("request_count", "requests", float64(succeeded))
	if failed := len(d.requests) - succeeded; failed > 0 {
		scalar("error_request_count", "requests", float64(failed))
	}
	if d.hasObjectives() {
		good := float64(d.goodCount())
		scalar("good_request_count", "requests", good)
		scalar("good_request_fraction", "ratio", good/float64(len(d.requests)))
		scalar("goodput", "requests/sec", good/duration)
	}
	scalar("benchmark_duration", "sec", duration)
}

func aiperfConfig(d *data) object {
	l := d.load()
	kind := "chat"
	if d.spec.Endpoint.API == "completions" {
		kind = "completions"
	}
	loadgen := object{{"request_count", d.r.Accounting.Planned}}
	addKnown(&loadgen, "concurrency", l.concurrency)
	if l.rate != nil && !math.IsInf(*l.rate, 1) {
		loadgen.add("request_rate", *l.rate)
		loadgen.add("arrival_pattern", l.arrival)
	}
	return object{
		{"endpoint", object{{"model_names", []string{d.r.Model}}, {"type", kind}, {"streaming", d.streaming}}},
		{"loadgen", loadgen},
	}
}

// aiperfErrors counts failed requests by what they failed of, most frequent
// first.
func aiperfErrors(d *data) []object {
	type group struct {
		kind, message string
		code          any
		count         int
	}
	var groups []*group
	byKind := map[string]*group{}
	for i := range d.requests {
		q := &d.requests[i]
		if q.ok() {
			continue
		}
		id := cmp.Or(q.kind, q.status)
		g := byKind[id]
		if g == nil {
			g = &group{kind: id, message: q.message, code: q.aiperfCode()}
			byKind[id], groups = g, append(groups, g)
		}
		g.count++
	}
	slices.SortStableFunc(groups, func(a, b *group) int { return b.count - a.count })
	list := make([]object, 0, len(groups))
	for _, g := range groups {
		list = append(list, object{
			{"error_details", object{{"code", g.code}, {"type", aiperfType(g.kind)}, {"message", g.message}}}, {"count", g.count},
		})
	}
	return list
}

// cancelledCode is AIPerf's for a request that the client gave up.
const cancelledCode = 499

func (q *request) aiperfCode() any {
	switch {
	case q.status == "cancelled":
		return cancelledCode
	case q.httpStatus >= 400:
		return q.httpStatus
	default:
		return nil
	}
}

// aiperfType is the name of an error as a class name, such as HttpStatus.
func aiperfType(kind string) string {
	parts := strings.Split(kind, "_")
	for i, p := range parts {
		if p != "" {
			parts[i] = strings.ToUpper(p[:1]) + p[1:]
		}
	}
	return strings.Join(parts, "")
}
