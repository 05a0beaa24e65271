package controller

import (
	"fmt"
	"time"

	"github.com/stampede-bench/stampede/controller/store"
	"github.com/stampede-bench/stampede/internal/plural"
	"github.com/stampede-bench/stampede/report"
	"github.com/stampede-bench/stampede/schedule"
	"github.com/stampede-bench/stampede/workload/dataset"
)

// conclude builds the report, writes the artefacts and ends the run.
func (r *run) conclude(err error, ended time.Time) {
	sum := r.ledger.Sum(r.stagePhases()...)
	state, reason := r.endState(err, sum.Succeeded)
	hash := r.workloadHash()
	in := r.input(ended)
	in.State, in.Reason, in.WorkloadHash, in.Intervals = stateWord(state), reason, hash, r.intervals()
	rep, rerr := report.Build(in)
	var raw []byte
	if rerr == nil {
		raw, rerr = rep.JSON()
	}
	if rerr != nil {
		r.log.Error("report is not built", "err", rerr)
		reason = orText(reason, fmt.Sprintf("the report could not be built: %v", rerr))
	} else {
		r.write(rep, raw, hash)
	}
	progress := r.progress(time.Now())
	r.log.Info("run ended", "state", state, "reason", reason, "succeeded", sum.Succeeded, "planned", r.sum(r.phases[r.firstStagePhase():]).Planned)
	r.end(func(row *store.Run) {
		row.State, row.Reason, row.Hint, row.EndTime = state, reason, hintOf(err), ended
		row.Report, row.WorkloadHash, row.Progress = raw, hash, progress
	})
}

// input gathers what the report is made of.
func (r *run) input(ended time.Time) report.Input {
	in := report.Input{
		RunID: r.id, TestID: r.testID, Spec: r.eff, Version: r.c.cfg.Version,
		Anchor: r.anchorTime(), Ended: r.settledBy(ended), Set: r.set,
		Server:      report.Server{Engine: r.facts.engine, Version: r.facts.serverVersion, Models: r.facts.models},
		Notices:     r.facts.notices,
		DatasetSize: r.corpus.Len(), SessionsUsed: r.sessionsUsed(), WithoutRow: r.withoutRow,
	}
	in.CacheAsked = dataset.Shares(r.eff, r.corpus)
	if p := r.eff.Dataset.Prefix; p != nil {
		in.CacheWanted = p.HitRate
	}
	if r.segment.problem != nil {
		in.JournalProblem = r.segment.problem.Error()
	}
	for _, p := range r.phases {
		base, end := r.window(p, ended)
		in.Phases = append(in.Phases, report.Phase{
			Name: p.Name, Warmup: p.Warmup, Closed: p.Kind == schedule.Closed, Judged: p.Judged,
			Begin: base, End: end, Accounting: r.account(p), Sessions: r.offered(p), Beyond: r.beyond(p), UnsentAfter: p.unsentAfter,
		})
	}
	for _, m := range r.members {
		in.Agents = append(in.Agents, r.agentInput(m))
	}
	in.TokenizerDrift = r.tokenizerDrift()
	in.Notices = append(in.Notices, r.remarks()...)
	return in
}

// offered is how many sessions the schedule of an open loop yields.
func (r *run) offered(p *phase) int64 {
	if p.Kind == schedule.Closed || !p.released {
		return 0
	}
	return p.Sessions
}

// beyond is how many of these were due only after the run was stopped.
func (r *run) beyond(p *phase) int64 {
	if !r.halt.on || r.halt.at.IsZero() || r.offered(p) == 0 {
		return 0
	}
	return p.Sessions - p.Before(r.permits.nominal(r.halt.at)-p.Nominal)
}

// settledBy is when the last outcome was settled: waiting for agents that did not
// come back is no part of the run.
func (r *run) settledBy(ended time.Time) time.Time {
	if r.settled.IsZero() {
		return ended
	}
	return r.settled
}

// remarks are what the run itself noticed.
func (r *run) remarks() []string {
	var notices []string
	note := func(n int64, sentence string) {
		if n > 0 {
			notices = append(notices, plural.Said(n, sentence))
		}
	}
	note(r.counts.unfinished, "# {entry was|entries were} left without an outcome by agents that said they were done; {it counts|they count} as lost")
	note(r.counts.redealt, "# {shard|shards} of an agent that went away {was|were} dealt to others")
	note(r.counts.overdue, "# {entry was|entries were} due before a lost agent's work could be taken over; {it counts|they count} as lost")
	note(r.counts.strange, "# {message of an agent|messages of agents} fitted nothing and {was|were} ignored")
	if d := r.segment.slowest; d >= slowSync {
		notices = append(notices, fmt.Sprintf("the controller's disk took up to %v to make outcomes safe: agents kept them that long, the load did not wait", d.Round(10*time.Millisecond)))
	}
	for _, m := range r.members {
		if m.away > 0 {
			notices = append(notices, fmt.Sprintf("agent %s was silent for %v beyond its lease and came back", m.name, m.away.Round(time.Millisecond)))
		}
		if m.left {
			notices = append(notices, fmt.Sprintf("agent %s left during the run; others took over what it had not begun", m.name))
		}
	}
	return notices
}

func (r *run) sessionsUsed() int64 {
	used := int64(0)
	for _, p := range r.phases {
		if p.released {
			used = max(used, p.firstSession+r.begunIn(p))
		}
	}
	return used
}

func (r *run) agentInput(m *member) report.Agent {
	a := report.Agent{Name: m.name, ID: m.id, Host: m.row.Host, Version: m.row.Version, Platform: m.row.Platform, CPUs: m.row.CPUCount}
	r.showClock(m, &a)
	if u := m.audit; u != nil {
		a.Audit = &report.Audit{
			CPUSeconds: u.CpuSeconds, CPUWait: u.CpuWaitSeconds, CPUMax: u.CpuUtilizationMax, GCPauseMax: u.GcPauseMaxNanos,
			SchedulerP99: u.SchedulerLatencyP99Nanos, GCCount: u.GcCount, DetailShed: u.DetailShedCount,
			ClockSteps: u.ClockStepCount, Connections: u.ConnectionCount, StaleConnections: u.StaleConnectionCount,
			ColdConnections: u.ColdConnectionCount, MemoryMax: u.MemoryMaxBytes,
		}
	}
	if !m.lostAt.IsZero() {
		a.Loss = &report.Loss{At: m.lostAt, Requests: m.lostRequests, Returned: !m.lost}
	}
	return a
}

// showClock tells what is known of a member's clock.
func (r *run) showClock(m *member, a *report.Agent) {
	now := time.Now()
	v, ok := r.c.registry.clockOf(m.id)
	if !ok {
		return
	}
	_, widest := r.c.registry.clockOver(m.id, r.c.wall.unix(r.anchor), r.c.wall.unix(r.settledBy(now)))
	a.ClockOffset, a.ClockBound = &v.offset, &widest
	if v.drifts {
		a.ClockDrift, a.ClockDriftBound = &v.drift, &v.driftBound
	}
	a.ClockSteps = max(v.steps-m.steps, 0)
}
