package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// State is a verdict: whether a report's numbers can be trusted.
type State string

// Invalid beats degraded beats valid.
const (
	// Valid: the numbers are what they say.
	Valid State = "valid"
	// Degraded: they are true, but not of all requests.
	Degraded State = "degraded"
	// Invalid: the generator itself disturbed them.
	Invalid State = "invalid"
)

// Verdict stands above all numbers of a report.
type Verdict struct {
	State   State    `json:"state"`
	Reasons []Reason `json:"reasons"` // invalid ones first
	Notices []string `json:"notices"` // worth knowing; they change nothing
}

// Reason is one rule that was broken.
type Reason struct {
	State   State   `json:"state"`           // what it makes of the verdict
	Figure  string  `json:"figure"`          // id of the figure
	Stage   string  `json:"stage,omitempty"` // when it is about one of several stages
	Value   float64 `json:"value"`           // in the figure's unit
	Limit   float64 `json:"limit"`
	Message string  `json:"message"` // one line for people
}

// Fixed limits of metrics.md, "Verdict".
const (
	minAchieved       = 0.99 // of offered
	minStampLimit     = 1e-3 // s
	stampShare        = 0.05 // of the median icl or ttft
	maxCPU            = 0.90 // of the quota
	maxCPUWait        = 1.0  // of the CPU used
	minCPUWait        = 0.1  // s; less says nothing
	maxClockBound     = 5e-3 // s
	maxCachedShare    = 0.05
	maxCacheOff       = 0.05 // of what is wanted, both shares
	maxLengthOff      = 0.05
	maxFailRate       = 0.05
	maxTokenizerDrift = 0.01
)

// Figures is all that a verdict depends on. A nil pointer is a figure that does
// not exist; rules about it are not applied.
type Figures struct {
	// LatenessLimit is limits.lateness_p99 in seconds.
	LatenessLimit float64
	Stages        []StageFigures // without warmup
	Overflow      int64          // values beyond the histograms' range
	SamplesShed   int64          // outcomes that could not be kept
	Unaccounted   int64          // planned requests without exactly one outcome

	AgentsLost     []string
	Lost           int64  // requests
	DetailShed     int64  // samples without their chunk detail
	JournalProblem string // why the journal was not written; empty when it was

	Agents         []AgentFigures
	FailRate       *float64
	CachedShare    *float64 // cached tokens / input tokens
	CacheAsked     bool     // the spec asks for cache hits
	CacheWanted    *float64 // the share it wants
	OutputTokens   *float64 // mean, of requests that asked for a length
	OutputAsked    *float64 // mean, of the same requests
	TokenizerDrift *float64 // |usage - tokenizer| / usage
	DatasetSize    int64    // sessions in the data; 0 when it has no end
	SessionsUsed   int64    // sessions that were begun, warmup included
	Succeeded      int64
	Planned        int64
}

// StageFigures is what is judged of one stage. All in seconds and 1/s.
type StageFigures struct {
	Name string
	// Judged: open loop, without a concurrency cap, not inf.
	Judged bool
	Closed bool

	LatenessP99  *float64
	OfferedRate  *float64
	AchievedRate *float64
	// Dispatch is the length of the dispatch window in seconds.
	Dispatch float64
	// NotDue counts what left the offer: lost, unsent, cancelled.
	NotDue int64

	StampUncertaintyP99 *float64 // of kernel-stamped requests
	ReadDelayP99        *float64 // of process-stamped requests
	ICLMedian           *float64 // nil when replies came in one chunk
	TTFTMedian          *float64 // nil without streaming
	E2EMedian           *float64
}

// AgentFigures is what is judged of one agent.
type AgentFigures struct {
	Name string
	// CPUMax is the highest share of the CPU quota in one heartbeat period.
	CPUMax *float64
	// CPUSeconds it used, and CPUWait, for how long its threads had no processor.
	CPUSeconds, CPUWait *float64
	// ClockBound is the bound on its clock's offset in seconds.
	ClockBound *float64
}

// Judge applies the rules of metrics.md, "Verdict".
func Judge(f Figures) Verdict {
	v := Verdict{State: Valid, Reasons: []Reason{}, Notices: []string{}}
	for i := range f.Stages {
		v.judgeStage(&f, &f.Stages[i])
	}
	v.judgeCompleteness(&f)
	v.notice(&f)
	return v
}

func (v *Verdict) add(r Reason) {
	if r.State == Invalid || v.State == Valid {
		v.State = r.State
	}
	v.Reasons = append(v.Reasons, r)
}

func (v *Verdict) judgeStage(f *Figures, s *StageFigures) {
	where, stage := "", ""
	if len(f.Stages) > 1 {
		where, stage = fmt.Sprintf("stage %q: ", s.Name), s.Name
	}
	over := func(figure string, value *float64, limit float64, what, why string) {
		if value == nil || *value <= limit {
			return
		}
		v.add(Reason{
			State: Invalid, Figure: figure, Stage: stage, Value: *value, Limit: limit,
			Message: fmt.Sprintf("%s%s is %s, over the limit of %s%s", where, what, beyond(*value, limit, "s", seconds), seconds(limit), why),
		})
	}
	if s.Judged {
		over("lateness.p99", s.LatenessP99, f.LatenessLimit, "p99 of lateness", ": requests left later than the schedule wanted")
		v.judgeRate(s, where, stage)
	}
	limit, of := stampLimit(s)
	over("stamp_uncertainty.p99", s.StampUncertaintyP99, limit, "p99 of stamp_uncertainty", of)
	over("read_delay.p99", s.ReadDelayP99, limit, "p99 of read_delay", of)
}

// stampLimit is how far a receive stamp may be off: relative to what lies between
// chunks where chunks are measured at an open load, else relative to the first.
func stampLimit(s *StageFigures) (limit float64, of string) {
	median, name := s.ICLMedian, "icl"
	if s.Closed || median == nil {
		median, name = s.TTFTMedian, "ttft"
	}
	if median == nil {
		median, name = s.E2EMedian, "e2e"
	}
	if median == nil || stampShare**median <= minStampLimit {
		return minStampLimit, ""
	}
	return stampShare * *median, fmt.Sprintf(" (5 %% of the median %s)", name)
}

// judgeRate holds what was sent within the dispatch window against what was due
// in it. A single request that left just behind the window's end is no shortfall.
func (v *Verdict) judgeRate(s *StageFigures, where, stage string) {
	if s.OfferedRate == nil || s.AchievedRate == nil || s.Dispatch <= 0 {
		return
	}
	due := *s.OfferedRate - float64(s.NotDue)/s.Dispatch
	limit := minAchieved * due
	missing := (due - *s.AchievedRate) * s.Dispatch
	if *s.AchievedRate >= limit || missing <= 1+1e-9*due*s.Dispatch {
		return
	}
	v.add(Reason{
		State: Invalid, Figure: "achieved_rate", Stage: stage, Value: *s.AchievedRate, Limit: limit,
		Message: fmt.Sprintf("%sachieved_rate is %s/s, under 99 %% of the %s/s that were due", where, number(*s.AchievedRate), number(due)),
	})
}

// judgeCompleteness looks at what is missing from the numbers.
func (v *Verdict) judgeCompleteness(f *Figures) {
	count := func(state State, figure string, n int64, message string) {
		if n > 0 {
			v.add(Reason{State: state, Figure: figure, Value: float64(n), Message: strconv.FormatInt(n, 10) + " " + message})
		}
	}
	lost := int64(len(f.AgentsLost))
	count(Invalid, "overflow", f.Overflow, plural(f.Overflow, "value", "values")+" lay outside the histograms (1 µs to 24 h), over the limit of 0")
	count(Invalid, "samples_shed", f.SamplesShed, plural(f.SamplesShed, "outcome", "outcomes")+" could not be kept, over the limit of 0")
	count(Invalid, "planned", f.Unaccounted, plural(f.Unaccounted, "planned request has", "planned requests have")+" not exactly one outcome")
	count(Degraded, "agents_lost", lost, plural(lost, "agent was", "agents were")+" lost: "+strings.Join(f.AgentsLost, ", "))
	count(Degraded, "lost", f.Lost, plural(f.Lost, "request is", "requests are")+" lost: nobody knows what became of them")
	count(Degraded, "detail_shed", f.DetailShed, plural(f.DetailShed, "sample", "samples")+" came without chunk detail; itl and icl lack them")
	if f.JournalProblem != "" {
		v.add(Reason{State: Degraded, Figure: "journal", Value: 1, Message: "the journal was not written: " + f.JournalProblem})
	}
}

func (v *Verdict) note(format string, args ...any) {
	v.Notices = append(v.Notices, fmt.Sprintf(format, args...))
}

func (v *Verdict) notice(f *Figures) {
	switch {
	case f.Succeeded > 0:
	case f.Planned == 1:
		v.note("the one request did not succeed")
	case f.Planned > 1:
		v.note("not one of %d requests succeeded", f.Planned)
	}
	if over(f.FailRate, maxFailRate) && f.Succeeded > 0 {
		v.note("fail_rate is %s, over 5 %%", beyond(*f.FailRate, maxFailRate, "ratio", percent))
	}
	for _, a := range f.Agents {
		if over(a.CPUMax, maxCPU) {
			v.note("agent %s used %s of its CPU quota, over 90 %%", a.Name, beyond(*a.CPUMax, maxCPU, "ratio", percent))
		}
		if starved(&a) {
			v.note("agent %s was starved: its threads waited %s for a processor and had one for %s; what it sent was late by that, and without kernel stamps what it received, too", a.Name, seconds(*a.CPUWait), seconds(*a.CPUSeconds))
		}
	}
	for _, a := range f.Agents {
		if len(f.Agents) > 1 && over(a.ClockBound, maxClockBound) {
			v.note("the clock of agent %s is known to ±%s only, over 5 ms: curves may be shifted, latencies are not", a.Name, seconds(*a.ClockBound))
		}
	}
	v.noticeTokens(f)
	if f.DatasetSize > 0 && f.SessionsUsed > f.DatasetSize {
		v.note("the dataset wrapped round: %d sessions were sent from %d", f.SessionsUsed, f.DatasetSize)
	}
}

// starved reports whether an agent waited for a processor longer than it had one.
func starved(a *AgentFigures) bool {
	return a.CPUWait != nil && a.CPUSeconds != nil && *a.CPUWait > minCPUWait && *a.CPUWait > maxCPUWait**a.CPUSeconds
}

func (v *Verdict) noticeTokens(f *Figures) {
	if !f.CacheAsked && over(f.CachedShare, maxCachedShare) {
		v.note("%s of input tokens came from the endpoint's prefix cache, over 5 %%, and none were asked for; --nonce run, another --seed or --flush-cache avoids that", beyond(*f.CachedShare, maxCachedShare, "ratio", percent))
	}
	switch {
	case f.CacheWanted == nil || f.Succeeded == 0:
	case f.CachedShare == nil:
		v.note("%s of input tokens were to come from the endpoint's prefix cache, but it does not tell how many do", percent(*f.CacheWanted))
	case math.Abs(*f.CachedShare-*f.CacheWanted) > maxCacheOff:
		v.note("%s of input tokens came from the endpoint's prefix cache where %s were wanted", percent(*f.CachedShare), percent(*f.CacheWanted))
	}
	if f.OutputTokens != nil && f.OutputAsked != nil && *f.OutputAsked > 0 &&
		math.Abs(*f.OutputTokens-*f.OutputAsked) > maxLengthOff**f.OutputAsked {
		v.note("replies held %s output tokens on average where %s were asked for, off by %s",
			number(*f.OutputTokens), number(*f.OutputAsked), percent(math.Abs(*f.OutputTokens / *f.OutputAsked - 1)))
	}
	if over(f.TokenizerDrift, maxTokenizerDrift) {
		v.note("usage and tokenizer differ by %s, over 1 %%", beyond(*f.TokenizerDrift, maxTokenizerDrift, "ratio", percent))
	}
}

func over(value *float64, limit float64) bool { return value != nil && *value > limit }
