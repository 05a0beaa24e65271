package controller

import (
	"slices"
	"strings"
	"testing"
	"time"

	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
)

// findings has a fake answer what it is asked about its host.
func findings(f *fake, times int, all ...*stampedev1.Finding) {
	f.heard = func(m *stampedev1.SessionResponse) {
		if e := m.GetExamine(); e != nil {
			for range times {
				answer := &stampedev1.Examination{ExaminationId: e.GetExaminationId(), Findings: all}
				f.send(&stampedev1.SessionRequest{Message: &stampedev1.SessionRequest_Examination{Examination: answer}})
			}
		}
	}
}

func TestExamineAgents(t *testing.T) {
	inBubble(t, Config{}, func(r *rig) {
		quick, silent, loud, cut := r.agent("quick"), r.agent("silent"), r.agent("loud"), r.agent("cut")
		findings(quick, 3, &stampedev1.Finding{Check: "timers", Level: "ok", Message: "fine", Fix: "nothing"})
		flood := slices.Repeat([]*stampedev1.Finding{{Check: strings.Repeat("x", 1<<16), Level: "fail", Message: strings.Repeat("y", 1<<16)}}, 5)
		findings(loud, 1, append(flood, slices.Repeat([]*stampedev1.Finding{{Check: "c"}}, 500)...)...)
		for _, f := range []*fake{silent, quick, loud, cut} {
			f.join()
		}
		cut.cut()
		r.settled()
		begin := time.Now()
		resp, err := r.tests.ExamineAgents(r.ctx, &stampedev1.ExamineAgentsRequest{Url: "http://h/v1"})
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); took != examinePatience {
			t.Errorf("it took %v, want %v", took, examinePatience)
		}
		got := map[string]*stampedev1.AgentExamination{}
		for _, a := range resp.GetAgents() {
			got[a.GetAgent().GetName()] = a
		}
		if q := got["quick"]; len(q.GetFindings()) != 1 || q.GetFindings()[0].GetFix() != "nothing" || q.GetProblem() != "" {
			t.Errorf("quick: %v", q)
		}
		if p := got["silent"].GetProblem(); !strings.Contains(p, "did not answer within 25s") {
			t.Errorf("silent: %q", p)
		}
		if l := got["loud"].GetFindings(); len(l) != maxFindings || len(l[0].GetCheck()) > maxNameBytes+len("…") || len(l[0].GetMessage()) > maxFindingBytes+len("…") {
			t.Errorf("loud: %d findings", len(l))
		}
		if c, listed := got["cut"]; listed && !strings.Contains(c.GetProblem(), "cut off") {
			t.Errorf("cut: %v", c)
		}
		if n := len(r.c.examinations.waiting); n != 0 {
			t.Errorf("%d questions are kept", n)
		}
	})
}
