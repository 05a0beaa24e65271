package report

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/stampede-bench/stampede/ledger"
	"github.com/stampede-bench/stampede/measure"
	"github.com/stampede-bench/stampede/measure/interval"
)

// Trials says that a report is that of several trials: each figure is the mean of
// the trials' own, ci95 its interval between them; counts are sums.
type Trials struct {
	// N is how many trials the report is made of, Asked how many the spec asks for.
	N     int `json:"n"`
	Asked int `json:"asked"`
	// Runs are the ids of the trials; each has a report of its own.
	Runs []string `json:"runs"`
	// WorkloadHashes are theirs, in the same order.
	WorkloadHashes []Hash `json:"workload_hashes"`
	// Interval says what ci95 is of: BetweenTrials.
	Interval string `json:"interval"`
	// CI95 holds the intervals of figures that are no distribution, by path.
	CI95 map[string][2]float64 `json:"ci95"`
}

// BetweenTrials is what the intervals of a combined report are of.
const BetweenTrials = "between trials"

// TrialsEnd is how a test of several trials ended.
type TrialsEnd struct {
	Asked int // trials
	// State and Reason are those of the last trial that was begun.
	State, Reason string
}

// Combine makes the report of a test of several trials from the reports of those
// that have one, in the order in which they ran. What is about one moment or one
// trial (series, agents, workload_hash) is left to their own reports.
func Combine(trials []*Report, end TrialsEnd) (*Report, error) {
	if len(trials) == 0 {
		return nil, errors.New("combine trials: none of them has a report")
	}
	first := trials[0]
	for _, t := range trials {
		if t.TestID != first.TestID || len(t.Stages) != len(first.Stages) || t.Spec == nil {
			return nil, fmt.Errorf("combine trials: %s and %s are not of one test", first.ID, t.ID)
		}
	}
	c := combiner{trials: trials, ci: map[string][2]float64{}}
	r := &Report{
		ID: first.TestID, TestID: first.TestID, Name: first.Name, Labels: maps.Clone(first.Labels), Model: first.Model,
		State: end.State, Reason: end.Reason, Verdict: c.verdict(), Accounting: c.accounting(),
		Series: series(nil), Errors: c.errors(), Agents: []AgentReport{}, Stages: c.stages(), Server: first.Server,
		Definitions: definitionMap(), StartedAt: first.StartedAt, EndedAt: trials[len(trials)-1].EndedAt,
		StampedeVersion: first.StampedeVersion,
	}
	r.Definitions["ci95"] = Definition{"ci95", "95 % interval, lower and upper end, of the mean over trials, between them: mean ± t(n - 1) · standard deviation / sqrt(n); null with fewer than two", "s"}
	spec := *first.Spec
	spec.Trials = end.Asked
	r.Spec = &spec
	c.whole(r)
	r.Generator = c.generator(r.Metrics)
	r.Trials = &Trials{N: len(trials), Asked: end.Asked, Interval: BetweenTrials, CI95: c.ci}
	for _, t := range trials {
		r.Trials.Runs, r.Trials.WorkloadHashes = append(r.Trials.Runs, t.ID), append(r.Trials.WorkloadHashes, t.WorkloadHash)
	}
	r.Gates = EvaluateGates(r, spec.Gates)
	return r, nil
}

// combiner takes means over trials and notes the intervals of single figures.
type combiner struct {
	trials []*Report
	ci     map[string][2]float64
}

// whole fills in the figures over all stages.
func (c *combiner) whole(r *Report) {
	r.Metrics = c.metrics(func(t *Report) Metrics { return t.Metrics })
	r.Throughput = c.throughput("throughput.", func(t *Report) *measure.Throughput { return &t.Throughput })
	r.Duration = c.mean("duration", func(t *Report) *float64 { return t.Duration })
	r.SLO = c.slo("slo.", func(t *Report) *SLO { return &t.SLO })
	r.FailRate = c.share("fail_rate", func(t *Report) *float64 { return t.FailRate })
	r.SLOShare = c.share("SLO", func(t *Report) *float64 { return t.SLOShare })
	r.RequestNum, r.TotalRequestNum, r.TotalFailRate = r.Accounting.Planned, r.Accounting.Planned, r.FailRate
	r.TTFT, r.TPOT, r.Latency = seedOf(r.Metrics[measure.TTFT]), seedOf(r.Metrics[measure.TPOT]), seedOf(r.Metrics[measure.E2E])
	r.PeakOutput, r.RPS, r.TotalDurationSec = r.Throughput.PeakOutputThroughput, r.Throughput.RequestThroughput, r.Duration
}

// mean is that of a figure over the trials that have it. With a path, its interval
// is noted under it.
func (c *combiner) mean(path string, of func(*Report) *float64) *float64 {
	var values []float64
	for _, t := range c.trials {
		if v := of(t); v != nil {
			values = append(values, *v)
		}
	}
	v, ends := between(values)
	if ends != nil && path != "" {
		c.ci[path] = *ends
	}
	return v
}

// share is mean for a figure that is never above 1.
func (c *combiner) share(path string, of func(*Report) *float64) *float64 {
	v := c.mean(path, of)
	if ends, there := c.ci[path]; there {
		c.ci[path] = [2]float64{ends[0], min(ends[1], 1)}
	}
	return v
}

// between is the mean of some values and its interval. No figure is below 0.
func between(values []float64) (*float64, *[2]float64) {
	mean, low, high, ok := interval.Between(values)
	switch {
	case len(values) == 0:
		return nil, nil
	case !ok:
		return &mean, nil
	}
	return &mean, &[2]float64{max(low, 0), high}
}

func (c *combiner) accounting() Accounting {
	var a Accounting
	for _, t := range c.trials {
		a.Accounting = a.Add(t.Accounting.Accounting)
		a.Warmup = a.Warmup.Add(t.Accounting.Warmup)
		a.LateSamples += t.Accounting.LateSamples
		if n := t.Accounting.UnsentByReason; n != nil {
			a.unsent(*n)
		}
		if w := t.Accounting.LostWithoutRow; w != nil {
			if a.LostWithoutRow == nil {
				a.LostWithoutRow = &WithoutRow{}
			}
			a.LostWithoutRow.Count += w.Count
		}
	}
	return a
}

func (c *combiner) stages() []Stage {
	stages := make([]Stage, len(c.trials[0].Stages))
	for i := range stages {
		at := func(t *Report) *Stage { return &t.Stages[i] }
		first, path := at(c.trials[0]), fmt.Sprintf("stages[%d].", i)
		s := Stage{Name: first.Name, Description: first.Description, Load: first.Load}
		s.Begin = *c.mean("", func(t *Report) *float64 { return &at(t).Begin })
		s.End = *c.mean("", func(t *Report) *float64 { return &at(t).End })
		s.Accounting = c.sum(func(t *Report) ledger.Accounting { return at(t).Accounting })
		s.FailRate = c.share(path+"fail_rate", func(t *Report) *float64 { return at(t).FailRate })
		s.Metrics = c.metrics(func(t *Report) Metrics { return at(t).Metrics })
		s.Throughput = c.throughput(path+"throughput.", func(t *Report) *measure.Throughput { return &at(t).Throughput })
		s.Duration = c.mean(path+"duration", func(t *Report) *float64 { return at(t).Duration })
		s.SLO = c.slo(path+"slo.", func(t *Report) *SLO { return &at(t).SLO })
		stages[i] = s
	}
	return stages
}

func (c *combiner) sum(of func(*Report) ledger.Accounting) (a ledger.Accounting) {
	for _, t := range c.trials {
		a = a.Add(of(t))
	}
	return a
}

func (c *combiner) slo(path string, of func(*Report) *SLO) SLO {
	s := SLO{PerObjective: map[string]ObjectiveShare{}}
	s.Attainment = c.share(path+"attainment", func(t *Report) *float64 { return of(t).Attainment })
	s.GoodputRPS = c.mean(path+"goodput_rps", func(t *Report) *float64 { return of(t).GoodputRPS })
	for name, o := range of(c.trials[0]).PerObjective {
		o.Met = 0
		for _, t := range c.trials {
			o.Met += of(t).PerObjective[name].Met
		}
		o.Attainment = c.share(path+"per_objective."+name+".attainment", func(t *Report) *float64 { return of(t).PerObjective[name].Attainment })
		s.PerObjective[name] = o
	}
	return s
}

// verdict is the worst of the trials', with all that was said of any of them.
func (c *combiner) verdict() Verdict {
	v := Verdict{State: Valid, Reasons: []Reason{}, Notices: []string{}}
	saidOf := map[string][]int{}
	var said []string
	for i, t := range c.trials {
		if t.Verdict.State == Invalid || v.State == Valid {
			v.State = t.Verdict.State
		}
		for _, reason := range t.Verdict.Reasons {
			reason.Message = fmt.Sprintf("trial %d: %s", i+1, reason.Message)
			v.Reasons = append(v.Reasons, reason)
		}
		for _, n := range t.Verdict.Notices {
			if saidOf[n] == nil {
				said = append(said, n)
			}
			if !slices.Contains(saidOf[n], i+1) {
				saidOf[n] = append(saidOf[n], i+1)
			}
		}
	}
	slices.SortStableFunc(v.Reasons, func(a, b Reason) int { return rank(a.State) - rank(b.State) })
	for _, n := range said {
		if of := saidOf[n]; len(of) < len(c.trials) {
			n = fmt.Sprintf("%s %s: %s", plural(int64(len(of)), "trial", "trials"), numbers(of), n)
		}
		v.Notices = append(v.Notices, n)
	}
	return v
}

// rank orders states, the worst first.
func rank(s State) int { return slices.Index([]State{Invalid, Degraded, Valid}, s) }

// numbers lists 1, 2, 4 as "1, 2, 4".
func numbers(list []int) string {
	s := ""
	for i, n := range list {
		if i > 0 {
			s += ", "
		}
		s += fmt.Sprint(n)
	}
	return s
}

// errors adds up what failed alike.
func (c *combiner) errors() []measure.ErrorGroup {
	groups := []measure.ErrorGroup{}
	for _, t := range c.trials {
		for _, g := range t.Errors {
			i := slices.IndexFunc(groups, func(o measure.ErrorGroup) bool { return o.Kind == g.Kind && o.HTTPStatus == g.HTTPStatus })
			if i < 0 {
				groups = append(groups, g)
				continue
			}
			groups[i].Count += g.Count
			groups[i].TimedOut += g.TimedOut
		}
	}
	slices.SortStableFunc(groups, func(a, b measure.ErrorGroup) int { return int(b.Count - a.Count) })
	return groups
}
