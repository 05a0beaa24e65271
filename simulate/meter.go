package simulate

import (
	"fmt"
	"io"
	"sort"
	"strconv"
	"sync/atomic"
)

// meter keeps what /metrics shows, under vLLM's names. It is safe for concurrent
// use and costs a few atomic additions.
type meter struct {
	running, maxRunning, waiting atomic.Int64
	prompt, generated            atomic.Int64
	cacheQueries, cacheHits      atomic.Int64
	stops, lengths, aborts       atomic.Int64

	ttft, itl, e2e, queueTime *histogram // ns
	promptLen, replyLen       *histogram // tokens
}

// Bucket bounds are vLLM's own, in seconds.
var (
	ttftBounds = []float64{.001, .005, .01, .02, .04, .06, .08, .1, .25, .5, .75, 1, 2.5, 5, 7.5, 10, 20, 40, 80, 160, 640, 2560}
	itlBounds  = []float64{.01, .025, .05, .075, .1, .15, .2, .3, .4, .5, .75, 1, 2.5, 5, 7.5, 10, 20, 40, 80}
	e2eBounds  = []float64{.3, .5, .8, 1, 1.5, 2, 2.5, 5, 10, 15, 20, 30, 40, 50, 60, 120, 240, 480, 960, 1920, 7680}
	lenBounds  = []float64{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000}
)

func newMeter() *meter {
	const nanos = 1e9
	return &meter{
		ttft: newHistogram(ttftBounds, nanos), itl: newHistogram(itlBounds, nanos),
		e2e: newHistogram(e2eBounds, nanos), queueTime: newHistogram(e2eBounds, nanos),
		promptLen: newHistogram(lenBounds, 1), replyLen: newHistogram(lenBounds, 1),
	}
}

// setRunning is called by the scheduler alone.
func (m *meter) setRunning(n int) {
	m.running.Store(int64(n))
	if int64(n) > m.maxRunning.Load() {
		m.maxRunning.Store(int64(n))
	}
}

// ended books a reply that is over.
func (m *meter) ended(st *stream, now int64) {
	m.promptLen.observe(int64(st.prompt))
	m.replyLen.observe(int64(st.rec.OutputTokens))
	switch {
	case st.rec.Status != StatusServed:
		m.aborts.Add(1)
		return
	case st.reason == "stop":
		m.stops.Add(1)
	default:
		m.lengths.Add(1)
	}
	m.e2e.observe(now - st.came.mono)
}

// histogram counts values in buckets, for Prometheus.
type histogram struct {
	bounds []float64 // as shown
	limits []int64   // the same in the unit of values
	unit   float64   // values per shown unit
	counts []atomic.Int64
	sum    atomic.Int64
}

func newHistogram(bounds []float64, unit float64) *histogram {
	h := &histogram{bounds: bounds, unit: unit, counts: make([]atomic.Int64, len(bounds)+1)}
	for _, b := range bounds {
		h.limits = append(h.limits, int64(b*unit))
	}
	return h
}

func (h *histogram) observe(v int64) {
	h.counts[sort.Search(len(h.limits), func(i int) bool { return v <= h.limits[i] })].Add(1)
	h.sum.Add(v)
}

func (h *histogram) write(w io.Writer, name, help, label string) {
	fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s histogram\n", name, help, name)
	total := int64(0)
	for i := range h.counts {
		total += h.counts[i].Load()
		le := "+Inf"
		if i < len(h.bounds) {
			le = strconv.FormatFloat(h.bounds[i], 'g', -1, 64)
		}
		fmt.Fprintf(w, "%s_bucket{%s,le=%q} %d\n", name, label, le, total)
	}
	fmt.Fprintf(w, "%s_sum{%s} %g\n%s_count{%s} %d\n", name, label, float64(h.sum.Load())/h.unit, name, label, total)
}

// write writes everything in Prometheus' text format.
func (m *meter) write(w io.Writer, model string) {
	label := fmt.Sprintf("model_name=%q", model)
	gauge := func(name, help string, v int64) {
		fmt.Fprintf(w, "# HELP vllm:%s %s\n# TYPE vllm:%s gauge\nvllm:%s{%s} %d\n", name, help, name, name, label, v)
	}
	counter := func(name, help string, v int64) {
		fmt.Fprintf(w, "# HELP vllm:%s %s\n# TYPE vllm:%s counter\nvllm:%s{%s} %d\n", name, help, name, name, label, v)
	}
	gauge("num_requests_running", "Requests that are being served.", m.running.Load())
	gauge("num_requests_waiting", "Requests that wait for a slot.", m.waiting.Load())
	counter("prompt_tokens_total", "Prompt tokens of requests that were begun.", m.prompt.Load())
	counter("generation_tokens_total", "Tokens written.", m.generated.Load())
	counter("prefix_cache_queries_total", "Prompt tokens looked up in the prefix cache.", m.cacheQueries.Load())
	counter("prefix_cache_hits_total", "Prompt tokens found there.", m.cacheHits.Load())
	counter("num_preemptions_total", "Preemptions; there are none.", 0)
	name := "vllm:request_success_total"
	fmt.Fprintf(w, "# HELP %s Requests by how they ended.\n# TYPE %s counter\n", name, name)
	for _, r := range []struct {
		reason string
		n      *atomic.Int64
	}{{"stop", &m.stops}, {"length", &m.lengths}, {"abort", &m.aborts}} {
		fmt.Fprintf(w, "%s{%s,finished_reason=%q} %d\n", name, label, r.reason, r.n.Load())
	}
	m.ttft.write(w, "vllm:time_to_first_token_seconds", "From arrival to the first token.", label)
	m.itl.write(w, "vllm:time_per_output_token_seconds", "From token to token.", label)
	m.itl.write(w, "vllm:inter_token_latency_seconds", "From token to token.", label)
	m.e2e.write(w, "vllm:e2e_request_latency_seconds", "From arrival to the end.", label)
	m.queueTime.write(w, "vllm:request_queue_time_seconds", "From arrival to a slot.", label)
	m.promptLen.write(w, "vllm:request_prompt_tokens", "Tokens of prompts.", label)
	m.replyLen.write(w, "vllm:request_generation_tokens", "Tokens of replies.", label)
}
