package export

import (
	"bufio"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
)

// vllmPercentiles are those of --metric-percentiles that people ask for.
var vllmPercentiles = []float64{50, 90, 95, 99, 99.9}

// vllmFiles write what `vllm bench serve --save-result --save-detailed` does:
// named latencies in milliseconds, the arrays of detail in seconds. vLLM's tpot is
// (latency - ttft) / (output tokens - 1), its itl the gap between chunks, and its
// percentiles numpy's.
func vllmFiles(d *data, _ Rows) []File {
	return []File{jsonFile("vllm_"+d.r.ID+".json", func() object {
		o := vllmHeader(d)
		vllmResults(d, &o)
		vllmDetail(d, &o)
		return o
	})}
}

func vllmHeader(d *data) object {
	backend := "openai-chat"
	if d.spec.Endpoint.API == "completions" {
		backend = "vllm"
	}
	var o object
	o.add("date", d.r.StartedAt.UTC().Format("20060102-150405"))
	o.add("endpoint_type", backend)
	o.add("backend", backend)
	o.add("label", nullIfEmpty(d.r.Name))
	o.add("model_id", d.r.Model)
	o.add("tokenizer_id", d.r.Model)
	o.add("num_prompts", d.r.Accounting.Planned)
	for _, k := range slices.Sorted(maps.Keys(d.r.Labels)) { // as --metadata does
		if !slices.Contains(vllmKeys, k) {
			o.add(k, d.r.Labels[k])
		}
	}
	l := d.load()
	o.add("request_rate", rateOrInf(l.rate))
	o.add("burstiness", vllmBurstiness(l))
	switch {
	case l.concurrency != nil:
		o.add("max_concurrency", *l.concurrency)
	case l.cap > 0:
		o.add("max_concurrency", l.cap)
	default:
		o.add("max_concurrency", nil)
	}
	return o
}

// vllmKeys are the keys that labels may not take.
var vllmKeys = []string{
	"date", "endpoint_type", "backend", "label", "model_id", "tokenizer_id", "num_prompts", "request_rate", "burstiness",
	"max_concurrency", "duration", "completed", "failed", "total_input_tokens", "total_output_tokens", "request_throughput",
	"request_goodput", "output_throughput", "total_token_throughput", "max_output_tokens_per_s", "max_concurrent_requests",
	"rtfx", "input_lens", "output_lens", "ttfts", "itls", "start_times", "latencies", "generated_texts", "errors",
}

// rateOrInf is a rate as vLLM writes it; a closed loop there sends at rate inf
// under its cap.
func rateOrInf(rate *float64) any {
	if rate == nil || math.IsInf(*rate, 1) {
		return "inf"
	}
	return *rate
}

// vllmBurstiness is infinite for constant arrivals, as vLLM has it; JSON has no
// number for that.
func vllmBurstiness(l load) any {
	if l.arrival == "constant" {
		return "inf"
	}
	if l.burstiness == 0 {
		return 1.0
	}
	return l.burstiness
}

func vllmResults(d *data, o *object) {
	completed, input, output := d.tokens()
	duration := d.duration()
	per := func(n float64) float64 {
		if duration <= 0 {
			return 0
		}
		return n / duration
	}
	o.add("duration", duration)
	o.add("completed", completed)
	o.add("failed", len(d.requests)-completed)
	o.add("total_input_tokens", input)
	o.add("total_output_tokens", output)
	o.add("request_throughput", per(float64(completed)))
	if d.hasObjectives() {
		o.add("request_goodput", per(float64(d.goodCount())))
	} else {
		o.add("request_goodput", nil)
	}
	o.add("output_throughput", per(float64(output)))
	o.add("total_token_throughput", per(float64(input+output)))
	tokens, flights := vllmPeaks(d)
	o.add("max_output_tokens_per_s", tokens)
	o.add("max_concurrent_requests", flights)
	o.add("rtfx", 0.0)
	for _, m := range []struct {
		name   string
		values []float64
	}{{"ttft", d.values(d.ttft)}, {"tpot", d.values(d.decode)}, {"itl", d.streamGaps()}, {"e2el", d.values(d.e2e)}} {
		vllmStats(o, m.name, m.values)
	}
	if queued := d.values(queueTime); len(queued) > 0 {
		vllmStats(o, "client_queue_time", queued)
		vllmStats(o, "e2el_including_client_queue", d.values(func(q *request) (float64, bool) {
			v, ok := between(q.intended, q.lastToken)
			return v, ok && q.open
		}))
	}
}

// queueTime is how long an entry of a schedule waited in the client.
func queueTime(q *request) (float64, bool) {
	v, ok := between(q.intended, q.sent)
	return max(v, 0), ok && q.open
}

func (d *data) streamGaps() []float64 {
	if !d.streaming {
		return nil
	}
	return d.chunkGaps()
}

// vllmStats adds mean, median, std and percentiles in milliseconds; 0 without
// values, as vLLM has it.
func vllmStats(o *object, name string, seconds []float64) {
	s := newSample(seconds)
	if s == nil {
		s = &sample{sorted: []float64{0}}
	}
	o.add("mean_"+name+"_ms", s.mean*1e3)
	o.add("median_"+name+"_ms", s.percentile(50)*1e3)
	o.add("std_"+name+"_ms", s.std*1e3)
	for _, p := range vllmPercentiles {
		o.add("p"+strconv.FormatFloat(p, 'f', -1, 64)+"_"+name+"_ms", s.percentile(p)*1e3)
	}
}

// vllmPeaks counts, in whole seconds since the first request, token chunks (one
// token each, as vLLM does) and the requests under way in any part of one.
func vllmPeaks(d *data) (tokens float64, flights int) {
	origin, last := int64(absent), int64(absent)
	for i := range d.requests {
		if q := &d.requests[i]; q.streamed() {
			if origin == absent || q.sent < origin {
				origin = q.sent
			}
			last = max(last, q.lastToken)
		}
	}
	if origin == absent || last < origin {
		return 0, 0
	}
	seconds := int((last-origin)/1e9) + 1
	chunks, change := make([]int, seconds), make([]int, seconds+1)
	for i := range d.requests {
		q := &d.requests[i]
		if !q.streamed() {
			continue
		}
		at := q.firstToken - origin
		chunks[at/1e9]++
		for _, g := range d.gaps[q.gapsFrom:q.gapsTo] {
			at += g
			chunks[min(at/1e9, int64(seconds-1))]++
		}
		change[(q.sent-origin)/1e9]++
		change[(q.lastToken-origin)/1e9+1]--
	}
	most, now := 0, 0
	for _, c := range change {
		now += c
		most = max(most, now)
	}
	return float64(slices.Max(chunks)), most
}

// vllmDetail adds an array a column, a member a request in the order of the
// workload. Failed requests have zeros, as in vLLM.
func vllmDetail(d *data, o *object) {
	column := func(key string, value func(q *request) any) {
		o.add(key, stream(func(w *bufio.Writer) error {
			for i := range d.requests {
				data, err := json.Marshal(value(&d.requests[i]))
				if err != nil {
					return err
				}
				if err := writeItem(w, i, data); err != nil {
					return err
				}
			}
			return closeList(w, len(d.requests))
		}))
	}
	seconds := func(figure func(*request) (float64, bool)) func(*request) any {
		return func(q *request) any {
			v, has := figure(q)
			if !has || !q.ok() {
				return 0.0
			}
			return v
		}
	}
	column("input_lens", func(q *request) any { return max(q.input, 0) })
	column("output_lens", func(q *request) any {
		if !q.ok() {
			return 0
		}
		return max(q.output, 0)
	})
	column("ttfts", seconds(d.ttft))
	o.add("itls", stream(d.writeGapLists))
	column("start_times", func(q *request) any {
		if q.sent == absent {
			return 0.0
		}
		return float64(q.sent-d.firstSent) / 1e9
	})
	column("latencies", seconds(d.e2e))
	column("generated_texts", func(*request) any { return "" })
	column("errors", func(q *request) any { return q.problem() })
}

// problem is the error of a request that did not succeed.
func (q *request) problem() string {
	switch {
	case q.ok():
		return ""
	case q.message != "":
		return q.kind + ": " + q.message
	case q.kind != "":
		return q.kind
	default:
		return q.status
	}
}

// writeGapLists writes the gaps between chunks in seconds, a list a request.
func (d *data) writeGapLists(w *bufio.Writer) error {
	var item []byte
	for i := range d.requests {
		q := &d.requests[i]
		item = append(item[:0], '[')
		if q.ok() && d.streaming {
			for j, g := range d.gaps[q.gapsFrom:q.gapsTo] {
				if j > 0 {
					item = append(item, ',')
				}
				item = strconv.AppendFloat(item, float64(g)/1e9, 'g', -1, 64)
			}
		}
		if err := writeItem(w, i, append(item, ']')); err != nil {
			return err
		}
	}
	return closeList(w, len(d.requests))
}

func writeItem(w *bufio.Writer, i int, item []byte) error {
	open := byte(',')
	if i == 0 {
		open = '['
	}
	if err := w.WriteByte(open); err != nil {
		return err
	}
	_, err := w.Write(item)
	return err
}

func closeList(w *bufio.Writer, n int) error {
	end := "]"
	if n == 0 {
		end = "[]"
	}
	if _, err := w.WriteString(end); err != nil {
		return fmt.Errorf("end of list: %w", err)
	}
	return nil
}

func nullIfEmpty(s string) any {
	if s == "" {
		return nil
	}
	return s
}
