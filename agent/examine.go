package agent

import (
	"context"

	"github.com/stampede-bench/stampede/internal/doctor"
	"github.com/stampede-bench/stampede/internal/secret"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
)

// mostExaminations bounds what waits to be told.
const mostExaminations = 16

// startExamination looks at this host on a task of its own. It watches timers for
// half a second and sends no load, so that a run under way is not disturbed.
func (a *Agent) startExamination(working context.Context, m *stampedev1.Examine) {
	a.tasks.Go(func() {
		answer := &stampedev1.Examination{ExaminationId: m.GetExaminationId()}
		for _, f := range doctor.Examine(working, doctor.Options{URL: m.GetUrl(), Key: secret.New(m.GetApiKey()), Allow: a.cfg.AllowTarget}) {
			answer.Findings = append(answer.Findings, &stampedev1.Finding{Check: f.Check, Level: string(f.Level), Message: f.Message, Fix: f.Fix})
		}
		a.mu.Lock()
		a.looked = append(a.looked[max(0, len(a.looked)-mostExaminations+1):], answer)
		a.mu.Unlock()
		a.nudge()
	})
}

// examined takes the answers to send now.
func (a *Agent) examined() []*stampedev1.Examination {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := a.looked
	a.looked = nil
	return all
}
