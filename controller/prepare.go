package controller

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stampede-bench/stampede/controller/store"
	"github.com/stampede-bench/stampede/internal/plural"
	"github.com/stampede-bench/stampede/internal/secret"
	"github.com/stampede-bench/stampede/internal/wire"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/schedule"
	"github.com/stampede-bench/stampede/workload"
	"github.com/stampede-bench/stampede/workload/dataset"
	"github.com/stampede-bench/stampede/workload/source"
)

// prepare takes the run from PENDING to agents that are all ready.
func (r *run) prepare() error {
	if err := r.resolve(); err != nil {
		return err
	}
	if err := r.awaitAgents(); err != nil {
		return err
	}
	if err := r.probe(); err != nil {
		return err
	}
	r.setState(stampedev1.State_STATE_PENDING, "preparing the data and the schedule")
	if err := r.compile(r.hurried); errors.Is(err, context.Canceled) {
		return r.pump(time.Time{}, func() bool { return false }) // which tells why
	} else if err != nil {
		return err
	}
	if err := r.deal(); err != nil {
		return err
	}
	if err := r.awaitReady(); err != nil {
		return err
	}
	return r.flushAtStart()
}

// resolve settles what depends on this process: the key by its environment
// variable and the data by its path.
func (r *run) resolve() error {
	e := &r.eff.Endpoint
	if e.APIKey.Empty() && e.APIKeyEnv != "" && slices.Contains(r.c.cfg.AllowEnv, e.APIKeyEnv) {
		key, there := r.c.cfg.LookupEnv(e.APIKeyEnv)
		if !there {
			return workload.Errors{{Path: "endpoint.api_key_env", Message: "the controller's environment has no " + e.APIKeyEnv}}
		}
		e.APIKey = secret.New(key)
	}
	if err := r.gatherTokenizer(); err != nil {
		return err
	}
	return r.gather()
}

// awaitAgents waits for as many agents as were asked for and counts on them.
func (r *run) awaitAgents() error {
	need := max(r.spec.Agents, 1)
	shown := -1
	return r.pump(time.Time{}, func() bool {
		there := r.candidates()
		if len(there) >= need {
			n := cmp.Or(r.spec.Agents, len(there))
			if least := r.fewestPlaces(n); r.choose(there[:least]) {
				r.noteUnused(n, least)
				return true
			}
		}
		if len(there) != shown {
			shown = len(there)
			r.setState(stampedev1.State_STATE_PENDING, fmt.Sprintf("waiting for %s, %d connected", plural.Of(need, "agent"), len(there)))
		}
		return false
	})
}

// candidates are the agents that can take work, in the order they came.
func (r *run) candidates() []*store.Agent {
	there := slices.DeleteFunc(r.c.store.Agents(nil), func(a *store.Agent) bool { return !a.Connected || a.Leaving })
	slices.SortStableFunc(there, func(a, b *store.Agent) int { return a.ConnectTime.Compare(b.ConnectTime) })
	return there
}

func (r *run) choose(agents []*store.Agent) bool {
	var members []*member
	for _, a := range agents {
		if !r.c.registry.count(a.ID, r) {
			for _, m := range members {
				r.c.registry.uncount(m.id, r)
			}
			return false
		}
		members = append(members, &member{id: a.ID, name: a.Name, row: a})
	}
	distinguish(members)
	r.members = members
	r.update(func(row *store.Run) {
		for _, m := range members {
			row.Agents, row.AgentIDs = append(row.Agents, m.name), append(row.AgentIDs, m.id)
		}
	})
	return true
}

// distinguish makes names unique within the run, so that figures by name are
// figures by agent.
func distinguish(members []*member) {
	seen := map[string]int{}
	for _, m := range members {
		seen[m.name]++
		if n := seen[m.name]; n > 1 {
			m.name = fmt.Sprintf("%s#%d", m.name, n)
		}
	}
}

// until is a context that ends with stop.
func until(stop <-chan struct{}) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		select {
		case <-stop:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// compile makes the corpus and the plan of the effective spec, which may take
// minutes, unless stop is closed before.
func (r *run) compile(stop <-chan struct{}) error {
	ctx, cancel := until(stop)
	defer cancel()
	var data *dataset.File
	if hash := r.eff.Dataset.CorpusHash; hash != "" {
		file, err := r.c.files.openCorpus(hash)
		if err != nil {
			return err
		}
		r.file, data, r.data = file, file.File, corpusData{hash: hash, fileName: file.name}
	}
	if data := dataIn(r.eff); len(data) > 0 {
		r.update(func(row *store.Run) { row.Data = data })
	}
	tokens, err := r.tokens()
	if err != nil {
		return err
	}
	corpus, notices, err := dataset.Open(r.eff, r.data.fileName, data, dataset.Options{RunID: r.id, Tokens: tokens})
	if err != nil {
		return source.OfSpec(r.eff.Dataset, err)
	}
	plan, err := schedule.CompileContext(ctx, r.eff, corpus)
	if err != nil {
		return err
	}
	if len(plan.Phases) == 0 {
		return errors.New("the schedule is empty: no warmup and no stage")
	}
	r.corpus, r.plan = plan.Play(corpus), plan
	r.facts.notices = append(r.facts.notices, notices...)
	for _, p := range plan.Phases {
		r.phases = append(r.phases, &phase{Phase: p})
	}
	r.openBooks()
	return nil
}

// deal gives each member its shard.
func (r *run) deal() error {
	r.permits.foresee(r.foreseen())
	for i, part := range schedule.Whole.Split(len(r.members)) {
		r.hand(r.members[i], wire.Ref{RunID: r.id, Shard: part, Attempt: 1}, 0, make([]int64, len(r.phases)))
	}
	return nil
}

// foreseen are the phases that will begin together, where they will lie.
func (r *run) foreseen() []released {
	var together []released
	for _, p := range r.phases {
		together = append(together, released{phase: p.Phase, base: p.Nominal})
		if !p.Predictable {
			break
		}
	}
	return together
}

// hand makes a member responsible for an attempt at a shard and tells it.
func (r *run) hand(m *member, ref wire.Ref, from int64, fromSessions []int64) *shard {
	s := r.assign(m, ref, from, fromSessions)
	r.tell(m, r.startShard(s))
	return s
}

// assign does so without telling.
func (r *run) assign(m *member, ref wire.Ref, from int64, fromSessions []int64) *shard {
	n := len(r.phases)
	s := &shard{
		ref: ref, member: m, from: from, fromSessions: fromSessions,
		dispatched: make([]bool, n), drained: make([]bool, n), next: make([]int64, n),
	}
	r.shards = append(r.shards, s)
	r.permits.add(ref, m.id, fromSessions)
	r.recordShard(s)
	r.putShard(s, store.ShardAssigned)
	return s
}

// tell sends to a member; one that is cut off is told when it comes back.
func (r *run) tell(m *member, msg *stampedev1.SessionResponse) { r.c.registry.send(m.id, msg) }

func (r *run) startShard(s *shard) *stampedev1.SessionResponse {
	m := &stampedev1.StartShard{
		Ref: s.ref.Proto(), Spec: r.wireSpec(), CorpusHash: r.data.hash, CorpusFileName: r.data.fileName,
		FromOffsetNanos: s.from, FromSessions: s.fromSessions,
		Permit:     r.permits.renew(s.ref, s.member.id, nil, time.Now()),
		AgentCount: int32(len(r.members)),
	}
	for _, p := range r.phases {
		if p.released {
			m.Phases = append(m.Phases, r.startPhase(p, s.member))
		}
	}
	return startShard(m)
}

// wireSpec is the effective spec with its secrets, for agents only. It was
// converted once before, so it can be.
func (r *run) wireSpec() *stampedev1.Spec {
	m, err := wire.SpecToProto(r.eff)
	if err != nil {
		r.fail(fmt.Errorf("effective spec: %w", err))
	}
	return m
}

// awaitReady waits until every member is ready and its clock is known, so that
// all begin at the same instant.
func (r *run) awaitReady() error {
	deadline := time.Now().Add(r.c.cfg.PrepareTimeout)
	shown := -1
	err := r.pump(deadline, func() bool {
		ready := 0
		for _, s := range r.shards {
			if s.state == store.ShardReady {
				ready++
			}
		}
		if ready != shown {
			shown = ready
			r.setState(stampedev1.State_STATE_PENDING, fmt.Sprintf("preparing: %d of %s ready", ready, plural.Of(len(r.shards), "agent")))
		}
		return ready == len(r.shards) && r.clocksKnown()
	})
	if errors.Is(err, errTimeout) {
		return fmt.Errorf("not ready within %v: %s", r.c.cfg.PrepareTimeout, strings.Join(r.unready(), ", "))
	}
	return err
}

func (r *run) clocksKnown() bool {
	for _, m := range r.members {
		if _, ok := r.c.registry.clockOf(m.id); !ok {
			return false
		}
	}
	return true
}

func (r *run) unready() []string {
	var names []string
	for _, s := range r.shards {
		if s.state != store.ShardReady {
			names = append(names, s.member.name)
		} else if _, ok := r.c.registry.clockOf(s.member.id); !ok {
			names = append(names, s.member.name+" (its clock is not known: no heartbeat made its round trip)")
		}
	}
	return names
}

// fail ends the run with the next turn of its pump.
func (r *run) fail(err error) {
	if r.failure == nil {
		r.failure = err
	}
}
