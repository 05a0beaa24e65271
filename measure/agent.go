package measure

import "slices"

// agent is what is kept of one agent's part.
type agent struct {
	requests, succeeded, failed, timedOut, cancelled int64
	sent                                             int64
	outputTokens                                     int64
	answered, kernelStamped                          int64
	lateness, readDelay                              *Histogram
}

// AgentFigures is one agent's part of a run.
type AgentFigures struct {
	Requests      int64         `json:"requests"` // with an outcome
	Sent          int64         `json:"sent"`
	Succeeded     int64         `json:"succeeded"`
	Failed        int64         `json:"failed"`
	TimedOut      int64         `json:"timed_out"`
	Cancelled     int64         `json:"cancelled"`
	OutputTokens  int64         `json:"output_tokens"`
	Lateness      *Distribution `json:"lateness"`       // to 2 digits
	ReadDelay     *Distribution `json:"read_delay"`     // to 2 digits
	KernelStamped *float64      `json:"kernel_stamped"` // share of succeeded requests
}

func (s *Set) agent(name string) *agent {
	a := s.agents[name]
	if a == nil {
		a = &agent{lateness: newHistogram(&nanoseconds, partDigits), readDelay: newHistogram(&nanoseconds, partDigits)}
		s.agents[name] = a
	}
	return a
}

func (a *agent) fold(x *Sample) {
	a.requests++
	a.sent += one(x.Sent != Absent)
	if v, ok := x.Lateness(); ok {
		a.lateness.Record(v, 1)
	}
	switch x.Status {
	case Succeeded:
		a.succeeded++
		a.outputTokens += int64(max(x.OutputTokens, 0))
		a.answered++
		a.kernelStamped += one(x.KernelStamped)
		a.readDelay.Record(max(x.ReadDelayMax, 0), 1)
	case Failed:
		a.failed++
	case TimedOut:
		a.timedOut++
	case Cancelled:
		a.cancelled++
	default:
	}
}

func (a *agent) merge(o *agent) (dropped int64, err error) {
	a.requests += o.requests
	a.sent += o.sent
	a.succeeded += o.succeeded
	a.failed += o.failed
	a.timedOut += o.timedOut
	a.cancelled += o.cancelled
	a.outputTokens += o.outputTokens
	a.answered += o.answered
	a.kernelStamped += o.kernelStamped
	n, err := a.lateness.Merge(o.lateness)
	if err != nil {
		return n, err
	}
	m, err := a.readDelay.Merge(o.readDelay)
	return n + m, err
}

// AgentNames returns the agents that had an outcome, in order.
func (s *Set) AgentNames() []string {
	names := make([]string, 0, len(s.agents))
	for name := range s.agents {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Agent returns what one agent observed; zero for one that is not known.
func (s *Set) Agent(name string) AgentFigures {
	a := s.agents[name]
	if a == nil {
		return AgentFigures{}
	}
	return AgentFigures{
		Requests: a.requests, Sent: a.sent, Succeeded: a.succeeded, Failed: a.failed, TimedOut: a.timedOut, Cancelled: a.cancelled,
		OutputTokens: a.outputTokens, Lateness: a.lateness.Distribution(), ReadDelay: a.readDelay.Distribution(),
		KernelStamped: ratio(float64(a.kernelStamped), float64(a.answered)),
	}
}
