package controller

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
)

// examinePatience bounds how long agents may take: they give a name server, an
// address, a handshake and an answer 5 s each.
const examinePatience = 25 * time.Second

// Bounds on what an agent may tell.
const (
	maxFindings     = 64
	maxFindingBytes = 2000
)

// examinations are questions to agents that wait for answers.
type examinations struct {
	mu      sync.Mutex
	waiting map[string]chan<- examined // by examination_id
}

type examined struct {
	agentID  string
	findings []*stampedev1.Finding
}

// await announces a question to so many agents.
func (e *examinations) await(id string, agents int) <-chan examined {
	answers := make(chan examined, agents)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.waiting == nil {
		e.waiting = map[string]chan<- examined{}
	}
	e.waiting[id] = answers
	return answers
}

func (e *examinations) forget(id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.waiting, id)
}

// answer hands on what an agent found, cut to its bounds; nobody waits for what
// comes late or more often than it was asked for.
func (e *examinations) answer(agentID string, m *stampedev1.Examination) {
	e.mu.Lock()
	answers := e.waiting[m.GetExaminationId()]
	e.mu.Unlock()
	var findings []*stampedev1.Finding
	for _, f := range m.GetFindings()[:min(len(m.GetFindings()), maxFindings)] {
		findings = append(findings, &stampedev1.Finding{
			Check: clip(f.GetCheck(), maxNameBytes), Level: clip(f.GetLevel(), maxNameBytes),
			Message: clip(f.GetMessage(), maxFindingBytes), Fix: clip(f.GetFix(), maxFindingBytes),
		})
	}
	select {
	case answers <- examined{agentID, findings}:
	default:
	}
}

// ExamineAgents implements the rpc.
func (t testService) ExamineAgents(ctx context.Context, req *stampedev1.ExamineAgentsRequest) (*stampedev1.ExamineAgentsResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, examinePatience)
	defer cancel()
	id := uuid.NewString()
	agents := t.c.registry.list()
	answers := t.c.examinations.await(id, len(agents))
	defer t.c.examinations.forget(id)
	found := map[string]*stampedev1.AgentExamination{}
	open := 0
	for _, a := range agents {
		found[a.GetAgentId()] = &stampedev1.AgentExamination{Agent: a}
		if !t.c.registry.examine(a.GetAgentId(), &stampedev1.Examine{ExaminationId: id, Url: req.GetUrl(), ApiKey: req.GetApiKey()}) {
			found[a.GetAgentId()].Problem = "it is cut off from the controller"
			continue
		}
		found[a.GetAgentId()].Problem = fmt.Sprintf("it did not answer within %v", examinePatience)
		open++
	}
	for open > 0 && ctx.Err() == nil {
		select {
		case a := <-answers:
			if f := found[a.agentID]; f != nil && f.Findings == nil && len(a.findings) > 0 {
				f.Findings, f.Problem = a.findings, ""
				open--
			}
		case <-ctx.Done():
		case <-t.c.stopping:
			return nil, rpcError(errClosed)
		}
	}
	resp := &stampedev1.ExamineAgentsResponse{}
	for _, f := range found {
		resp.Agents = append(resp.Agents, f)
	}
	slices.SortFunc(resp.Agents, func(a, b *stampedev1.AgentExamination) int {
		return cmp.Or(cmp.Compare(a.GetAgent().GetName(), b.GetAgent().GetName()), cmp.Compare(a.GetAgent().GetAgentId(), b.GetAgent().GetAgentId()))
	})
	return resp, nil
}

// examine asks an agent that is connected.
func (g *registry) examine(agentID string, m *stampedev1.Examine) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.peers[agentID]
	if p == nil || p.session == nil {
		return false
	}
	p.session.send(&stampedev1.SessionResponse{Message: &stampedev1.SessionResponse_Examine{Examine: m}})
	return true
}
