package export

import (
	"cmp"
	"math"
	"slices"
)

// inferencePerfFiles write inference-perf's summary_lifecycle_metrics.json. All
// times are seconds; percentiles are numpy's. Its request_latency ends with the
// response, its time_to_first_token with the first content (reasoning does not
// count) and takes two tokens, its inter_token_latency is the gap between chunks,
// and its throughputs are over the time from first start to last end of all
// requests, failed ones too.
func inferencePerfFiles(d *data, _ Rows) []File {
	return []File{jsonFile("inference-perf_"+d.r.ID+".json", func() object {
		return object{
			{"benchmark_time_seconds", d.span()},
			{"load_summary", inferencePerfLoad(d)},
			{"successes", inferencePerfSuccesses(d)},
			{"failures", inferencePerfFailures(d)},
		}
	})}
}

// span is first sent to last end of all requests in seconds.
func (d *data) span() float64 {
	v, ok := between(d.firstSent, d.lastEnd)
	if !ok {
		return 0
	}
	return v
}

func inferencePerfLoad(d *data) object {
	var delays []float64
	first, last := int64(absent), int64(absent)
	for i := range d.requests {
		q := &d.requests[i]
		if q.sent == absent {
			continue
		}
		if v, ok := between(q.intended, q.sent); ok {
			delays = append(delays, v)
		}
		if first == absent || q.sent < first {
			first = q.sent
		}
		last = max(last, q.sent)
	}
	o := object{{"count", len(d.requests)}, {"schedule_delay", inferencePerfStats(delays)}}
	sending, _ := between(first, last)
	o.add("send_duration", sending)
	l := d.load()
	if l.rate != nil && !math.IsInf(*l.rate, 1) {
		o.add("requested_rate", *l.rate)
	} else {
		o.add("requested_rate", nil)
	}
	if sending > 0 {
		o.add("achieved_rate", float64(len(delays))/sending)
	} else {
		o.add("achieved_rate", nil)
	}
	addKnown(&o, "concurrency", l.concurrency)
	return o
}

func inferencePerfSuccesses(d *data) object {
	succeeded, input, output := d.tokens()
	span := d.span()
	per := func(n float64) any {
		if span <= 0 {
			return nil
		}
		return n / span
	}
	normalized := func(q *request) (float64, bool) {
		v, ok := d.response(q)
		return v / float64(q.output), ok && q.output > 0
	}
	first := func(q *request) (float64, bool) {
		v, ok := d.ttfo(q)
		return v, ok && q.output > 1
	}
	o := object{
		{"count", succeeded},
		{"latency", object{
			{"request_latency", inferencePerfStats(d.values(d.response))},
			{"normalized_time_per_output_token", inferencePerfStats(d.values(normalized))},
			{"time_per_output_token", inferencePerfStats(d.values(d.decode))},
			{"time_to_first_token", inferencePerfStats(d.values(first))},
			{"inter_token_latency", inferencePerfStats(d.streamGaps())},
		}},
		{"throughput", object{
			{"input_tokens_per_sec", per(float64(input))},
			{"output_tokens_per_sec", per(float64(output))},
			{"total_tokens_per_sec", per(float64(input + output))},
			{"requests_per_sec", per(float64(succeeded))},
		}},
		{"prompt_tokens", inferencePerfStats(d.values(inputTokens))},
		{"output_len", inferencePerfStats(d.values(outputTokens))},
		{"output_tokens", inferencePerfStats(d.values(outputTokens))},
	}
	return o
}

func inferencePerfFailures(d *data) object {
	type group struct {
		label    string
		count    int
		messages []string
	}
	var latencies, prompts []float64
	var groups []*group
	count := 0
	for i := range d.requests {
		q := &d.requests[i]
		if q.ok() {
			continue
		}
		count++
		if v, ok := d.response(q); ok {
			latencies = append(latencies, v)
		}
		if v, ok := inputTokens(q); ok {
			prompts = append(prompts, v)
		}
		label := cmp.Or(q.kind, q.status)
		at := slices.IndexFunc(groups, func(g *group) bool { return g.label == label })
		if at < 0 {
			at, groups = len(groups), append(groups, &group{label: label})
		}
		g := groups[at]
		g.count++
		if q.message != "" && len(g.messages) < 3 && !slices.Contains(g.messages, q.message) {
			g.messages = append(g.messages, q.message)
		}
	}
	labels := object{}
	for _, g := range groups {
		messages := make([]object, 0, len(g.messages))
		for _, m := range g.messages {
			messages = append(messages, object{{"message", m}, {"session_ids", []string{}}})
		}
		labels.add(g.label, object{{"count", g.count}, {"messages", messages}})
	}
	return object{
		{"count", count}, {"request_latency", inferencePerfStats(latencies)},
		{"prompt_tokens", inferencePerfStats(prompts)}, {"by_label", labels},
	}
}

// inferencePerfStats has a median, no p50, and dotted keys; null without values.
func inferencePerfStats(values []float64) any {
	s := newSample(values)
	if s == nil {
		return nil
	}
	o := object{{"mean", s.mean}, {"min", s.min()}}
	for _, p := range []struct {
		key string
		p   float64
	}{
		{"p0.1", 0.1}, {"p1", 1}, {"p5", 5}, {"p10", 10}, {"p25", 25}, {"median", 50}, {"p75", 75},
		{"p90", 90}, {"p95", 95}, {"p99", 99}, {"p99.9", 99.9},
	} {
		o.add(p.key, s.percentile(p.p))
	}
	o.add("max", s.max())
	return o
}
