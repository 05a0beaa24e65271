package schedule

import (
	"context"
	"fmt"
	"math"
	"strconv"

	"github.com/stampede-bench/stampede/workload"
	"github.com/stampede-bench/stampede/workload/dataset"
)

// Limits of one phase. They keep a slip of the pen from filling the memory.
const (
	maxSessions = 1_000_000_000
	maxNanos    = 366 * 24 * 3600 * nanosPerSecond
	maxSlots    = 1_000_000
	minRate     = 1e-9
	maxRate     = 1e9
)

// Compile turns the load section of an effective spec into a plan. It evaluates
// load functions and draws random arrivals once to count them, which takes about
// a tenth of a second for a million entries. c is what is sent: a replay takes its
// arrivals, and a bound by requests counts its turns. It may be nil where neither
// matters. What the run sends is plan.Play(c). The error is of type
// workload.Errors and names the keys.
func Compile(spec *workload.Spec, c dataset.Corpus) (*Plan, error) {
	return CompileContext(context.Background(), spec, c)
}

// CompileContext is Compile until ctx ends, which for a large plan may be needed:
// the error is that of ctx then.
func CompileContext(ctx context.Context, spec *workload.Spec, c dataset.Corpus) (*Plan, error) {
	b := builder{seed: spec.Seed, plan: &Plan{}, corpus: c, countable: true}
	return b.compile(ctx, spec)
}

func (b *builder) compile(ctx context.Context, spec *workload.Spec) (*Plan, error) {
	b.ended = func() bool { return ctx.Err() != nil }
	stages := spec.Load.Stages
	if len(stages) == 0 {
		b.fail("load.stages", "must have at least one stage")
	}
	if w := spec.Load.Warmup; len(stages) > 0 && (w.Duration != 0 || w.Requests != 0) {
		b.warmup(w, stages[0])
	}
	ofWarmup := b.errs
	b.errs = nil
	for i := range stages {
		b.stage(i, &stages[i])
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	if b.nominal > 100*maxNanos {
		b.fail("load.stages", "must take less than 100 years in all")
	}
	if len(b.errs) == 0 { // else warmup may only repeat what is wrong with the first stage
		b.errs = ofWarmup
	}
	if len(b.errs) > 0 {
		return nil, b.errs
	}
	return b.plan, nil
}

// builder collects phases and errors.
type builder struct {
	ended   func() bool // what is left need not be done
	seed    int64
	plan    *Plan
	corpus  dataset.Corpus
	nominal int64
	errs    workload.Errors
	// taken is how many sessions of the corpus the phases so far take in turn, as
	// far as that is countable ahead.
	taken     int64
	countable bool
	sends     int64   // sessions of the stages
	quick     *budget // beyond which a phase is left open; nil: none
	open      bool    // one was, or only time ends it
	skip      bool    // the one at hand is
}

func (b *builder) fail(path, format string, args ...any) {
	b.errs = append(b.errs, workload.FieldError{Path: path, Message: fmt.Sprintf(format, args...)})
}

// add appends a finished phase and puts it on the nominal time line.
func (b *builder) add(p *Phase) {
	p.Index = len(b.plan.Phases)
	p.Nominal = b.nominal
	p.Predictable = p.Kind == Open && !p.DrainFull
	b.nominal += p.Duration
	p.Entries = b.entriesOf(p)
	if p.Sessions == Unbounded || p.Kind == Closed && p.Duration > 0 {
		b.countable = false
	} else if !p.replays {
		b.taken += p.Sessions
	}
	if !p.Warmup {
		b.sends += p.Sessions
		b.open = b.open || p.Sessions == Unbounded
	}
	b.plan.Phases = append(b.plan.Phases, p)
}

// stage compiles one stage.
func (b *builder) stage(i int, st *workload.Stage) {
	path := "load.stages[" + strconv.Itoa(i) + "]"
	p := &Phase{Stage: i, Name: st.Title(), DrainFull: st.Drain == "full"}
	b.fill(p, path, st, "gap", int64(i))
}

// warmup compiles the phase before the first stage, at its initial rate or
// concurrency.
func (b *builder) warmup(w workload.Warmup, first workload.Stage) {
	first.Duration, first.Requests = w.Duration, w.Requests
	first.EndRate = nil
	if first.Func != nil || first.Replay != nil {
		b.fail("load.warmup", "needs a first stage with a rate or a concurrency to take its load from")
		return
	}
	p := &Phase{Stage: -1, Warmup: true, Name: "warmup"}
	b.fill(p, "load.warmup", &first, "warmup", 0)
}

// fill completes a phase from a stage's load and adds it, or notes why not.
func (b *builder) fill(p *Phase, path string, st *workload.Stage, stream string, number int64) {
	before := len(b.errs)
	b.skip = false
	b.bounds(path, st)
	switch {
	case len(b.errs) > before:
	case kinds(st) != 1:
		b.fail(path, "must have exactly one of rate, concurrency, func and replay")
	case st.Replay != nil && b.quick != nil && b.corpus == nil:
		b.open, b.skip = true, true
	case st.Replay != nil:
		b.replay(p, path, st)
	case st.Concurrency != nil:
		b.closedLoop(p, path, b.inSessions(st))
	default:
		b.openLoop(p, path, b.inSessions(st), arrivals{ended: b.ended, seed: b.seed, stream: stream, number: number})
	}
	if len(b.errs) == before && !b.skip {
		b.add(p)
	}
}

// entriesOf counts the turns of a phase's sessions, where these are known.
func (b *builder) entriesOf(p *Phase) int64 {
	switch {
	case p.Sessions == Unbounded || !b.countable && !p.replays:
		return 0
	case b.corpus == nil:
		return p.Sessions
	}
	s := segment{from: b.taken}
	if p.replays {
		s.from, s.round = p.from, p.round
	}
	return b.entries(s, p.Sessions)
}

// inSessions is the stage with its bound by requests as a bound by sessions, of
// which the last is sent whole.
func (b *builder) inSessions(st *workload.Stage) *workload.Stage {
	if st.Requests == 0 {
		return st
	}
	out := *st
	out.Requests = b.sessionsOf(b.taken, 0, st.Requests)
	return &out
}

// bounds checks what every kind of load has.
func (b *builder) bounds(path string, st *workload.Stage) {
	if st.Duration < 0 || int64(st.Duration) > maxNanos {
		b.fail(path+".duration", "must be from 0 to 366 days, got %v", st.Duration.D())
	}
	if st.Requests < 0 || st.Requests > maxSessions {
		b.fail(path+".requests", "must be from 0 to %d, got %d", int64(maxSessions), st.Requests)
	}
}

// kinds counts how many kinds of load a stage asks for.
func kinds(st *workload.Stage) int {
	n := 0
	for _, given := range []bool{st.Rate != nil, st.Concurrency != nil, st.Func != nil, st.Replay != nil} {
		if given {
			n++
		}
	}
	return n
}

func (b *builder) closedLoop(p *Phase, path string, st *workload.Stage) {
	switch {
	case *st.Concurrency < 1 || *st.Concurrency > maxSlots:
		b.fail(path+".concurrency", "must be from 1 to %d, got %d", maxSlots, *st.Concurrency)
	case st.ThinkTime < 0 || int64(st.ThinkTime) > maxNanos:
		b.fail(path+".think_time", "must be from 0 to 366 days, got %v", st.ThinkTime.D())
	case st.Duration == 0 && st.Requests == 0:
		b.fail(path, "needs a duration or requests, or it never ends")
	}
	p.Kind = Closed
	p.Slots = *st.Concurrency
	p.ThinkTime = int64(st.ThinkTime)
	p.OfSessions = st.ConcurrencyOf == workload.OfSessions
	p.Duration = int64(st.Duration)
	p.Sessions = Unbounded
	if st.Requests > 0 {
		p.Sessions = st.Requests
	}
}

func (b *builder) openLoop(p *Phase, path string, st *workload.Stage, a arrivals) {
	if st.MaxConcurrency < 0 {
		b.fail(path+".max_concurrency", "must be at least 0, got %d", st.MaxConcurrency)
		return
	}
	a.path, a.stage, a.quick = path, st, b.quick
	pace, err := a.pace()
	if err == undecided {
		b.open, b.skip = true, true
		return
	}
	if err != nil {
		b.errs = append(b.errs, *err)
		return
	}
	p.Kind = Open
	p.MaxConcurrency = st.MaxConcurrency
	p.times, p.Sessions, p.Duration, p.Rate = pace.times, pace.sessions, pace.duration, pace.rate
	p.Judged = st.MaxConcurrency == 0 && !math.IsInf(pace.rate, 1)
}
