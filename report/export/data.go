package export

import (
	"cmp"
	"fmt"
	"iter"
	"math"
	"slices"
	"time"

	"github.com/stampede-bench/stampede/report"
	"github.com/stampede-bench/stampede/workload"
)

// absent is an instant that did not happen.
const absent = math.MinInt64

// request is what the tools need of one row. Instants are Unix nanoseconds.
type request struct {
	index, session int64
	turn           int32
	agent          string
	status         string
	httpStatus     int32
	kind, message  string // of its error
	finish         string

	intended, sent, headers, firstToken, firstOutput, lastToken, end int64
	open                                                             bool // it had a place in a schedule

	input, output, reasoning, cached int32 // -1 unknown
	// gaps between its chunks are data.gaps[gapsFrom:gapsTo].
	gapsFrom, gapsTo int
}

// data is a run's measured requests in the order of their index.
type data struct {
	r         *report.Report
	spec      *workload.Spec
	streaming bool
	url       string // without user and password
	requests  []request
	gaps      []int64 // ns
	// first sent and last end of all requests, and the last token of succeeded ones
	firstSent, lastEnd, lastToken int64
}

func collect(r *report.Report, rows iter.Seq2[report.Row, error]) (*data, error) {
	d := &data{r: r, spec: r.Spec, firstSent: absent, lastEnd: absent, lastToken: absent}
	if d.spec == nil {
		d.spec = &workload.Spec{}
	}
	d.streaming = d.spec.Streaming()
	for row, err := range rows {
		if err != nil {
			return nil, fmt.Errorf("read rows: %w", err)
		}
		if row.Stage != nil {
			d.add(&row)
		}
	}
	slices.SortFunc(d.requests, func(a, b request) int { return cmp.Compare(a.index, b.index) })
	return d, nil
}

func (d *data) add(row *report.Row) {
	d.url = row.URL
	q := request{
		index: row.Index, session: row.Session, turn: row.Turn, agent: row.Agent, status: row.Status,
		intended: orElse(row.IntendedUnixNS, absent), sent: orElse(row.SentUnixNS, absent), headers: orElse(row.HeadersUnixNS, absent),
		firstToken: orElse(row.FirstTokenUnixNS, absent), firstOutput: orElse(row.FirstOutputUnixNS, absent),
		lastToken: orElse(row.LastTokenUnixNS, absent), end: orElse(row.EndUnixNS, absent),
		open:  row.IntendedOffsetNS != nil,
		input: orElse(row.InputTokens, orElse(row.InputTokensAsked, -1)), output: orElse(row.OutputTokens, -1),
		reasoning: orElse(row.ReasoningTokens, -1), cached: orElse(row.CachedTokens, -1),
		httpStatus: orElse(row.HTTPStatus, 0), finish: orElse(row.FinishReason, ""),
		gapsFrom: len(d.gaps),
	}
	if row.Error != nil {
		q.kind, q.message = row.Error.Kind, row.Error.Message
	}
	for i := 1; i < len(row.ChunkOffsetsNS); i++ {
		d.gaps = append(d.gaps, row.ChunkOffsetsNS[i]-row.ChunkOffsetsNS[i-1])
	}
	q.gapsTo = len(d.gaps)
	if q.sent != absent {
		if d.firstSent == absent || q.sent < d.firstSent {
			d.firstSent = q.sent
		}
		d.lastEnd = max(d.lastEnd, q.end)
	}
	if q.ok() {
		d.lastToken = max(d.lastToken, q.lastToken)
	}
	d.requests = append(d.requests, q)
}

func (q *request) ok() bool { return q.status == "succeeded" }

// streamed reports whether it succeeded and is known from its sending to its last
// token.
func (q *request) streamed() bool {
	return q.ok() && q.sent != absent && q.firstToken >= q.sent && q.lastToken >= q.firstToken
}

// between returns to - from in seconds, when both happened.
func between(from, to int64) (float64, bool) {
	if from == absent || to == absent {
		return 0, false
	}
	return float64(to-from) / 1e9, true
}

// duration is first sent to last token in seconds.
func (d *data) duration() float64 {
	v, ok := between(d.firstSent, d.lastToken)
	if !ok {
		return 0
	}
	return v
}

// values are a figure of all requests that succeeded and have it.
func (d *data) values(figure func(*request) (float64, bool)) []float64 {
	var values []float64
	for i := range d.requests {
		if q := &d.requests[i]; q.ok() {
			if v, has := figure(q); has {
				values = append(values, v)
			}
		}
	}
	return values
}

// chunkGaps are the gaps between chunks of succeeded requests, pooled, in
// seconds.
func (d *data) chunkGaps() []float64 {
	var gaps []float64
	for i := range d.requests {
		if q := &d.requests[i]; q.ok() {
			for _, g := range d.gaps[q.gapsFrom:q.gapsTo] {
				gaps = append(gaps, float64(g)/1e9)
			}
		}
	}
	return gaps
}

// tokens adds up the tokens of succeeded requests.
func (d *data) tokens() (succeeded int, input, output int64) {
	for i := range d.requests {
		if q := &d.requests[i]; q.ok() {
			succeeded++
			input += int64(max(q.input, 0))
			output += int64(max(q.output, 0))
		}
	}
	return succeeded, input, output
}

// Figures of one request, in seconds. Those of a stream don't exist without one.

func (d *data) ttft(q *request) (float64, bool) {
	v, ok := between(q.sent, q.firstToken)
	return v, ok && d.streaming
}

func (d *data) ttfo(q *request) (float64, bool) {
	v, ok := between(q.sent, q.firstOutput)
	return v, ok && d.streaming
}

func (d *data) e2e(q *request) (float64, bool) { return between(q.sent, q.lastToken) }

// decode is the time after the first token for each further one: what vLLM calls
// TPOT and AIPerf and GuideLLM inter-token latency.
func (d *data) decode(q *request) (float64, bool) {
	v, ok := between(q.firstToken, q.lastToken)
	if !ok || !d.streaming || q.output < 2 {
		return 0, false
	}
	return v / float64(q.output-1), true
}

func (d *data) response(q *request) (float64, bool) { return between(q.sent, q.end) }

func inputTokens(q *request) (float64, bool)  { return float64(q.input), q.input >= 0 }
func outputTokens(q *request) (float64, bool) { return float64(q.output), q.output >= 0 }

// good reports whether a request met every objective of the spec.
func (d *data) good(q *request) bool {
	if !q.ok() {
		return false
	}
	slo := d.spec.SLO
	for _, o := range []struct {
		limit  workload.Duration
		figure func(*request) (float64, bool)
		absent bool // what one without the figure counts as
	}{{slo.TTFT, d.ttft, false}, {slo.TPOT, d.decode, true}, {slo.E2E, d.e2e, false}} {
		if o.limit <= 0 {
			continue
		}
		if v, has := o.figure(q); has && v > o.limit.D().Seconds() || !has && !o.absent {
			return false
		}
	}
	return true
}

func (d *data) hasObjectives() bool {
	slo := d.spec.SLO
	return slo.TTFT > 0 || slo.TPOT > 0 || slo.E2E > 0
}

func (d *data) goodCount() int {
	n := 0
	for i := range d.requests {
		if d.good(&d.requests[i]) {
			n++
		}
	}
	return n
}

// load says what the stages asked for, where they all agree.
type load struct {
	rate        *float64 // requests/s; +Inf at once
	concurrency *int     // closed loop
	cap         int      // of an open loop
	arrival     string
	burstiness  float64
}

func (d *data) load() load {
	var l load
	stages := d.spec.Load.Stages
	for i := range stages {
		s := &stages[i]
		one := load{cap: s.MaxConcurrency, arrival: s.Arrival, concurrency: s.Concurrency, burstiness: 1}
		if s.Rate != nil && s.EndRate == nil {
			rate := float64(*s.Rate)
			one.rate = &rate
		}
		if s.Burstiness != nil {
			one.burstiness = *s.Burstiness
		}
		switch {
		case i == 0:
			l = one
		case !equal(l.rate, one.rate) || !equal(l.concurrency, one.concurrency):
			l.rate, l.concurrency = nil, nil
		}
	}
	return l
}

func equal[T comparable](a, b *T) bool {
	return a == b || a != nil && b != nil && *a == *b
}

func orElse[T any](p *T, absent T) T {
	if p == nil {
		return absent
	}
	return *p
}

// unixSeconds is an instant as seconds since the epoch, null when it is not there.
func unixSeconds(ns int64) any {
	if ns == absent {
		return nil
	}
	return float64(ns) / 1e9
}

// isoTime is an instant as Python's isoformat writes it in UTC.
func isoTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000+00:00") }

func (d *data) version() string { return "stampede " + d.r.StampedeVersion }
