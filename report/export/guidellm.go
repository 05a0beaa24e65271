package export

import (
	"math"
	"slices"
)

// guidellmFiles write GuideLLM's benchmarks.json, best effort: its schema moves
// between releases, and no release is claimed. Its request_latency is seconds, what ends
// in _ms milliseconds. Its time_per_output_token holds the time to the first token
// and is weighted by output tokens; its inter_token_latency is (last - first) /
// (output tokens - 1), weighted by those. Percentiles are of the weighted
// cumulative distribution. Distributions of rates are over whole seconds.
func guidellmFiles(d *data, _ Rows) []File {
	return []File{jsonFile("guidellm_"+d.r.ID+".json", func() object {
		return object{
			{"metadata", object{{"version", 1}, {"guidellm_version", d.version()}}},
			{"config", object{{"target", d.url}, {"model", d.r.Model}, {"label", nullIfEmpty(d.r.Name)}}},
			{"benchmarks", []object{guidellmBenchmark(d)}},
		}
	})}
}

// guidellmClass is a class of requests in GuideLLM's words.
type guidellmClass int

const (
	successful guidellmClass = iota
	incomplete
	errored
	classes
)

var guidellmWords = [classes]string{"successful", "incomplete", "errored"}

func (q *request) class() guidellmClass {
	switch q.status {
	case "succeeded":
		return successful
	case "failed", "timed_out":
		return errored
	default:
		return incomplete
	}
}

func guidellmBenchmark(d *data) object {
	start, end := unixSeconds(d.firstSent), unixSeconds(d.lastEnd)
	var made [classes]int
	for i := range d.requests {
		made[d.requests[i].class()]++
	}
	counts, requests := object{}, object{}
	for c, word := range guidellmWords {
		counts.add(word, made[c])
		requests.add(word, d.guidellmRows(guidellmClass(c)))
	}
	counts.add("total", len(d.requests))
	return object{
		{"type_", "generative_benchmark"},
		{"config", object{{"id_", d.r.ID}, {"run_id", d.r.TestID}, {"strategy", guidellmStrategy(d)}}},
		{"scheduler_state", object{{"created_requests", len(d.requests)}, {"processed_requests", len(d.requests)}}},
		{"scheduler_metrics", object{
			{"start_time", start}, {"request_start_time", start}, {"measure_start_time", start},
			{"measure_end_time", end}, {"request_end_time", end}, {"end_time", end}, {"requests_made", counts},
			{"resolve_targeted_start_delay_avg", meanOf(d.values(queueTime))},
			{"request_start_delay_avg", meanOf(d.values(queueTime))},
		}},
		{"metrics", guidellmMetrics(d)},
		{"requests", requests},
		{"start_time", start}, {"end_time", end}, {"duration", d.span()},
		{"warmup_duration", 0.0}, {"cooldown_duration", 0.0},
	}
}

func meanOf(values []float64) float64 {
	if s := newSample(values); s != nil {
		return s.mean
	}
	return 0
}

func guidellmStrategy(d *data) object {
	l := d.load()
	switch {
	case l.concurrency != nil:
		return object{{"type_", "concurrent"}, {"streams", *l.concurrency}}
	case l.rate != nil && math.IsInf(*l.rate, 1):
		return object{{"type_", "throughput"}}
	case l.rate != nil && l.arrival == "constant":
		return object{{"type_", "constant"}, {"rate", *l.rate}}
	case l.rate != nil:
		return object{{"type_", "poisson"}, {"rate", *l.rate}}
	default:
		return object{{"type_", "other"}}
	}
}

// guidellmFigure is one figure of a request with its weight.
type guidellmFigure struct {
	name   string
	figure func(*request) (value, weight float64, ok bool)
}

func guidellmFigures(d *data) []guidellmFigure {
	plain := func(factor float64, figure func(*request) (float64, bool)) func(*request) (float64, float64, bool) {
		return func(q *request) (float64, float64, bool) {
			v, ok := figure(q)
			return v * factor, 1, ok
		}
	}
	total := func(q *request) (float64, bool) {
		return float64(q.input + q.output), q.input >= 0 && q.output >= 0
	}
	return []guidellmFigure{
		{"request_latency", plain(1, d.response)},
		{"prompt_token_count", plain(1, inputTokens)},
		{"output_token_count", plain(1, outputTokens)},
		{"total_token_count", plain(1, total)},
		{"time_to_first_token_ms", plain(1e3, d.ttft)},
		{"time_to_first_output_token_ms", plain(1e3, d.ttfo)},
		{"time_per_output_token_ms", func(q *request) (float64, float64, bool) {
			v, ok := d.e2e(q)
			n := float64(q.output)
			return v * 1e3 / n, n, ok && q.output > 0
		}},
		{"inter_token_latency_ms", func(q *request) (float64, float64, bool) {
			v, ok := d.decode(q)
			return v * 1e3, float64(q.output - 1), ok
		}},
	}
}

func guidellmMetrics(d *data) object {
	o := object{
		{"requests_per_second", d.perClass(func(q *request) float64 { return 1 })},
		{"request_concurrency", d.concurrency()},
	}
	for _, f := range guidellmFigures(d) {
		var values [classes][]weightedValue
		for i := range d.requests {
			q := &d.requests[i]
			if v, weight, ok := f.figure(q); ok {
				values[q.class()] = append(values[q.class()], weightedValue{v, weight})
			}
		}
		o.add(f.name, byClass(values))
	}
	o.add("prompt_tokens_per_second", d.perClass(func(q *request) float64 { return float64(max(q.input, 0)) }))
	o.add("output_tokens_per_second", d.perClass(func(q *request) float64 { return float64(max(q.output, 0)) }))
	o.add("tokens_per_second", d.perClass(func(q *request) float64 { return float64(max(q.input, 0) + max(q.output, 0)) }))
	return o
}

// byClass is a distribution of each class and of all.
func byClass(values [classes][]weightedValue) object {
	var o object
	all := slices.Concat(values[:]...)
	for c, word := range guidellmWords {
		o.add(word, guidellmStats(newWeighted(values[c])))
	}
	o.add("total", guidellmStats(newWeighted(all)))
	return o
}

// perClass is what requests brought in each second, by their end.
func (d *data) perClass(amount func(*request) float64) object {
	span := d.span()
	seconds := int(math.Ceil(span))
	if seconds == 0 {
		return byClass([classes][]weightedValue{})
	}
	var sums [classes + 1][]float64
	for i := range sums {
		sums[i] = make([]float64, seconds)
	}
	for i := range d.requests {
		q := &d.requests[i]
		if q.end == absent {
			continue
		}
		at := min(int((q.end-d.firstSent)/1e9), seconds-1)
		sums[q.class()][at] += amount(q)
		sums[classes][at] += amount(q)
	}
	var o object
	for i, word := range append(guidellmWords[:], "total") {
		values := make([]weightedValue, seconds)
		for s, sum := range sums[i] {
			width := min(1, span-float64(s)) // of the second, which may be the last
			values[s] = weightedValue{sum / width, width}
		}
		o.add(word, guidellmStats(newWeighted(values)))
	}
	return o
}

// concurrency is how many requests of a class were under way, weighted by time.
func (d *data) concurrency() object {
	var o object
	for c, word := range append(guidellmWords[:], "total") {
		o.add(word, guidellmStats(newWeighted(d.flights(func(q *request) bool {
			return c == int(classes) || q.class() == guidellmClass(c)
		}))))
	}
	return o
}

func (d *data) flights(of func(*request) bool) []weightedValue {
	type change struct {
		at int64
		by float64
	}
	var changes []change
	for i := range d.requests {
		if q := &d.requests[i]; of(q) && q.sent != absent && q.end > q.sent {
			changes = append(changes, change{q.sent, 1}, change{q.end, -1})
		}
	}
	slices.SortFunc(changes, func(a, b change) int {
		switch {
		case a.at < b.at:
			return -1
		case a.at > b.at:
			return 1
		}
		return int(a.by - b.by)
	})
	var values []weightedValue
	now := 0.0
	for i, c := range changes {
		if i > 0 && c.at > changes[i-1].at {
			values = append(values, weightedValue{now, float64(c.at-changes[i-1].at) / 1e9})
		}
		now += c.by
	}
	return values
}

var guidellmQuantiles = []struct {
	key string
	p   float64
}{
	{"p001", 0.1}, {"p01", 1}, {"p05", 5}, {"p10", 10}, {"p25", 25}, {"p50", 50}, {"p75", 75},
	{"p90", 90}, {"p95", 95}, {"p99", 99}, {"p999", 99.9},
}

// guidellmStats is a distribution; all zero without values, as GuideLLM has it.
func guidellmStats(s *weighted) object {
	count := 0.0
	if s == nil {
		s = &weighted{values: []weightedValue{{0, 1}}, weight: 1}
	} else {
		count = s.weight
	}
	variance := s.variance()
	percentiles := object{}
	for _, q := range guidellmQuantiles {
		percentiles.add(q.key, s.percentile(q.p))
	}
	return object{
		{"mean", s.sum() / s.weight}, {"median", s.percentile(50)}, {"mode", s.mode()},
		{"variance", variance}, {"std_dev", math.Sqrt(variance)},
		{"min", s.values[0].value}, {"max", s.values[len(s.values)-1].value},
		{"count", int64(math.Round(count))}, {"total_sum", s.sum()}, {"percentiles", percentiles},
	}
}
