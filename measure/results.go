package measure

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
	InFlightMean   *float64 `json:"in_flight_mean"`
	InFlightPeak   *float64 `json:"in_flight_peak"` // on a grid of 10 ms, of all requests in that time
}

// Throughput returns the rates over a scope.
func (s *Set) Throughput(sc Scope) Throughput {
	var t Throughput
	sum := newPhase()
	window, sentWithin := 0.0, int64(0)
	var steady struct{ tokens, ended, input float64 }
	for _, p := range s.scope(sc) {
		sum.add(p)
		begin, end := p.window()
		window += float64(end-begin) / 1e9
		sentWithin += p.sent - p.sentAfter
		tokens, ended, input := s.timeline.span(begin, end)
		steady.tokens, steady.ended, steady.input = steady.tokens+tokens, steady.ended+ended, steady.input+input
	}
	t.InputTokens, t.OutputTokens, t.TokensOfFailed, t.Sent = sum.inputTokens, sum.outputTokens, sum.failedTokens, sum.sent
	if d, ok := between(sum.firstSent, sum.lastToken); ok && sum.succeeded > 0 {
		seconds := float64(d) / 1e9
		t.Duration = &seconds
		t.RequestThroughput = ratio(float64(sum.succeeded), seconds)
		t.InputThroughput = ratio(float64(sum.inputTokens), seconds)
		t.OutputThroughput = ratio(float64(sum.outputTokens), seconds)
		t.TotalTokenThroughput = ratio(float64(sum.inputTokens+sum.outputTokens), seconds)
		length := min(d, PeakWindow)
		t.PeakOutputThroughput = ratio(s.timeline.peak(sum.firstSent, sum.lastToken, length), float64(length)/1e9)
	}
	if window > 0 {
		t.DispatchWindow = &window
		t.AchievedRate = ratio(float64(sentWithin), window)
		t.SteadyRequestThroughput = ratio(steady.ended, window)
		t.SteadyInputThroughput = ratio(steady.input, window)
		t.SteadyOutputThroughput = ratio(steady.tokens, window)
		t.SteadyTotalTokenThroughput = ratio(steady.input+steady.tokens, window)
	}
	if d, ok := between(sum.firstSent, sum.lastEnd); ok {
		t.InFlightMean = ratio(sum.busyNanos, float64(d))
		peak := float64(s.timeline.flightPeak(sum.firstSent, sum.lastEnd))
		t.InFlightPeak = &peak
	}
	return t
}

// window is the dispatch window; its end is the last request sent while the
// controller has not told one.
func (p *phase) window() (begin, end int64) {
	if p.end > 0 {
		return p.begin, p.end
	}
	if p.lastSent == Absent {
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

// Overflow is how many values lie beyond the histograms' bounds, all stages.
func (s *Set) Overflow() int64 {
	n := int64(0)
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

// Live is how far a run has come, for its progress.
type Live struct {
	Sent, Done       int64
	OutputTokens     int64 // of the last full second before now
	TTFTP50, TTFTP99 int64 // nanoseconds, 0 when there is none
}

// Live returns the progress at an instant since the anchor.
func (s *Set) Live(now int64) Live {
	var l Live
	for _, p := range s.scope(Measured) {
		l.Sent += p.sent
		l.Done += p.succeeded
	}
	if i := now/s.series.width - 1; i >= 0 && i < int64(len(s.series.points)) {
		l.OutputTokens = s.series.points[i].tokens * pointNanos / s.series.width
	}
	h := s.Histogram(Measured, TTFT)
	l.TTFTP50, _ = h.Quantile(0.5)
	l.TTFTP99, _ = h.Quantile(0.99)
	return l
}
