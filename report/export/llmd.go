package export

import (
	"bufio"
	"fmt"
	"math"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"
)

// llmdVersion is the version of the llm-d benchmark report that is written.
const llmdVersion = "0.2"

// llmdFiles write an llm-d benchmark report. Its latencies are seconds, those of
// a token seconds a token; percentiles are numpy's.
func llmdFiles(d *data, _ Rows) []File {
	return []File{{Name: "llm-d_" + d.r.ID + ".yaml", Write: func(w *bufio.Writer) error {
		node, err := object{
			{"version", llmdVersion}, {"run", llmdRun(d)}, {"scenario", llmdScenario(d)}, {"results", llmdResults(d)},
		}.yaml()
		if err != nil {
			return fmt.Errorf("llm-d report: %w", err)
		}
		enc := yaml.NewEncoder(w)
		enc.SetIndent(2)
		if err := enc.Encode(node); err != nil {
			return fmt.Errorf("llm-d report: %w", err)
		}
		return enc.Close()
	}}}
}

func llmdRun(d *data) object {
	took := d.r.EndedAt.Sub(d.r.StartedAt)
	o := object{
		{"uid", d.r.ID}, {"eid", d.r.TestID},
		{"time", object{
			{"start", d.r.StartedAt.UTC().Format(time.RFC3339Nano)}, {"end", d.r.EndedAt.UTC().Format(time.RFC3339Nano)},
			{"duration", isoDuration(took)},
		}},
	}
	if d.r.Name != "" {
		o.add("description", d.r.Name)
	}
	return o
}

// isoDuration is an ISO 8601 duration in seconds.
func isoDuration(d time.Duration) string {
	return "PT" + strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + "S"
}

func llmdScenario(d *data) object {
	standardized := object{{"tool", "stampede"}, {"tool_version", d.r.StampedeVersion}, {"source", llmdSource(d)}}
	if s := newSample(d.values(inputTokens)); s != nil {
		standardized.add("input_seq_len", llmdLength(s))
	}
	if s := newSample(d.values(outputTokens)); s != nil {
		standardized.add("output_seq_len", llmdLength(s))
	}
	l := d.load()
	if l.rate != nil && !math.IsInf(*l.rate, 1) {
		standardized.add("rate_qps", *l.rate)
	}
	addKnown(&standardized, "concurrency", l.concurrency)
	native := object{{"workload_hash", string(d.r.WorkloadHash)}, {"model", d.r.Model}, {"verdict", string(d.r.Verdict.State)}}
	return object{{"load", object{
		{"metadata", object{{"label", d.r.Name}}},
		{"standardized", standardized},
		{"native", object{{"config", native}}},
	}}}
}

func llmdSource(d *data) string {
	if d.spec.Dataset.Name == "synthetic" || d.spec.Dataset.Name == "" {
		return "random"
	}
	return "sampled"
}

// llmdLength says how long sequences were.
func llmdLength(s *sample) object {
	if s.min() == s.max() {
		return object{{"distribution", "fixed"}, {"value", s.mean}}
	}
	return object{{"distribution", "other"}, {"value", s.mean}, {"std_dev", s.std}}
}

func llmdResults(d *data) object {
	a := d.r.Accounting
	requests := object{
		{"total", a.Planned}, {"failures", a.Failed + a.TimedOut}, {"incomplete", a.Cancelled + a.Unsent + a.Lost},
	}
	llmdStats(&requests, "input_length", "count", d.values(inputTokens))
	llmdStats(&requests, "output_length", "count", d.values(outputTokens))

	normalized := func(q *request) (float64, bool) {
		v, ok := d.e2e(q)
		return v / float64(q.output), ok && q.output > 0
	}
	latency := object{}
	llmdStats(&latency, "time_to_first_token", "s", d.values(d.ttft))
	llmdStats(&latency, "inter_token_latency", "s/token", d.streamGaps())
	llmdStats(&latency, "time_per_output_token", "s/token", d.values(d.decode))
	llmdStats(&latency, "normalized_time_per_output_token", "s/token", d.values(normalized))
	llmdStats(&latency, "request_latency", "s", d.values(d.e2e))
	return object{{"request_performance", object{{"aggregate", object{
		{"requests", requests}, {"throughput", llmdThroughput(d)}, {"latency", latency},
	}}}}}
}

func llmdThroughput(d *data) object {
	o := object{}
	succeeded, input, output := d.tokens()
	duration := d.duration()
	if duration <= 0 {
		return o
	}
	for _, t := range []struct {
		key, units string
		n          float64
	}{
		{"input_token_rate", "tokens/s", float64(input)}, {"output_token_rate", "tokens/s", float64(output)},
		{"total_token_rate", "tokens/s", float64(input + output)}, {"request_rate", "queries/s", float64(succeeded)},
	} {
		o.add(t.key, object{{"units", t.units}, {"mean", t.n / duration}})
	}
	return o
}

// llmdStats adds a Statistics; none without values.
func llmdStats(o *object, key, units string, values []float64) {
	s := newSample(values)
	if s == nil {
		return
	}
	stats := object{{"units", units}, {"mean", s.mean}, {"stddev", s.std}, {"min", s.min()}}
	for _, p := range []struct {
		key string
		p   float64
	}{
		{"p0p1", 0.1}, {"p1", 1}, {"p5", 5}, {"p10", 10}, {"p25", 25}, {"p50", 50}, {"p75", 75},
		{"p90", 90}, {"p95", 95}, {"p99", 99}, {"p99p9", 99.9},
	} {
		stats.add(p.key, s.percentile(p.p))
	}
	stats.add("max", s.max())
	o.add(key, stats)
}
