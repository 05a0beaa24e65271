package report

import (
	"cmp"
	"slices"
	"time"

	"github.com/stampede-bench/stampede/measure"
)

// Generator is the load generator's account of its own error, over all agents.
type Generator struct {
	Agents int `json:"agents"`
	// Lateness, StampUncertainty and ReadDelay are those of metrics.
	Lateness         *measure.Distribution `json:"lateness"`
	StampUncertainty *measure.Distribution `json:"stamp_uncertainty"`
	ReadDelay        *measure.Distribution `json:"read_delay"`
	// KernelStamped is the share of answered requests whose instants are the
	// kernel's.
	KernelStamped   *float64 `json:"kernel_stamped"`
	CoalescedChunks int64    `json:"coalesced_chunks"` // shared a read with another
	// ClockBound is the widest of the agents' bounds, s.
	ClockBound  *float64 `json:"clock_bound"`
	Overflow    int64    `json:"overflow"`     // values outside the histograms
	SamplesShed int64    `json:"samples_shed"` // outcomes that could not be kept
	// JournalProblem says why the journal was not written.
	JournalProblem *string `json:"journal_problem"`
	AuditReport
}

// AuditReport is Audit as the report shows it; null where nobody gave one.
type AuditReport struct {
	CPUSeconds       *float64 `json:"cpu_seconds"`
	CPUWait          *float64 `json:"cpu_wait_seconds"`    // threads ready to run, without a processor
	CPUMax           *float64 `json:"cpu_utilization_max"` // of the quota, 0 to 1
	GCPauseMax       *float64 `json:"gc_pause_max"`        // s
	GCCount          *int64   `json:"gc_count"`
	SchedulerP99     *float64 `json:"scheduler_latency_p99"` // s
	MemoryMax        *int64   `json:"memory_max_bytes"`      // of one process
	DetailShed       *int64   `json:"detail_shed"`
	ClockSteps       *int64   `json:"clock_steps"`
	Connections      *int64   `json:"connections"`
	StaleConnections *int64   `json:"stale_connections"`
	ColdConnections  *int64   `json:"cold_connections"`
}

// AgentReport is one agent's part of the report.
type AgentReport struct {
	Name        string   `json:"name"`
	ID          string   `json:"id"`
	Host        string   `json:"host"`
	Version     string   `json:"version"`
	Platform    string   `json:"platform"`
	CPUs        float64  `json:"cpus"`
	ClockOffset *float64 `json:"clock_offset"` // s, its clock minus the controller's
	ClockBound  *float64 `json:"clock_bound"`  // s, the widest during the run
	// ClockDrift is by how much its clock ran faster than the controller's, in
	// seconds a second; ClockDriftBound is the bound on its error.
	ClockDrift      *float64    `json:"clock_drift"`
	ClockDriftBound *float64    `json:"clock_drift_bound"`
	Lost            *LossReport `json:"lost"`
	measure.AgentFigures
	AuditReport
}

// LossReport says when an agent was lost and what with it.
type LossReport struct {
	At       time.Time `json:"at"`
	Requests int64     `json:"requests"`
	Returned bool      `json:"returned"` // it came back and handed over what it had
}

// auditReport shows one audit, or nulls.
func auditReport(a *Audit) AuditReport {
	if a == nil {
		return AuditReport{}
	}
	return AuditReport{
		CPUSeconds: &a.CPUSeconds, CPUWait: &a.CPUWait, CPUMax: &a.CPUMax, GCPauseMax: nanos(a.GCPauseMax), GCCount: &a.GCCount,
		SchedulerP99: nanos(a.SchedulerP99), MemoryMax: &a.MemoryMax, DetailShed: &a.DetailShed,
		ClockSteps: &a.ClockSteps, Connections: &a.Connections,
		StaleConnections: &a.StaleConnections, ColdConnections: &a.ColdConnections,
	}
}

// mergeAudits adds counts up and takes the worst of what is a maximum. It returns
// nil when no agent gave one.
func mergeAudits(agents []Agent) *Audit {
	var sum *Audit
	for i := range agents {
		a := agents[i].Audit
		if a == nil {
			continue
		}
		if sum == nil {
			sum = &Audit{}
		}
		sum.CPUSeconds += a.CPUSeconds
		sum.CPUWait += a.CPUWait
		sum.CPUMax = max(sum.CPUMax, a.CPUMax)
		sum.GCPauseMax = max(sum.GCPauseMax, a.GCPauseMax)
		sum.SchedulerP99 = max(sum.SchedulerP99, a.SchedulerP99)
		sum.MemoryMax = max(sum.MemoryMax, a.MemoryMax)
		sum.GCCount += a.GCCount
		sum.DetailShed += a.DetailShed
		sum.Connections += a.Connections
		sum.StaleConnections += a.StaleConnections
		sum.ColdConnections += a.ColdConnections
	}
	return sum
}

// clockSteps is how often an agent's clock jumped; nil when nobody can tell.
func clockSteps(a *Agent) *int64 {
	steps := a.ClockSteps
	if a.Audit != nil {
		steps = max(steps, a.Audit.ClockSteps)
	}
	if a.Audit == nil && a.ClockOffset == nil {
		return nil
	}
	return &steps
}

// allClockSteps adds the agents' up.
func allClockSteps(agents []Agent) *int64 {
	var sum *int64
	for i := range agents {
		n := clockSteps(&agents[i])
		if n != nil && sum != nil {
			*n += *sum
		}
		if n != nil {
			sum = n
		}
	}
	return sum
}

// widestBound is the widest of the agents' clock bounds, in seconds.
func widestBound(agents []Agent) *float64 {
	var widest *float64
	for _, a := range agents {
		if a.ClockBound != nil && (widest == nil || float64(*a.ClockBound)/1e9 > *widest) {
			widest = nanos(*a.ClockBound)
		}
	}
	return widest
}

// agentReports shows the agents by name.
func agentReports(in *Input) []AgentReport {
	reports := make([]AgentReport, 0, len(in.Agents))
	for _, a := range in.Agents {
		r := AgentReport{
			Name: a.Name, ID: a.ID, Host: a.Host, Version: a.Version, Platform: a.Platform, CPUs: a.CPUs,
			AgentFigures: in.Set.Agent(a.Name), AuditReport: auditReport(a.Audit),
		}
		r.ClockSteps = clockSteps(&a)
		if a.ClockOffset != nil {
			r.ClockOffset = nanos(*a.ClockOffset)
		}
		if a.ClockBound != nil {
			r.ClockBound = nanos(*a.ClockBound)
		}
		if a.ClockDrift != nil && a.ClockDriftBound != nil {
			r.ClockDrift, r.ClockDriftBound = nanos(*a.ClockDrift), nanos(*a.ClockDriftBound)
		}
		if a.Loss != nil {
			r.Lost = &LossReport{At: a.Loss.At.UTC(), Requests: a.Loss.Requests, Returned: a.Loss.Returned}
		}
		reports = append(reports, r)
	}
	slices.SortStableFunc(reports, func(a, b AgentReport) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	return reports
}

// nanos is an integer of nanoseconds as seconds.
func nanos(n int64) *float64 {
	s := float64(n) / 1e9
	return &s
}
