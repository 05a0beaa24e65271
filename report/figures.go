package report

import (
	"time"

	"github.com/stampede-bench/stampede/ledger"
	"github.com/stampede-bench/stampede/measure"
	"github.com/stampede-bench/stampede/workload"
)

// noProcess is the share of process-stamped requests below which a 99th
// percentile can't be moved by them.
const noProcess = 0.01

// figures gathers what the verdict depends on.
func figures(in *Input, r *Report) Figures {
	f := Figures{
		LatenessLimit: workload.DefaultLatenessP99.D().Seconds(),
		Overflow:      r.Generator.Overflow, SamplesShed: in.SamplesShed,
		Unaccounted: unaccounted(r.Accounting.Accounting) + unaccounted(r.Accounting.Warmup),
		Lost:        r.Accounting.Lost + r.Accounting.Warmup.Lost,
		DetailShed:  or(r.Generator.DetailShed, 0), JournalProblem: in.JournalProblem,
		FailRate: r.FailRate, CacheAsked: in.CacheAsked, CacheWanted: in.CacheWanted, TokenizerDrift: in.TokenizerDrift,
		DatasetSize: in.DatasetSize, SessionsUsed: in.SessionsUsed,
		Succeeded: r.Accounting.Succeeded, Planned: r.Accounting.Planned,
	}
	if limit := in.Spec.Limits.LatenessP99; limit != nil {
		f.LatenessLimit = limit.D().Seconds()
	}
	f.CachedShare = cachedShare(r.Metrics)
	if asked, got := in.Set.Lengths(measure.Measured); asked > 0 {
		n := float64(r.Metrics[measure.OutputAsked].Count)
		f.OutputAsked, f.OutputTokens = share(float64(asked), n), share(float64(got), n)
	}
	for _, a := range r.Agents {
		f.Agents = append(f.Agents, AgentFigures{Name: a.Name, CPUSeconds: a.CPUSeconds, CPUWait: a.CPUWait, CPUMax: a.CPUMax, ClockBound: a.ClockBound})
		if a.Lost != nil {
			f.AgentsLost = append(f.AgentsLost, lossText(&a))
		}
	}
	first := len(in.Phases) - len(r.Stages)
	for i := range r.Stages {
		f.Stages = append(f.Stages, stageFigures(in, first+i, &r.Stages[i]))
	}
	return f
}

// unaccounted is how far an accounting is from adding up.
func unaccounted(a ledger.Accounting) int64 {
	off := a.Planned - a.Succeeded - a.Failed - a.TimedOut - a.Cancelled - a.Unsent - a.Lost
	return max(off, -off)
}

// lossText names a lost agent, when and with how much.
func lossText(a *AgentReport) string {
	s := a.Name + " at " + a.Lost.At.Format(time.TimeOnly)
	switch {
	case a.Lost.Returned:
		s += ", which came back"
	case a.Lost.Requests > 0:
		s += " with " + integer(a.Lost.Requests) + plural(a.Lost.Requests, " request", " requests")
	}
	return s
}

// cachedShare is the share of input tokens that came from a prefix cache, of
// requests whose endpoint tells.
func cachedShare(m Metrics) *float64 {
	cached, input := m[measure.CachedTokens], m[measure.InputTokens]
	if cached == nil || input == nil {
		return nil
	}
	return share(*cached.Mean*float64(cached.Count), *input.Mean*float64(input.Count))
}

func stageFigures(in *Input, index int, s *Stage) StageFigures {
	p := &in.Phases[index]
	f := StageFigures{
		Name: s.Name, Judged: p.Judged, Closed: p.Closed,
		LatenessP99:  p99(s.Metrics, measure.Lateness),
		AchievedRate: s.Throughput.AchievedRate, Dispatch: p.seconds(),
		NotDue:    p.Accounting.Lost + p.Accounting.Unsent - p.UnsentAfter + p.Accounting.Cancelled, // later turns were never offered
		ICLMedian: median(s.Metrics, measure.ICL), TTFTMedian: median(s.Metrics, measure.TTFT), E2EMedian: median(s.Metrics, measure.E2E),
	}
	if s.Throughput.OfferedRate != nil {
		f.OfferedRate = share(p.offered(), p.seconds()) // with all that NotDue takes away again
	}
	answered, kernel := in.Set.Stamps(measure.Scope(index))
	if kernel > 0 {
		f.StampUncertaintyP99 = p99(s.Metrics, measure.StampUncertainty)
	}
	if float64(answered-kernel) > noProcess*float64(answered) {
		f.ReadDelayP99 = p99(s.Metrics, measure.ReadDelay)
	}
	return f
}

func p99(m Metrics, f measure.Figure) *float64 {
	if d := m[f]; d != nil {
		return d.P99
	}
	return nil
}

func median(m Metrics, f measure.Figure) *float64 {
	if d := m[f]; d != nil {
		return d.P50
	}
	return nil
}
