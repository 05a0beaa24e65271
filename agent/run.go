package agent

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stampede-bench/stampede/internal/clock"
	"github.com/stampede-bench/stampede/internal/wire"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/schedule"
	"github.com/stampede-bench/stampede/target"
	"github.com/stampede-bench/stampede/workload"
	"github.com/stampede-bench/stampede/workload/dataset"
	"github.com/stampede-bench/stampede/workload/tokenizer"
)

// maxPhases bounds what a controller can make an agent remember ahead.
const maxPhases = 100_000

// maxReserve is the most connections kept ready for open loop.
const maxReserve = 256

// run is what the shards of one run on this agent share. It is prepared once, by
// the first of them; what prepare fills is not changed afterwards.
type run struct {
	id     string
	agent  *Agent
	spawn  func(task func(context.Context)) // runs a task under the run's context
	cancel context.CancelFunc
	cpuMax maxFloat

	once   sync.Once
	err    error
	spec   *workload.Spec
	corpus dataset.Corpus
	file   *corpusFile // nil for synthetic data
	plan   *schedule.Plan
	doer   Doer
	tokens *tokenizer.Tokenizer // nil: none
	mixed  bool                 // sessions ask different models
	close  func()               // nil when there is nothing to close

	anchor atomic.Int64 // process-monotonic instant of the run's anchor
	shifts atomic.Pointer[[]shift]

	mu       sync.Mutex
	anchored bool
	releases []*release
	shards   map[wire.Ref]*shard
}

// release is a phase's place in time, once the controller has given it.
type release struct {
	done                           chan struct{}
	base, firstIndex, firstSession int64
}

// shift moves entries from a nominal offset on.
type shift struct{ from, delta int64 }

func newRun(a *Agent, id string) *run {
	return &run{id: id, agent: a, shards: map[wire.Ref]*shard{}}
}

// add takes a shard in.
func (r *run) add(s *shard) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.shards[s.ref] = s
}

// find returns a shard or nil; r may be nil.
func (r *run) find(ref wire.Ref) *shard {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.shards[ref]
}

// list returns the shards; r may be nil.
func (r *run) list() []*shard {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Collect(maps.Values(r.shards))
}

// wait returns when the work on all shards has ended, and then closes the client
// of the endpoint and the data.
func (r *run) wait() {
	for _, s := range r.list() {
		<-s.finished
	}
	if r.close != nil {
		r.close()
	}
	if r.file != nil {
		r.file.close()
	}
}

// prepare does what all shards need, once. It returns the same error to each.
func (r *run) prepare(ctx context.Context, start *stampedev1.StartShard) error {
	r.once.Do(func() { r.err = r.open(ctx, start) })
	return r.err
}

func (r *run) open(ctx context.Context, start *stampedev1.StartShard) error {
	spec, _, err := wire.SpecFromProto(start.GetSpec())
	if err != nil {
		return fmt.Errorf("run %s: effective spec: %w", r.id, err)
	}
	var data *dataset.File
	if hash := start.GetCorpusHash(); hash != "" {
		if r.file, err = r.agent.corpora.open(ctx, hash); err != nil {
			return fmt.Errorf("run %s: %w", r.id, err)
		}
		data = r.file.File
	}
	if err := r.openTokenizer(ctx, spec.Dataset); err != nil {
		return fmt.Errorf("run %s: %w", r.id, err)
	}
	options := dataset.Options{RunID: r.id, Trial: int(start.GetTrial())}
	if r.tokens != nil {
		options.Tokens = r.tokens
	}
	corpus, _, err := r.agent.openCorpus(spec, start.GetCorpusFileName(), data, options)
	if err != nil {
		return fmt.Errorf("run %s: dataset: %w", r.id, err)
	}
	plan, err := schedule.CompileContext(ctx, spec, corpus)
	if err != nil {
		return fmt.Errorf("run %s: schedule: %w", r.id, err)
	}
	agents := max(1, int(start.GetAgentCount()))
	tools, choice, err := toolsOf(spec.Dataset)
	if err != nil {
		return fmt.Errorf("run %s: %w", r.id, err)
	}
	doer, err := r.agent.cfg.NewDoer(target.Config{
		Endpoint: spec.Endpoint,
		Sampling: spec.Sampling,
		Tools:    tools, ToolChoice: choice,
		Timeout:   spec.Limits.RequestTimeout.D(),
		AllowAddr: r.agent.cfg.AllowTarget,
		Reserve:   reserve(plan, agents),
		Relaxed:   relaxed(plan),
	})
	if err != nil {
		return fmt.Errorf("run %s: endpoint: %w", r.id, err)
	}
	if c, ok := doer.(interface{ Close() }); ok {
		r.close = c.Close
	}
	r.mixed = len(spec.Endpoint.Models) > 0
	r.spec, r.corpus, r.plan, r.doer = spec, plan.Play(corpus), plan, doer
	return nil
}

// reserve is how many idle connections to keep ready: what an agent's share of
// the highest rate needs for one second of dialling, within reason.
func reserve(plan *schedule.Plan, agents int) int {
	n := 0
	for _, p := range plan.Phases {
		n = max(n, openConnections(p, agents))
	}
	return n
}

// relaxed reports whether no request of the plan waits for the end of another.
func relaxed(plan *schedule.Plan) bool {
	for _, p := range plan.Phases {
		if p.Kind != schedule.Open || p.MaxConcurrency > 0 {
			return false
		}
	}
	return true
}

// openConnections is an open-loop phase's want of ready connections.
func openConnections(p *schedule.Phase, agents int) int {
	if p.Kind != schedule.Open {
		return 0
	}
	want := math.Min(math.Ceil(p.Rate/float64(agents)), maxReserve)
	if p.MaxConcurrency > 0 {
		want = math.Min(want, float64(p.MaxConcurrency))
	}
	return int(math.Min(want, float64(p.Sessions)))
}

// release returns phase i's place, which may not be known yet.
func (r *run) release(i int) *release {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.releases) <= i {
		r.releases = append(r.releases, &release{done: make(chan struct{})})
	}
	return r.releases[i]
}

// startPhase takes a phase's place in time; what is known already stays.
func (r *run) startPhase(m *stampedev1.StartPhase) error {
	i := int(m.GetPhase())
	if i < 0 || i >= maxPhases {
		return fmt.Errorf("run %s: phase is %d, must be in [0, %d)", r.id, i, maxPhases)
	}
	r.setAnchor(m.GetAnchorTime().AsTime(), m.GetClockOffsetNanos())
	rel := r.release(i)
	r.mu.Lock()
	defer r.mu.Unlock()
	if rel.known() {
		return nil
	}
	rel.base, rel.firstIndex, rel.firstSession = m.GetBaseNanos(), m.GetFirstIndex(), m.GetFirstSession()
	close(rel.done)
	for _, s := range r.shards {
		s.wake()
	}
	return nil
}

func (r *release) known() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// setAnchor fixes the run's anchor on this process's clock, once, by what the
// controller knew of the clocks then: what is learnt later moves nothing.
func (r *run) setAnchor(t time.Time, offset int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.anchored {
		return
	}
	r.anchored = true
	r.anchor.Store(r.agent.clock.anchor(t.UnixNano(), offset))
}

// sending reports whether the run's anchor has passed: preparing may well take
// all of the CPU.
func (r *run) sending() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.anchored && clock.Now() > r.anchor.Load()
}

// addShift moves entries; one that is known already stays.
func (r *run) addShift(m *stampedev1.Shift) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []shift
	if old := r.shifts.Load(); old != nil {
		all = append(all, *old...)
	}
	for _, s := range all {
		if s.from == m.GetFromOffsetNanos() {
			return
		}
	}
	all = append(all, shift{m.GetFromOffsetNanos(), m.GetDeltaNanos()})
	r.shifts.Store(&all)
	for _, s := range r.shards {
		s.wake()
	}
}

// instant is when an entry of a phase is due on this process's clock.
func (r *run) instant(base, nominal, offset int64) int64 {
	at := r.anchor.Load() + base + offset
	if shifts := r.shifts.Load(); shifts != nil {
		for _, s := range *shifts {
			if nominal+offset >= s.from {
				at -= s.delta
			}
		}
	}
	return at
}

// warm readies n connections and returns how many could not be.
func (r *run) warm(ctx context.Context, n int) (cold int) {
	ctx, cancel := context.WithTimeout(ctx, warmTimeout)
	defer cancel()
	ready, err := r.doer.Warm(ctx, n)
	if err != nil {
		r.agent.log.Warn("connections are not ready ahead", "run", r.id, "wanted", n, "ready", ready, "error", err)
	}
	return max(0, n-ready)
}

// warmTimeout bounds warming: an endpoint that is not there is the load's to
// find out, not a reason to hold up the run.
const warmTimeout = 5 * time.Second
