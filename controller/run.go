package controller

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/stampede-bench/stampede/controller/store"
	"github.com/stampede-bench/stampede/internal/wire"
	"github.com/stampede-bench/stampede/ledger"
	"github.com/stampede-bench/stampede/measure"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/report"
	"github.com/stampede-bench/stampede/schedule"
	"github.com/stampede-bench/stampede/workload"
	"github.com/stampede-bench/stampede/workload/dataset"
)

const (
	startLead      = 300 * time.Millisecond // from the decision to start to offset 0
	maxDiskLead    = 30 * time.Second       // more for a slow disk, at most
	phaseLead      = 100 * time.Millisecond // the same for a phase that follows
	takeoverMargin = 2 * time.Second        // a takeover begins no sooner than this
	stopMargin     = 5 * time.Second        // beyond the drain timeout, for the last messages
	progressPeriod = 250 * time.Millisecond
)

// run is one execution of a test. All fields are owned by its goroutine, but for
// the first group, which is set once, and the mailbox and the permits, which lock
// themselves.
type run struct {
	c       *Controller
	id      string
	testID  string
	spec    *workload.Spec // as registered
	log     *slog.Logger
	mail    *mailbox
	permits *permits
	over    bool // the report is written; what comes now is late
	trial   int  // which of trials this is, from 0
	trials  int
	parted  chan struct{} // closed when its goroutine is about to end
	hurried chan struct{} // closed when it was asked to end
	hurry   func()        // closes it

	state   stampedev1.State
	shown   *stampedev1.Progress // as last published
	probing *probing
	held    func() // what waits for the prefix cache to be emptied; nil: nothing
	eff     *workload.Spec
	plan    *schedule.Plan
	corpus  dataset.Corpus
	file    *corpusFile // nil for synthetic data
	data    corpusData
	facts   facts

	members []*member
	shards  []*shard // every attempt, in order of dealing
	phases  []*phase
	anchor  time.Time
	settled time.Time // when the last outcome came or was given
	lastEnd int64     // of a sample, in nanoseconds since the anchor

	ledger  *ledger.Ledger
	set     *measure.Set
	decoder wire.Decoder   // of the fold, as are the next two
	scratch measure.Sample // the one that is folded
	fresh   []byte         // encoded batch of those that were new
	segment *segment

	checkpoints checkpointing
	counts      counts
	withoutRow  []report.RowGap // of lost requests, known at the end
	halt        halt
	grace       time.Time // when the run stops waiting for lost agents; zero while others work
	failure     error     // what ended it before its load did

	kept    *keptState    // of a run that is resumed
	doomed  error         // why it is resumed only to be reported
	unsaved bool          // something changed that is worth a save
	raising bool          // a ceiling is being journaled
	horizon int64         // of the fold: no instant lies beyond
	slow    time.Duration // what the last write that was waited for took
}

// corpusData names the data that agents fetch; empty for synthetic data.
type corpusData struct{ hash, fileName string }

// facts are what the probe and preparing found out.
type facts struct {
	serverVersion, engine string
	models                []string
	notices               []string
}

// counts are what the run notes of itself.
type counts struct {
	strange     int64 // messages and samples that fit nothing
	unfinished  int64 // entries an agent left without outcome though it was done
	overdue     int64 // entries whose time had passed when they were taken over
	redealt     int64 // shards
	sampleCount int64
}

// member is an agent in this run.
type member struct {
	id, name string
	lost     bool
	lostAt   time.Time
	away     time.Duration // how long it was lost before it came back
	// dismissed came back when others had its work; left gave its shards back.
	dismissed, left bool
	told            int64 // its clock's offset by which it placed the run's anchor
	steps           int64 // of its clock, before the run
	audit           *stampedev1.SelfAudit
	row             *store.Agent // as it was when the run chose it
	lostRequests    int64        // counted at the end
}

// shard is one attempt at a part of the load.
type shard struct {
	ref          wire.Ref
	member       *member
	state        store.ShardState
	from         int64   // nominal offset, open loop
	fromSessions []int64 // per phase, closed loop
	dispatched   []bool  // per phase
	drained      []bool
	next         []int64 // per phase, once dispatched
	taken        bool    // what it left was dealt to others

	folded    int64 // batch_sequence
	acked     int64
	foldedEnd int64 // in the segment
	last      int64 // last batch_sequence, once it said that it is done
	saidDone  bool
	closed    bool // done, and all of its batches folded
	clean     bool // given back by an agent that leaves
}

// phase is one phase's state in time.
type phase struct {
	*schedule.Phase
	released     bool
	base         int64 // nanoseconds since the anchor
	firstSession int64
	firstIndex   int64
	planned      int64 // sessions planned so far, from the phase's begin
	lastSent     int64 // latest sent of a sample
	unsentAfter  int64 // entries whose session had failed before them
	dispatchEnd  int64 // when all shards had dispatched it; 0 before
}

func newRun(c *Controller, row *store.Run, spec *workload.Spec) *run {
	eff, notices := spec.WithDefaults()
	eff.Seed, eff.Trials = schedule.TrialSeed(eff.Seed, row.Trial), 1
	hurried := make(chan struct{})
	return &run{
		trial: row.Trial, trials: row.Trials, parted: make(chan struct{}),
		hurried: hurried, hurry: sync.OnceFunc(func() { close(hurried) }),
		segment: &segment{},
		c:       c, id: row.ID, testID: row.TestID, spec: spec, eff: eff,
		log: c.log.With("run", row.ID), mail: newMailbox(),
		permits: newPermits(c.cfg.Lease+c.cfg.Heartbeat, int64(eff.Limits.MaxRunTime.D())),
		state:   stampedev1.State_STATE_PENDING, facts: facts{notices: c.saidOf(row.TestID, notices)},
	}
}

// saidOf are the notices of a test's registration: what reading its spec had to
// say, which only the report tells a caller of the old routes, before what was
// assumed.
func (c *Controller) saidOf(testID string, assumed []string) []string {
	t := c.store.Test(nil, testID)
	if t == nil {
		return assumed
	}
	said := slices.Clone(t.Notices)
	for _, n := range assumed {
		if !slices.Contains(said, n) {
			said = append(said, n)
		}
	}
	return said
}

// post gives an event to the run's goroutine; false when the run takes no more.
func (r *run) post(event func()) bool { return r.mail.post(event) }

// live is the run's life.
func (r *run) live() {
	r.post(r.obeyCancel) // it may have come before anybody knew this run
	err := r.execute()
	left := errors.Is(err, errLeft)
	if !left {
		r.finish(err)
	}
	r.over = true
	if r.file != nil {
		r.file.close()
	}
	if left {
		r.log.Info("run is left to the next start", "why", err)
		r.mail.close()
		return
	}
	r.endKeeping()
	r.dropCheckpoint()
	for _, event := range r.mail.close() {
		event()
	}
	for _, m := range r.members {
		r.c.registry.send(m.id, forgetRun(r.id))
		r.c.registry.uncount(m.id, r)
	}
}

// What ends a run before its load does.
var (
	errCancelled = errors.New("cancelled")
	errTimeout   = errors.New("timed out")
	// errLeft: nothing was done yet about a run that a restart was to resume.
	errLeft = errors.New("the controller ended before the run was resumed")
)

func (r *run) execute() error {
	begin := r.begin
	if r.kept != nil {
		begin = r.resume
	}
	if err := begin(); err != nil {
		return err
	}
	return r.pump(time.Time{}, r.loadOver)
}

func (r *run) begin() error {
	if err := r.prepare(); err != nil {
		return err
	}
	return r.start()
}

// pump handles events until done says so, the run fails, or a deadline that is
// not zero passes.
func (r *run) pump(deadline time.Time, done func() bool) error {
	tick := time.NewTicker(progressPeriod)
	defer tick.Stop()
	alarm := time.NewTimer(time.Hour)
	defer alarm.Stop()
	var events []func()
	for {
		events = r.mail.take(events)
		for _, event := range events {
			event()
		}
		now := time.Now()
		r.onTime(now)
		if r.failure != nil {
			return r.failure
		}
		if done() {
			return nil
		}
		if !deadline.IsZero() && !now.Before(deadline) {
			return errTimeout
		}
		alarm.Reset(untilFirst(now, deadline, r.halt.deadline, r.grace, r.maxRunEnd()))
		select {
		case <-r.mail.wake:
		case <-alarm.C:
		case now := <-tick.C:
			r.cutIdle(now)
			r.publish()
		case <-r.c.stopping:
			return fmt.Errorf("the controller is ending: %w", errCancelled)
		}
	}
}

// untilFirst is the time until the first of some moments; zero ones don't count.
func untilFirst(now time.Time, moments ...time.Time) time.Duration {
	wait := time.Hour
	for _, m := range moments {
		if !m.IsZero() {
			wait = min(wait, m.Sub(now))
		}
	}
	return max(wait, 0)
}

// setState shows a state and its reason to everybody. A store that refuses is a
// fault of this program; the run goes on.
func (r *run) setState(s stampedev1.State, reason string) {
	r.state = s
	r.update(func(row *store.Run) { row.State, row.Reason = s, reason })
}

func (r *run) update(edit func(*store.Run)) {
	if err := r.c.store.UpdateRun(r.id, edit); err != nil {
		r.log.Error("run is not shown", "err", err)
	}
}

// anchorTime is the anchor on the controller's clock, for others.
func (r *run) anchorTime() time.Time { return time.Unix(0, r.c.wall.unix(r.anchor)) }

// sinceAnchor is now on the run's time line.
func (r *run) sinceAnchor(now time.Time) int64 { return int64(now.Sub(r.anchor)) }

// maxRunEnd is when max_run_time passes; zero when there is none, or when the
// run is being stopped already.
func (r *run) maxRunEnd() time.Time {
	if r.anchor.IsZero() || r.permits.limit == 0 || r.halt.on {
		return time.Time{}
	}
	return r.anchor.Add(time.Duration(r.permits.limit))
}

func (r *run) member(agentID string) *member {
	for _, m := range r.members {
		if m.id == agentID {
			return m
		}
	}
	return nil
}

func (r *run) shard(ref wire.Ref, agentID string) *shard {
	for _, s := range r.shards {
		if s.ref == ref && s.member.id == agentID {
			return s
		}
	}
	return nil
}

func (s *shard) lost() bool { return s.state == store.ShardLost }
func (s *shard) done() bool { return s.state == store.ShardDone }

// putShard shows a shard's state.
func (r *run) putShard(s *shard, state store.ShardState) {
	s.state = state
	err := r.c.store.PutShard(store.Shard{
		RunID: r.id, AgentID: s.member.id, Offset: s.ref.Shard.Offset, Stride: s.ref.Shard.Stride,
		Attempt: s.ref.Attempt, State: state,
	})
	if err != nil {
		r.log.Error("shard is not shown", "shard", s.ref.String(), "err", err)
	}
}
