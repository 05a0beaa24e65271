package client

import (
	"time"

	"github.com/stampede-bench/stampede/internal/wire"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/workload"
)

// State is how far a test's latest run is.
type State string

// The states in the order of a run's life; the last three are terminal.
const (
	Registered State = "REGISTERED" // not started yet
	Pending    State = "PENDING"    // waits for agents or data; Test.Reason says for what
	Running    State = "RUNNING"    // sends load; warmup is a part of it
	Draining   State = "DRAINING"   // waits for the requests in flight
	Succeeded  State = "SUCCEEDED"  // ended with a report, good or bad
	Failed     State = "FAILED"     // ended without one request that succeeded
	Cancelled  State = "CANCELLED"  // stopped by Cancel; what ran is reported
)

// Terminal reports whether a run in state s has ended.
func (s State) Terminal() bool { return s == Succeeded || s == Failed || s == Cancelled }

// Test is a registered spec together with its latest run.
type Test struct {
	ID       string
	RunID    string         // of the latest run, empty before the first
	Spec     *workload.Spec // as registered, with secrets masked
	State    State
	Reason   string // why it waits, or ended the way it did
	Revision int64  // grows with each change
	Created  time.Time
	Started  time.Time // when the run began to send load; zero before
	Ended    time.Time // zero before
	Progress Progress
	Agents   []string // of the latest run
	// InvalidSpec says that the run failed because of its spec or of data that it
	// names; Reason names the keys.
	InvalidSpec bool
}

// Progress counts what has become of a run so far. Warmup is counted apart.
type Progress struct {
	Phase                 string // "warmup" or a stage's name
	Planned               int64  // by the schedule; in closed loop, drawn so far
	Sent                  int64
	InFlight              int64 // sent and without outcome
	Succeeded             int64
	Failed                int64         // timeouts included
	Cancelled             int64         // or never sent, since the run was stopped
	Lost                  int64         // outcome unknown, since an agent went silent
	Warmup                int64         // warmup requests that have ended
	OutputTokensPerSecond float64       // of the last full second
	TTFTp50, TTFTp99      time.Duration // time to first token so far; 0 when there is none
	Elapsed               time.Duration // since it began to send load
	Expected              time.Duration // 0 when bounded by count
}

// Agent is one load generator that is connected.
type Agent struct {
	ID, Name, Host, Version string        // ID is of the process, Name for people
	CPUs                    float64       // that it may use
	Connected               time.Time     // since when
	RunIDs                  []string      // it works on
	ClockOffset             time.Duration // its clock minus the controller's
	ClockBound              time.Duration // on the error of ClockOffset
	ClockDrift              int64         // by how much its clock runs faster, parts per billion
	ClockDriftBound         int64         // on the error of ClockDrift; both 0 while that is not known
	ClockSteps              int64         // jumps of its clock that were seen
	LeaseRemaining          time.Duration
	CPUUtilization          float64 // share of its quota, 0 to 1
	InFlight                int64
}

func stateFrom(s stampedev1.State) State {
	switch s {
	case stampedev1.State_STATE_REGISTERED:
		return Registered
	case stampedev1.State_STATE_PENDING:
		return Pending
	case stampedev1.State_STATE_RUNNING:
		return Running
	case stampedev1.State_STATE_DRAINING:
		return Draining
	case stampedev1.State_STATE_SUCCEEDED:
		return Succeeded
	case stampedev1.State_STATE_FAILED:
		return Failed
	case stampedev1.State_STATE_CANCELLED:
		return Cancelled
	default:
		return ""
	}
}

func testFrom(p *stampedev1.Test) (Test, error) {
	t := Test{
		ID: p.GetTestId(), RunID: p.GetRunId(), State: stateFrom(p.GetState()), Reason: p.GetReason(),
		Revision: p.GetRevision(), Agents: p.GetAgents(), Progress: progressFrom(p.GetProgress()),
		InvalidSpec: p.GetInvalidSpec(),
	}
	if ts := p.GetCreateTime(); ts != nil {
		t.Created = ts.AsTime()
	}
	if ts := p.GetStartTime(); ts != nil {
		t.Started = ts.AsTime()
	}
	if ts := p.GetEndTime(); ts != nil {
		t.Ended = ts.AsTime()
	}
	if p.GetSpec() == nil {
		return t, nil
	}
	spec, err := wire.SpecShown(p.GetSpec())
	t.Spec = spec
	return t, err
}

func progressFrom(p *stampedev1.Progress) Progress {
	return Progress{
		Phase: p.GetPhase(), Planned: p.GetPlannedCount(), Sent: p.GetSentCount(), InFlight: p.GetInFlightCount(),
		Succeeded: p.GetSucceededCount(), Failed: p.GetFailedCount(), Cancelled: p.GetCancelledCount(),
		Lost: p.GetLostCount(), Warmup: p.GetWarmupCount(), OutputTokensPerSecond: p.GetOutputTokensPerSecond(),
		TTFTp50: time.Duration(p.GetTtftP50Nanos()), TTFTp99: time.Duration(p.GetTtftP99Nanos()),
		Elapsed: time.Duration(p.GetElapsedNanos()), Expected: time.Duration(p.GetExpectedNanos()),
	}
}

func agentFrom(p *stampedev1.Agent) Agent {
	return Agent{
		ID: p.GetAgentId(), Name: p.GetName(), Host: p.GetHost(), Version: p.GetVersion(),
		CPUs: p.GetCpuCount(), Connected: p.GetConnectTime().AsTime(), RunIDs: p.GetRunIds(),
		ClockOffset: time.Duration(p.GetClockOffsetNanos()), ClockBound: time.Duration(p.GetClockBoundNanos()),
		ClockDrift: p.GetClockDriftPpb(), ClockDriftBound: p.GetClockDriftBoundPpb(), ClockSteps: p.GetClockStepCount(),
		LeaseRemaining: p.GetLeaseRemainingDuration().AsDuration(),
		CPUUtilization: p.GetCpuUtilization(), InFlight: p.GetInFlightCount(),
	}
}
