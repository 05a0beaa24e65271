package agent

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stampede-bench/stampede/internal/clock"
	"github.com/stampede-bench/stampede/internal/wire"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/schedule"
)

// shard is one attempt at one shard of a run.
type shard struct {
	ref        wire.Ref
	run        *run
	start      *stampedev1.StartShard
	fromOffset int64 // takeover, open loop: nominal
	takenOver  int64 // takeover: process-monotonic moment; math.MinInt64 otherwise
	tasks      sync.WaitGroup
	finished   chan struct{} // closed when work has returned

	// Filled by prepare; what the session reads of it is behind mu.
	mu       sync.Mutex
	early    []*stampedev1.Permit // came before prepare was done
	isReady  bool
	phases   []*phase
	slots    slots
	baseline usage
	cold     atomic.Int64 // connections that were not ready ahead

	// Between builder and dispatcher.
	published   atomic.Int32 // phases handed to the dispatcher
	queued      atomic.Int64
	queuedBytes atomic.Int64
	refill      chan struct{}

	// Dispatch.
	permit   atomic.Int64 // open loop: nominal offset
	sleeper  atomic.Pointer[sleeper]
	asleep   atomic.Int64 // the dispatcher's next deadline
	later    stack        // turns that follow
	opened   atomic.Int32 // phases that dispatch has begun with
	waiting  atomic.Bool  // an entry waits for a place under a cap
	quit     atomic.Bool
	inFlight atomic.Int64
	sent     atomic.Int64
	reached  atomic.Int64

	// Stopping.
	stops    chan time.Duration
	stopping atomic.Bool // send no more
	halted   atomic.Bool // and the dispatcher has given up the rest

	// Towards the reporter.
	outcomes stack
	news     chan struct{}
	urgent   chan struct{}
	live     live
	tokens   atomic.Int64
	recount  recount
	shed     atomic.Int64

	updates updates
}

func newShard(r *run, ref wire.Ref, start *stampedev1.StartShard) *shard {
	s := &shard{
		ref: ref, run: r, start: start, fromOffset: start.GetFromOffsetNanos(),
		refill: make(chan struct{}, 1), news: make(chan struct{}, 1), urgent: make(chan struct{}, 1),
		stops: make(chan time.Duration, 8), live: newLive(), finished: make(chan struct{}),
	}
	s.slots.drop = s.drop
	s.takenOver = math.MinInt64
	s.asleep.Store(never)
	return s
}

// work is the shard's life: prepare, dispatch, drain, done. It returns when all
// it started has ended. The end of ctx cancels what is in flight and then tells
// nobody.
func (s *shard) work(ctx context.Context) {
	defer func() {
		close(s.finished)
		s.run.agent.nudge() // a session that leaves waits for this
	}()
	stopped, err := s.preparing(ctx)
	switch {
	case ctx.Err() != nil:
		return
	case stopped:
		s.done(0)
		return
	case err != nil:
		s.fail(err)
		return
	}
	last := s.dispatch(ctx)
	if ctx.Err() == nil {
		s.done(last)
	}
}

// preparing prepares until that is done or the run is stopped.
func (s *shard) preparing(ctx context.Context) (stopped bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	result := make(chan error, 1)
	go func() { result <- s.prepare(ctx) }()
	select {
	case err = <-result:
		return false, err
	case <-s.stops:
		cancel()
		if err := <-result; err != nil {
			s.run.agent.log.Info("stopped before it was prepared", "shard", s.ref.String(), "error", err)
		}
		return true, nil
	}
}

// prepare makes the shard's view of the run.
func (s *shard) prepare(ctx context.Context) error {
	if err := s.run.prepare(ctx, s.start); err != nil {
		return err
	}
	s.baseline = s.run.agent.usage()
	from := s.start.GetFromSessions()
	for i, p := range s.run.plan.Phases {
		ph := &phase{Phase: p, release: s.run.release(i)}
		if i < len(from) {
			ph.from = from[i]
			ph.next.Store(from[i])
		}
		s.phases = append(s.phases, ph)
	}
	if len(s.start.GetPhases()) > 0 {
		s.takenOver = clock.Now()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.isReady = true
	s.grant(s.start.GetPermit())
	for _, p := range s.early {
		s.grant(p)
	}
	s.early = nil
	return nil
}

// allow takes a permit into account, now or as soon as the shard is prepared.
func (s *shard) allow(p *stampedev1.Permit) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.isReady {
		s.early = append(s.early, p)
		return
	}
	s.grant(p)
	s.wake()
}

func (s *shard) grant(p *stampedev1.Permit) {
	if until := p.GetDispatchUntilOffsetNanos(); until > s.permit.Load() {
		s.permit.Store(until)
	}
	if i := int(p.GetPhase()); i >= 0 && i < len(s.phases) {
		s.phases[i].permit(p.GetDispatchUntilSession())
	}
}

// prepared returns the phases, or nil before the shard is prepared.
func (s *shard) prepared() []*phase {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.isReady {
		return nil
	}
	return s.phases
}

// over reports whether the shard's work has ended and been told.
func (s *shard) over() bool {
	select {
	case <-s.finished:
		return s.updates.told()
	default:
		return false
	}
}

// dispatch sends the shard's entries and returns the number of the last batch.
func (s *shard) dispatch(ctx context.Context) (lastBatch int64) {
	building, cancel := context.WithCancel(ctx)
	defer cancel()
	primed, ready, reported := make(chan struct{}), make(chan struct{}), make(chan struct{})
	b := &builder{shard: s, cutoff: s.takenOver, bursts: newBursts(), primed: sync.OnceFunc(func() { close(primed) })}
	r := newReporter(s)
	s.tasks.Go(func() { b.run(building) })
	s.tasks.Go(func() { b.bursts.serve(building, s.warmTo) })
	s.tasks.Go(func() { (&dispatcher{shard: s}).run() })
	s.tasks.Go(func() {
		defer close(reported)
		r.run()
	})
	s.tasks.Go(func() {
		defer close(ready)
		s.warm(building, s.phases)
		<-primed
	})
	s.watch(ctx, ready, reported)
	s.quit.Store(true)
	s.wake()
	cancel()
	s.tasks.Wait()
	return r.sequence
}

// watch tells when the shard is ready, and stops it when that is asked for.
func (s *shard) watch(ctx context.Context, ready, reported <-chan struct{}) {
	giveUp := time.NewTimer(time.Hour)
	giveUp.Stop()
	defer giveUp.Stop()
	deadline, cancelled := never, ctx.Done()
	stop := func(drain time.Duration) {
		s.stopping.Store(true)
		s.slots.stop() // before anything is cancelled, which would free slots
		poke(s.refill)
		s.wake()
		if at := clock.Now() + int64(drain); at < deadline {
			deadline = at
			giveUp.Reset(drain)
		}
	}
	for {
		select {
		case <-ready:
			ready = nil
			s.updates.add(&stampedev1.ShardUpdate{State: stampedev1.ShardState_SHARD_STATE_READY})
			s.run.agent.nudge()
		case drain := <-s.stops:
			stop(drain)
		case <-cancelled:
			cancelled = nil
			stop(0)
		case <-giveUp.C:
			s.live.cancel(s.run.doer)
			giveUp.Reset(cancelAgain) // for a request that was just being started
		case <-reported:
			return
		}
	}
}

// cancelAgain is how long to wait before requests in flight are given up again.
const cancelAgain = 100 * time.Millisecond

// stop ends dispatch; what is in flight after drain is cancelled. A later call
// can only bring that forward.
func (s *shard) stop(drain time.Duration) {
	select {
	case s.stops <- drain:
	case <-s.finished:
	default: // so many are waiting that one more says nothing new
	}
}

// slotsOf lists the slots of this shard in a closed-loop phase.
func (s *shard) slotsOf(p *phase) []int {
	if p.Kind != schedule.Closed {
		return nil
	}
	return schedule.SlotsOf(p.Slots, s.ref.Shard)
}

// warm readies connections for the first of the phases.
func (s *shard) warm(ctx context.Context, phases []*phase) {
	if len(phases) == 0 {
		return
	}
	n := len(s.slotsOf(phases[0]))
	if phases[0].Kind == schedule.Open {
		n = openConnections(phases[0].Phase, max(1, int(s.start.GetAgentCount())))
	}
	if n > 0 {
		s.warmTo(ctx, n)
	}
}

// warmTo readies n connections.
func (s *shard) warmTo(ctx context.Context, n int) { s.cold.Add(int64(s.run.warm(ctx, n))) }

// fail tells that the shard could not be prepared.
func (s *shard) fail(err error) {
	s.updates.add(&stampedev1.ShardUpdate{
		State: stampedev1.ShardState_SHARD_STATE_FAILED, Message: err.Error(), ErrorKind: errorKind(err),
	})
	s.run.agent.nudge()
}

// done tells that all there is to tell has been handed over.
func (s *shard) done(lastBatch int64) {
	s.updates.add(&stampedev1.ShardUpdate{
		State: stampedev1.ShardState_SHARD_STATE_DONE, LastBatchSequence: lastBatch, SelfAudit: s.selfAudit(),
	})
	s.run.agent.nudge()
}

// askPermit asks for a heartbeat now, whose answer brings permits.
func (s *shard) askPermit() { s.run.agent.heartbeatNow() }
