package controller

import (
	"errors"
	"fmt"
	"time"

	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/workload/dataset"
)

// probePatience bounds a probe beside wait_ready: models may be listed, one small
// request sent, tokens calibrated.
const probePatience = 2 * time.Minute

// probing is the latest question to the endpoint.
type probing struct {
	by       *member
	sequence int32
	flush    bool // empty the prefix cache
	result   *stampedev1.ProbeResult
}

// probe has one agent ask the endpoint what the run needs to know.
func (r *run) probe() error {
	if !r.wantsProbe() {
		return nil
	}
	r.setState(stampedev1.State_STATE_PENDING, "asking the endpoint")
	patience := probePatience + r.eff.WaitReady.D()
	if t := r.eff.Limits.RequestTimeout.D(); t > 0 {
		patience = min(patience, t+r.eff.WaitReady.D()+30*time.Second)
	}
	r.ask(r.members[0], false)
	err := r.pump(time.Now().Add(patience), func() bool { return r.probing.result != nil })
	if errors.Is(err, errTimeout) {
		return withHint(fmt.Errorf("agent %s got no answer from the endpoint within %v", r.probing.by.name, patience),
			"is the address right as seen from the agent's host? --no-preflight starts without asking")
	}
	if err != nil {
		return err
	}
	return r.learn(r.probing.result)
}

func (r *run) wantsProbe() bool {
	return r.eff.Preflights() || r.eff.Endpoint.Model == "" || r.eff.WaitReady > 0 || r.eff.Dataset.Calibrates() || r.eff.Dataset.AsksServer()
}

// ask puts a question to the endpoint through one agent.
func (r *run) ask(by *member, flush bool) {
	sequence := int32(1)
	if r.probing != nil {
		sequence = r.probing.sequence + 1
	}
	r.probing = &probing{by: by, sequence: sequence, flush: flush}
	r.tell(by, r.question())
}

// question is the latest one, as the agent is told.
func (r *run) question() *stampedev1.SessionResponse {
	return probe(&stampedev1.Probe{
		RunId: r.id, Spec: r.wireSpec(), FlushCache: r.probing.flush, Sequence: r.probing.sequence,
	})
}

// learn takes over what the probe found; this is the effective spec's last part.
func (r *run) learn(m *stampedev1.ProbeResult) error {
	if m.GetErrorKind() != "" {
		err := fmt.Errorf("preflight: %s", clip(orText(m.GetErrorMessage(), m.GetErrorKind()), maxReason))
		return withHint(err, clip(m.GetHint(), maxReason))
	}
	if r.eff.Endpoint.Model == "" {
		if name := m.GetModel(); name != "" && (len(name) > maxModelBytes || !printable(name)) {
			return fmt.Errorf("endpoint.model: agent %s says that the endpoint lists %.80q, a name must be at most %d printable bytes", r.probing.by.name, name, maxModelBytes)
		}
		if m.GetModel() == "" {
			return withHint(errors.New("endpoint.model: the endpoint lists no model"), "name the model")
		}
		r.eff.Endpoint.Model = m.GetModel()
		r.facts.notices = append(r.facts.notices, fmt.Sprintf("model: %s, the first that the endpoint lists", clip(m.GetModel(), maxReason)))
	}
	if r.eff.Dataset.Calibrates() {
		// The usual factor is kept, too, so that a rerun does not measure another.
		factor := m.GetTokensPerWord()
		if !(factor > 0 && factor < maxTokensPerWord) {
			factor = dataset.UsualTokensPerWord(r.eff)
		}
		r.eff.Dataset.TokensPerWord = &factor
	}
	if r.eff.Dataset.AsksServer() {
		r.eff.Dataset.SingleWords = m.GetSingleWords()
	}
	r.facts.serverVersion, r.facts.engine = clip(m.GetServerVersion(), maxReason), clip(m.GetEngine(), maxReason)
	r.facts.models = nil
	for _, name := range m.GetModels()[:min(len(m.GetModels()), maxModels)] {
		r.facts.models = append(r.facts.models, clip(name, maxModelBytes))
	}
	for i, notice := range m.GetNotices() {
		if i == maxNotices {
			break
		}
		r.facts.notices = append(r.facts.notices, clip(notice, maxReason))
	}
	return nil
}

// onProbeResult takes the answer of the agent that was asked; others' are ignored.
func (r *run) onProbeResult(s *session, m *stampedev1.ProbeResult) {
	p := r.probing
	if p == nil || p.by.id != s.peer.id || p.sequence != m.GetSequence() {
		r.counts.strange++
		return
	}
	if p.result != nil {
		return // told again, since it did not know that it had arrived
	}
	p.result = m
	r.flushed()
}

const (
	maxReason  = 1000 // bytes of an agent's text in a reason
	maxNotices = 20   // of an agent
	// What an endpoint lists, as an agent tells it.
	maxModels     = 1000
	maxModelBytes = 512
	// maxTokensPerWord is far beyond what any tokenizer makes of a word.
	maxTokensPerWord = 1000
)

func orText(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
