package report

import (
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/stampede-bench/stampede/ledger"
	"github.com/stampede-bench/stampede/measure"
)

// Build makes the report of a run that has ended. The error says which part of
// the input is missing or does not fit the rest.
func Build(in Input) (*Report, error) {
	if err := in.check(); err != nil {
		return nil, fmt.Errorf("build report of run %q: %w", in.RunID, err)
	}
	r := &Report{
		ID: in.RunID, TestID: in.TestID, Name: in.Spec.Name, Labels: maps.Clone(in.Spec.Labels),
		Model: in.Spec.Endpoint.Model, State: in.State, Reason: in.Reason,
		Accounting: accounting(&in), Metrics: metrics(&in, measure.Measured),
		Series: series(in.Set.Series()), Errors: append([]measure.ErrorGroup{}, in.Set.Errors()...), Agents: agentReports(&in), Server: in.Server,
		Definitions: definitionMap(), Spec: in.Spec, WorkloadHash: Hash(in.WorkloadHash),
		StartedAt: in.Anchor.UTC(), EndedAt: in.Ended.UTC(), StampedeVersion: in.Version,
	}
	if r.Labels == nil {
		r.Labels = map[string]string{}
	}
	r.measured(&in)
	r.Generator = generator(&in, r.Metrics)
	r.seedKeys(in.Set.Judged(measure.Measured))
	if in.CacheWanted != nil {
		r.PrefixCache = &PrefixCache{Wanted: *in.CacheWanted, Got: cachedShare(r.Metrics)}
	}
	r.Verdict = Judge(figures(&in, r))
	r.Verdict.Notices = append(r.Verdict.Notices, buildUps(&in)...)
	if w := r.Accounting.LostWithoutRow; w != nil {
		r.Verdict.note("%s of the lost requests have no row: of so many only the first ones have; accounting.lost_without_row says which have none", integer(w.Count))
	}
	r.Verdict.Notices = append(r.Verdict.Notices, in.Notices...)
	r.Gates = EvaluateGates(r, in.Spec.Gates)
	return r, nil
}

// buildUps names the stages whose figures depend on how long they took.
func buildUps(in *Input) []string {
	var notices []string
	for i := range in.Phases {
		if in.Intervals.BuildsUp(i) {
			notices = append(notices, fmt.Sprintf("load was building up in stage %q: requests in flight and the time to the first token rose all through it, so its figures depend on its length and have no interval", in.Phases[i].Name))
		}
	}
	return notices
}

func (in *Input) check() error {
	stages := 0
	for i, p := range in.Phases {
		if p.Warmup && i > 0 {
			return fmt.Errorf("phase %d is a warmup; only the first may be one", i)
		}
		if !p.Warmup {
			stages++
		}
	}
	switch {
	case in.RunID == "":
		return errors.New("the run's id is empty")
	case in.Spec == nil:
		return errors.New("there is no spec")
	case in.Set == nil:
		return errors.New("there is no set of measurements")
	case stages != len(in.Spec.Load.Stages):
		return fmt.Errorf("%d phases are stages, the spec has %d", stages, len(in.Spec.Load.Stages))
	}
	return nil
}

// accounting adds up the phases, warmup apart.
func accounting(in *Input) Accounting {
	a := Accounting{LateSamples: in.LateSamples}
	a.withoutRow(in.WithoutRow)
	for _, p := range in.Phases {
		if p.Warmup {
			a.Warmup = a.Warmup.Add(p.Accounting)
		} else {
			a.Accounting = a.Add(p.Accounting)
			a.unsent(UnsentReasons{TurnBefore: p.UnsentAfter, Stopped: p.Accounting.Unsent - p.UnsentAfter})
		}
	}
	return a
}

// unsent adds to the reasons for what was not sent.
func (a *Accounting) unsent(n UnsentReasons) {
	if n == (UnsentReasons{}) {
		return
	}
	if a.UnsentByReason == nil {
		a.UnsentByReason = &UnsentReasons{}
	}
	a.UnsentByReason.TurnBefore += n.TurnBefore
	a.UnsentByReason.Stopped += n.Stopped
}

// withoutRow adds to what has no row.
func (a *Accounting) withoutRow(gaps []RowGap) {
	for _, g := range gaps {
		if a.LostWithoutRow == nil {
			a.LostWithoutRow = &WithoutRow{}
		}
		a.LostWithoutRow.Count += g.Count
		a.LostWithoutRow.Ranges = append(a.LostWithoutRow.Ranges, g)
	}
}

// metrics are all distributions over a scope; those without values are null.
func metrics(in *Input, scope measure.Scope) Metrics {
	m := Metrics{}
	for _, f := range measure.Figures() {
		d := in.Set.Distribution(scope, f)
		if d == nil || d.Count == 0 {
			m[f] = nil
			continue
		}
		d.CI95 = in.Intervals.Of(scope, f)
		m[f] = d
	}
	return m
}

// measured fills in what is known of the stages and of all together.
func (r *Report) measured(in *Input) {
	limits := objectives(in.Spec.SLO)
	r.Stages = make([]Stage, 0, len(in.Spec.Load.Stages))
	for i := range in.Phases {
		p := &in.Phases[i]
		if p.Warmup {
			continue
		}
		scope := measure.Scope(i)
		s := Stage{
			Name: p.Name, Load: in.Spec.Load.Stages[len(r.Stages)],
			Begin: time.Duration(p.Begin).Seconds(), End: time.Duration(p.End).Seconds(),
			Accounting: p.Accounting, FailRate: failRate(p.Accounting), Metrics: metrics(in, scope),
			Throughput: throughput(in, scope),
		}
		s.Description = Describe(&s.Load)
		s.Duration = s.Throughput.Duration
		if !p.Closed && (s.Load.Rate == nil || !s.Load.Rate.Inf()) {
			s.Throughput.OfferedRate = share(p.offered()-float64(p.Beyond), p.seconds())
		}
		s.SLO = slo(limits, in.Set.Judged(scope), p.Accounting, s.Duration)
		r.Stages = append(r.Stages, s)
	}
	r.Throughput = throughput(in, measure.Measured)
	r.Throughput.OfferedRate = offered(r.Stages)
	r.Duration = r.Throughput.Duration
	r.SLO = slo(limits, in.Set.Judged(measure.Measured), r.Accounting.Accounting, r.Duration)
}

// throughput leaves out the rates of output where an API has none.
func throughput(in *Input, scope measure.Scope) measure.Throughput {
	t := in.Set.Throughput(scope)
	if !in.Spec.Endpoint.Generates() {
		t.OutputThroughput, t.PeakOutputThroughput, t.SteadyOutputThroughput = nil, nil, nil
		t.TotalTokenThroughput, t.SteadyTotalTokenThroughput = nil, nil
	}
	return t
}

// offered is what the whole schedule yields: sessions, whose later turns follow
// answers.
func (p *Phase) offered() float64 {
	if p.Sessions > 0 {
		return float64(p.Sessions)
	}
	return float64(p.Accounting.Planned)
}

// seconds is how long a phase was dispatched.
func (p *Phase) seconds() float64 { return time.Duration(p.End - p.Begin).Seconds() }

// offered is the rate over all stages that began, when each of them offers one.
func offered(stages []Stage) *float64 {
	planned, window := 0.0, 0.0
	for i := range stages {
		s := &stages[i]
		if s.End <= s.Begin && s.Throughput.Sent == 0 {
			continue // it never began
		}
		if s.Throughput.OfferedRate == nil {
			return nil
		}
		planned += *s.Throughput.OfferedRate * (s.End - s.Begin)
		window += s.End - s.Begin
	}
	return share(planned, window)
}

// slo judges what met the objectives against all that was due.
func slo(limits measure.SLO, j measure.Judged, a ledger.Accounting, duration *float64) SLO {
	s := SLO{PerObjective: map[string]ObjectiveShare{}}
	if !limits.Any() {
		return s
	}
	due := float64(a.Planned - a.Unsent - a.Cancelled)
	s.Attainment = share(float64(j.Good), due)
	if duration != nil {
		s.GoodputRPS = share(float64(j.Good), *duration)
	}
	for _, o := range []struct {
		name  string
		limit int64
		met   int64
	}{{"ttft", limits.TTFT, j.TTFT}, {"tpot", limits.TPOT, j.TPOT}, {"e2e", limits.E2E, j.E2E}} {
		if o.limit > 0 {
			s.PerObjective[o.name] = ObjectiveShare{
				Limit: time.Duration(o.limit).Seconds(), Met: o.met, Attainment: share(float64(o.met), due),
			}
		}
	}
	return s
}

// failRate is the share of requests with an answer that failed.
func failRate(a ledger.Accounting) *float64 {
	failed := a.Failed + a.TimedOut
	return share(float64(failed), float64(a.Succeeded+failed))
}

// share is a / b, or null when there is no b.
func share(a, b float64) *float64 {
	if b <= 0 {
		return nil
	}
	v := a / b
	return &v
}

// seedKeys repeats figures under the names that older readers know.
func (r *Report) seedKeys(j measure.Judged) {
	r.RequestNum, r.TotalRequestNum = r.Accounting.Planned, r.Accounting.Planned
	r.FailRate = failRate(r.Accounting.Accounting)
	r.TotalFailRate = r.FailRate
	r.TTFT, r.TPOT, r.Latency = seedOf(r.Metrics[measure.TTFT]), seedOf(r.Metrics[measure.TPOT]), seedOf(r.Metrics[measure.E2E])
	r.PeakOutput, r.RPS, r.TotalDurationSec = r.Throughput.PeakOutputThroughput, r.Throughput.RequestThroughput, r.Duration
	r.SLOShare = r.SLO.Attainment
	if !objectives(r.Spec.SLO).Any() {
		r.SLOShare = share(float64(j.OnTime), float64(r.Accounting.Planned))
	}
}

func seedOf(d *measure.Distribution) *Seed {
	if d == nil {
		return nil
	}
	return &Seed{Min: d.Min, Max: d.Max, Avg: d.Mean, Std: d.Std, P95: d.P95}
}

func series(points []measure.Second) Series {
	n := len(points)
	s := Series{
		Interval: 1, T: make([]float64, n), Sent: make([]int64, n), Done: make([]int64, n), Failed: make([]int64, n),
		InFlight: make([]int64, n), OutputTokens: make([]int64, n), TTFTP50: make([]*float64, n), TTFTP99: make([]*float64, n),
	}
	if n > 1 {
		s.Interval = points[1].T - points[0].T
	}
	for i := range points {
		p := &points[i]
		s.T[i], s.Sent[i], s.Done[i], s.Failed[i] = p.T, p.Sent, p.Done, p.Failed
		s.InFlight[i], s.OutputTokens[i], s.TTFTP50[i], s.TTFTP99[i] = p.InFlight, p.OutputTokens, p.TTFTP50, p.TTFTP99
	}
	return s
}

func generator(in *Input, m Metrics) Generator {
	answered, kernel := in.Set.Stamps(measure.Measured)
	g := Generator{
		Agents: len(in.Agents), Lateness: m[measure.Lateness], StampUncertainty: m[measure.StampUncertainty],
		ReadDelay: m[measure.ReadDelay], KernelStamped: share(float64(kernel), float64(answered)),
		ClockBound: widestBound(in.Agents), Overflow: in.Set.Overflow(), SamplesShed: in.SamplesShed,
		CoalescedChunks: in.Set.Coalesced(), AuditReport: auditReport(mergeAudits(in.Agents)),
	}
	// An agent that was lost gave no audit, but its samples are there.
	if shed := in.Set.DetailShed(); shed > or(g.DetailShed, 0) {
		g.DetailShed = &shed
	}
	g.ClockSteps = allClockSteps(in.Agents)
	if in.JournalProblem != "" {
		g.JournalProblem = &in.JournalProblem
	}
	return g
}
