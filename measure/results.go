package measure

import (
	"math"
	"slices"
)

// Scope is what a figure is taken over.
type Scope int

// Measured is all stages together; any other Scope is the index of one phase.
const Measured Scope = -1

// PeakWindow bounds the window of peak_output_throughput, in nanoseconds.
const PeakWindow = 5_000_000_000

func (s *Set) scope(sc Scope) []*phase {
	if sc != Measured {
		if p := s.phase(int32(sc)); p != nil {
			return []*phase{p}
		}
		return nil
	}
	var stages []*phase
	for i, p := range s.phases {
		if !s.cfg.Phases[i].Warmup {
			stages = append(stages, p)
		}
	}
	return stages
}

// Histogram returns the values of a figure over a scope; it may be empty. The
// caller owns it.
func (s *Set) Histogram(sc Scope, f Figure) *Histogram {
	i := f.number()
	if i < 0 {
		return newHistogram(&nanoseconds, fullDigits)
	}
	h := newHistogram(figures[i].scale, fullDigits)
	for _, p := range s.scope(sc) {
		_, _ = h.Merge(p.hists[i]) // same scale; what it drops is in h.overflow
	}
	return h
}

// Distribution returns a figure over a scope.
func (s *Set) Distribution(sc Scope, f Figure) *Distribution {
	return s.Histogram(sc, f).Distribution()
}

// Throughput holds rates in 1/s and what they are made of; nil where there is no
// such figure.
type Throughput struct {
	Duration                   *float64 `json:"duration"` // s
	RequestThroughput          *float64 `json:"request_throughput"`
	InputThroughput            *float64 `json:"input_throughput"`
	OutputThroughput           *float64 `json:"output_throughput"`
	TotalTokenThroughput       *float64 `json:"total_token_throughput"`
	SteadyRequestThroughput    *float64 `json:"steady_request_throughput"`
	SteadyInputThroughput      *float64 `json:"steady_input_throughput"`
	SteadyOutputThroughput     *float64 `json:"steady_output_throughput"`
	SteadyTotalTokenThroughput *float64 `json:"steady_total_token_throughput"`
	PeakOutputThroughput       *float64 `json:"peak_output_throughput"`
	// OfferedRate is planned / dispatch window; the ledger knows planned, so who
	// writes the report fills it in. Nil in closed loop.
	OfferedRate    *float64 `json:"offered_rate"`
	AchievedRate   *float64 `json:"achieved_rate"`
	DispatchWindow *float64 `json:"dispatch_window"` // s
	InputTokens    int64    `json:"input_tokens"`    // of succeeded requests
	OutputTokens   int64    `json:"output_tokens"`
	TokensOfFailed int64    `json:"tokens_of_failed"` // streamed by requests that did not succeed
	Sent           int64    `json:"sent"`
	// InFlightMean is weighted by time, from first sent to last end, of the scope's
	// own requests; InFlightPeak is on a grid of 10 ms (wider beyond 87 minutes), of
	// all requests while the scope's were sent.
	InFlightMean *float64 `json:"in_flight_mean"`
	InFlightPeak *float64 `json:"in_flight_peak"`
}

// Throughput returns the rates over a scope. Request, input, output and total
// throughput are of the requests intended in it; steady and peak ones of the
// tokens that arrived in it, whatever stage their request belongs to.
func (s *Set) Throughput(sc Scope) Throughput {
	phases, sum := s.scope(sc), newPhase()
	for _, p := range phases {
		sum.add(p)
	}
	var t Throughput
	t.InputTokens, t.OutputTokens, t.TokensOfFailed, t.Sent = sum.inputTokens, sum.outputTokens, sum.failedTokens, sum.sent
	t.overall(sum)
	s.dispatched(&t, phases)
	s.steady(&t, phases)
	if sum.succeeded > 0 && !s.knowsInput(phases) {
		t.InputThroughput, t.TotalTokenThroughput, t.SteadyInputThroughput, t.SteadyTotalTokenThroughput = nil, nil, nil, nil
	}
	if from, to := sum.firstSent, min(sum.lastToken, s.next(sc, sum.firstSent)-1); from != Absent && to > from {
		length := min(to-from, PeakWindow)
		t.PeakOutputThroughput = ratio(s.timeline.peak(from, to, length), float64(length)/1e9)
	}
	if d, ok := between(sum.firstSent, sum.lastEnd); ok {
		t.InFlightMean = ratio(sum.busyNanos, float64(d))
		peak := float64(s.timeline.flightPeak(sum.firstSent, sum.lastSent))
		if t.InFlightMean != nil { // shorter requests than the grid's step escape it
			peak = max(peak, math.Ceil(*t.InFlightMean-1e-9))
		}
		t.InFlightPeak = &peak
	}
	return t
}

// knowsInput reports whether any endpoint told how many tokens went in.
func (s *Set) knowsInput(phases []*phase) bool {
	return slices.ContainsFunc(phases, func(p *phase) bool { return p.hists[iInputTokens] != nil })
}

// next is when the phase behind a scope begins, so far as that is known: what
// arrives from then on is that phase's, also of requests that were sent before.
func (s *Set) next(sc Scope, after int64) int64 {
	if sc != Measured && int(sc)+1 < len(s.phases) {
		if p := s.phases[sc+1]; p.begin > after {
			return p.begin
		}
	}
	return math.MaxInt64
}

// overall fills in the rates over duration.
func (t *Throughput) overall(sum *phase) {
	d, ok := between(sum.firstSent, sum.lastToken)
	if !ok || sum.succeeded == 0 {
		return
	}
	seconds := float64(d) / 1e9
	t.Duration = &seconds
	t.RequestThroughput = ratio(float64(sum.succeeded), seconds)
	t.InputThroughput = ratio(float64(sum.inputTokens), seconds)
	t.OutputThroughput = ratio(float64(sum.outputTokens), seconds)
	t.TotalTokenThroughput = ratio(float64(sum.inputTokens+sum.outputTokens), seconds)
}

// dispatched fills in what was sent within the phases' own dispatch windows.
func (s *Set) dispatched(t *Throughput, phases []*phase) {
	window, sent := 0.0, 0.0
	for _, p := range phases {
		begin, end := p.window()
		window += float64(end-begin) / 1e9
		if p.lastOffered <= end {
			sent += float64(p.offered)
		} else {
			sent += p.sends.until(end)
		}
	}
	if window > 0 {
		t.DispatchWindow = &window
		t.AchievedRate = ratio(sent, window)
	}
}

// steady fills in what arrived from the first begin of dispatch, which is the end
// of warmup, to its last end. Between them lie also drains from stage to stage.
func (s *Set) steady(t *Throughput, phases []*phase) {
	from, to := int64(Absent), int64(Absent)
	for _, p := range phases {
		if begin, end := p.window(); end > begin {
			from, to = earlier(from, begin), max(to, end)
		}
	}
	d, ok := between(from, to)
	if !ok {
		return
	}
	seconds := float64(d) / 1e9
	tokens, ended, input := s.timeline.span(from, to)
	t.SteadyRequestThroughput = ratio(ended, seconds)
	t.SteadyInputThroughput = ratio(input, seconds)
	t.SteadyOutputThroughput = ratio(tokens, seconds)
	t.SteadyTotalTokenThroughput = ratio(input+tokens, seconds)
}

// window is the dispatch window; its end is the last request sent while the
// controller has not told one.
func (p *phase) window() (begin, end int64) {
	switch {
	case p.end > 0:
		return p.begin, p.end
	case p.lastSent == Absent:
		return p.begin, p.begin
	}
	return p.begin, max(p.lastSent, p.begin)
}

func ratio(a, b float64) *float64 {
	if b <= 0 {
		return nil
	}
	v := a / b
	return &v
}

// Judged counts requests against the objectives.
type Judged struct {
	// Good succeeded and met every objective; OnTime succeeded and were sent within
	// the tolerance.
	Good, OnTime int64
	// TTFT, TPOT and E2E succeeded and met that objective.
	TTFT, TPOT, E2E int64
}

// Judged returns what met the objectives over a scope.
func (s *Set) Judged(sc Scope) Judged {
	var j Judged
	for _, p := range s.scope(sc) {
		j.Good += p.good
		j.OnTime += p.onTime
		j.TTFT += p.metTTFT
		j.TPOT += p.metTPOT
		j.E2E += p.metE2
	}
	return j
}

// Lengths returns, over a scope, the output tokens that were asked for by
// succeeded requests that asked for a length, and those they got.
func (s *Set) Lengths(sc Scope) (asked, got int64) {
	for _, p := range s.scope(sc) {
		asked += p.asked
		got += p.askedGot
	}
	return asked, got
}

// Stamps returns, over a scope, how many succeeded requests there are and how
// many of them were stamped by the kernel.
func (s *Set) Stamps(sc Scope) (answered, kernel int64) {
	for _, p := range s.scope(sc) {
		answered += p.answered
		kernel += p.kernelStamped
	}
	return answered, kernel
}

// Coalesced returns how many token chunks of succeeded requests shared a read with
// another, all stages.
func (s *Set) Coalesced() (chunks int64) {
	for _, p := range s.scope(Measured) {
		chunks += p.coalesced
	}
	return chunks
}

// DetailShed returns how many requests came without their chunk detail, all stages.
func (s *Set) DetailShed() (requests int64) {
	for _, p := range s.scope(Measured) {
		requests += p.detailShed
	}
	return requests
}

// Overflow is how many values lie beyond the histograms' bounds, all stages, and
// how many requests lie outside the time line and are in no figure.
func (s *Set) Overflow() int64 {
	n := s.beyond
	for _, p := range s.scope(Measured) {
		for _, h := range p.hists {
			if h != nil {
				n += h.overflow
			}
		}
	}
	return n
}

// Warmup is how many warmup requests have ended.
func (s *Set) Warmup() int64 { return s.warmup }

// Series returns what happened along the run, a point a second (more in runs
// beyond two hours).
func (s *Set) Series() []Second {
	points := make([]Second, len(s.series.points))
	flights := s.timeline.flights(s.series.width, len(points))
	for i := range points {
		p := &s.series.points[i]
		points[i] = Second{
			T: float64(int64(i)*s.series.width) / 1e9, Sent: p.sent, Done: p.done, Failed: p.failed,
			InFlight: flights[i], OutputTokens: p.tokens,
			TTFTP50: p.ttft.quantile(0.5), TTFTP99: p.ttft.quantile(0.99),
		}
	}
	return points
}
