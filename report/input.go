package report

import (
	"time"

	"github.com/stampede-bench/stampede/ledger"
	"github.com/stampede-bench/stampede/measure"
	"github.com/stampede-bench/stampede/workload"
)

// Input is all that a report is made of. Build reads it and keeps nothing of it
// but the spec.
type Input struct {
	RunID  string
	TestID string
	// State is how the run ended: SUCCEEDED, FAILED or CANCELLED. Reason says why
	// it did not succeed, or is empty.
	State  string
	Reason string
	// Spec is the effective spec: completed, with the model resolved.
	Spec *workload.Spec
	// WorkloadHash in hex; empty when it is not known.
	WorkloadHash string
	// Version of the program that writes the report.
	Version string
	// Anchor is the run's anchor on the controller's clock; it becomes
	// started_at, and all windows are relative to it. Ended is when the run's last
	// outcome was settled.
	Anchor, Ended time.Time

	// Phases in order, warmup first if there is one; Set and Phases number them
	// alike.
	Phases []Phase
	// Set holds what was measured, every fresh outcome folded once.
	Set *measure.Set
	// Intervals of the same outcomes, for the scopes whose load was steady; nil
	// gives no intervals.
	Intervals *measure.Intervals
	// SamplesShed counts outcomes that could not be kept; LateSamples those that
	// came after the run was closed, in so far as that is known yet.
	SamplesShed, LateSamples int64

	// Agents of the run, in any order; Build sorts them by name.
	Agents []Agent
	// Server is what the endpoint told about itself.
	Server Server
	// WithoutRow are the lost requests that no row was written of, in rising order
	// of their index.
	WithoutRow []RowGap
	// JournalProblem says why the journal was not written; empty when it was.
	JournalProblem string
	// Notices are remarks from elsewhere: defaults taken, the probe's.
	Notices []string

	// DatasetSize is the number of distinct sessions in the data, 0 or less when it
	// has no end; SessionsUsed how many sessions were begun, warmup included.
	DatasetSize, SessionsUsed int64
	// CacheAsked says that the spec asks for prefix-cache hits.
	CacheAsked bool
	// CacheWanted is the rate of prefix-cache hits that the spec wants; nil when it
	// does not say.
	CacheWanted *float64
	// TokenizerDrift is |usage - tokenizer| / usage over all output tokens; nil
	// without a tokenizer.
	TokenizerDrift *float64
}

// Phase is the warmup or one stage, as it went.
type Phase struct {
	Name   string
	Warmup bool
	Closed bool // closed loop: no offered rate
	// Judged: its lateness is (open loop, no concurrency cap, not inf).
	Judged bool
	// Begin and End bound its dispatch, in nanoseconds since the anchor. Both 0 for
	// a phase that never began.
	Begin, End int64
	// Sessions is how many the schedule yields, in open loop; 0: as many as were
	// planned, one turn each.
	Sessions int64
	// Beyond is how many of them were due only after the run was stopped.
	Beyond     int64
	Accounting ledger.Accounting
	// UnsentAfter is how many of the unsent had an earlier turn that failed.
	UnsentAfter int64
}

// Agent is one agent's part in the run.
type Agent struct {
	Name     string // as Set.Fold was told it
	ID       string
	Host     string
	Version  string
	Platform string
	CPUs     float64
	// ClockOffset is its clock minus the controller's at the end, and ClockBound the
	// widest bound on that during the run, in nanoseconds; nil when no round trip was
	// timed.
	ClockOffset, ClockBound *int64
	// ClockDrift is by how much its clock ran faster, in parts per billion, and
	// ClockDriftBound the bound on that; nil when there was not time enough to tell.
	ClockDrift, ClockDriftBound *int64
	// ClockSteps is how often its clock was seen to jump, from afar; it may have
	// seen more itself.
	ClockSteps int64
	// Audit is what it said of itself at the end; nil when it never did.
	Audit *Audit
	// Loss says when and how it was lost; nil when it was not.
	Loss *Loss
}

// Audit is a generator's account of its own disturbances.
type Audit struct {
	CPUSeconds float64
	// CPUWait is the seconds that its threads were ready to run but had no processor,
	// in sum; 0 where the system does not tell.
	CPUWait float64
	// CPUMax is the highest share of the CPU quota in one heartbeat period, 0 to 1.
	CPUMax float64
	// GCPauseMax and SchedulerP99 in nanoseconds.
	GCPauseMax, SchedulerP99 int64
	GCCount                  int64
	DetailShed               int64 // samples without their chunk detail
	ClockSteps               int64
	Connections              int64 // opened
	StaleConnections         int64 // found closed by the server and replaced
	ColdConnections          int64 // could not be warmed ahead
	MemoryMax                int64 // bytes
}

// Loss is an agent that went silent.
type Loss struct {
	At time.Time // end of its lease
	// Requests of it whose outcome is not known.
	Requests int64
	// Returned says that it came back and handed over what it had.
	Returned bool
}

// Server is what the endpoint told about itself; empty where it did not.
type Server struct {
	Engine  string   `json:"engine,omitempty"`
	Version string   `json:"version,omitempty"`
	Models  []string `json:"models,omitempty"`
}
