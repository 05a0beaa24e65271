package controller

import (
	"slices"
	"sync"
	"time"

	"github.com/stampede-bench/stampede/internal/wire"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/schedule"
	"github.com/stampede-bench/stampede/workload"
	"github.com/stampede-bench/stampede/workload/dataset"
)

// fakeShard is one attempt at a shard. Its own lock; f.mu may be held around it.
type fakeShard struct {
	f      *fake
	ref    wire.Ref
	start  *stampedev1.StartShard
	spec   *workload.Spec
	corpus dataset.Corpus
	plan   *schedule.Plan
	news   chan struct{}

	mu       sync.Mutex
	permit   int64
	permits  map[int32]int64
	next     []int64
	phase    int
	sent     int64
	inFlight int64
	reached  int64 // everything with a nominal offset up to this was sent
	stopped  bool
	sequence int64
	outbox   []*stampedev1.SampleBatch
	flying   sync.WaitGroup
	said     []*stampedev1.ShardUpdate
	giveUp   chan struct{}
	over     sync.Once
}

func (s *fakeShard) poke() {
	select {
	case s.news <- struct{}{}:
	default:
	}
}

func (s *fakeShard) allow(p *stampedev1.Permit) {
	s.mu.Lock()
	s.permit = max(s.permit, p.GetDispatchUntilOffsetNanos())
	s.permits[p.GetPhase()] = max(s.permits[p.GetPhase()], p.GetDispatchUntilSession())
	s.mu.Unlock()
	s.poke()
}

func (s *fakeShard) stop(drain time.Duration) {
	s.mu.Lock()
	s.stopped = true
	s.mu.Unlock()
	s.poke()
	go func() {
		s.sleep(drain)
		s.over.Do(func() { close(s.giveUp) })
	}()
}

// sleep ends early when the shard is given up.
func (s *fakeShard) sleep(d time.Duration) (whole bool) {
	select {
	case <-time.After(d):
		return true
	case <-s.giveUp:
	case <-s.f.r.ctx.Done():
	}
	return false
}

func (s *fakeShard) progress() *stampedev1.ShardProgress {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &stampedev1.ShardProgress{Ref: s.ref.Proto(), Phase: int32(s.phase), NextSession: s.next[s.phase], SentCount: s.sent, InFlightCount: s.inFlight, DispatchedOffsetNanos: s.reached}
}

func (s *fakeShard) update(state stampedev1.ShardState, phase int) {
	u := &stampedev1.ShardUpdate{Ref: s.ref.Proto(), State: state, Phase: int32(phase), Message: s.f.refuse}
	if state == stampedev1.ShardState_SHARD_STATE_DONE {
		u.SelfAudit = s.f.audit
	}
	s.mu.Lock()
	if len(s.next) > phase {
		u.NextSession = s.next[phase]
	}
	u.LastBatchSequence = s.sequence
	s.said = append(s.said, u)
	s.mu.Unlock()
	s.tell(u)
}

func (s *fakeShard) tell(u *stampedev1.ShardUpdate) {
	s.f.send(&stampedev1.SessionRequest{Message: &stampedev1.SessionRequest_ShardUpdate{ShardUpdate: u}})
}

// until waits for news until a condition holds; false when the shard is stopped.
func (s *fakeShard) until(holds func() bool) bool {
	for {
		s.mu.Lock()
		stopped, ok := s.stopped, holds()
		s.mu.Unlock()
		if stopped || ok {
			return !stopped
		}
		select {
		case <-s.news:
		case <-time.After(100 * time.Millisecond):
		case <-s.f.r.ctx.Done():
			return false
		}
	}
}

func (s *fakeShard) work() {
	for i, p := range s.plan.Phases {
		var begin *stampedev1.StartPhase
		s.until(func() bool {
			begin = s.f.phaseOf(s.ref.RunID, int32(i))
			return begin != nil
		})
		s.mu.Lock()
		s.phase = i
		s.mu.Unlock()
		switch {
		case begin == nil: // stopped before it began
		case p.Kind == schedule.Open:
			s.open(p, begin)
		default:
			s.closed(p, begin)
		}
		if begin != nil {
			s.update(stampedev1.ShardState_SHARD_STATE_PHASE_DISPATCHED, i)
		}
		s.flying.Wait()
		if begin != nil {
			s.update(stampedev1.ShardState_SHARD_STATE_PHASE_DRAINED, i)
		}
	}
	s.update(stampedev1.ShardState_SHARD_STATE_DONE, 0)
}

func (s *fakeShard) open(p *schedule.Phase, begin *stampedev1.StartPhase) {
	anchor := begin.GetAnchorTime().AsTime()
	for k, offset := range p.Arrivals(s.ref.Shard, max(s.start.GetFromOffsetNanos()-p.Nominal, 0)) {
		nominal := p.Nominal + offset
		due := func() time.Time {
			return anchor.Add(time.Duration(begin.GetBaseNanos() + offset - s.f.shifted(s.ref.RunID, nominal)))
		}
		s.until(func() bool { s.reached = nominal - 1; return true })
		if !s.until(func() bool { return s.permit > nominal && !time.Now().Before(due().Add(-100*time.Millisecond)) }) {
			return
		}
		s.sleep(time.Until(due()))
		s.request(p.Index, begin.GetFirstSession()+k, int64(due().Sub(anchor)), &nominal, anchor)
	}
	s.until(func() bool { s.reached = p.Nominal + p.Duration - 1; return true })
}

// closed keeps a shard's slots busy, all in step.
func (s *fakeShard) closed(p *schedule.Phase, begin *stampedev1.StartPhase) {
	anchor := begin.GetAnchorTime().AsTime()
	s.sleep(time.Until(anchor.Add(time.Duration(begin.GetBaseNanos()))))
	end := anchor.Add(time.Duration(begin.GetBaseNanos() + p.Duration))
	slots := schedule.SlotsOf(p.Slots, s.ref.Shard)
	if len(slots) == 0 {
		return
	}
	for round := s.next[p.Index] / int64(p.Slots) * int64(p.Slots); ; round += int64(p.Slots) {
		if p.Duration > 0 && !time.Now().Before(end) || p.Sessions != schedule.Unbounded && round >= p.Sessions {
			return
		}
		for _, slot := range slots {
			k := round + int64(slot)
			if k < s.next[p.Index] || p.Sessions != schedule.Unbounded && k >= p.Sessions {
				continue
			}
			if !s.until(func() bool { return k < s.permits[int32(p.Index)] }) {
				return
			}
			s.mu.Lock()
			s.next[p.Index] = k + 1
			s.mu.Unlock()
			s.request(p.Index, begin.GetFirstSession()+k, int64(time.Since(anchor)), nil, anchor)
		}
		s.sleep(s.f.latency)
		s.flying.Wait()
		s.f.heartbeat()
	}
}

func (s *fakeShard) request(phase int, session, intended int64, nominal *int64, anchor time.Time) {
	index, latency := s.corpus.EntriesBefore(session), s.f.latency
	// What its clock has gained since the anchor was placed by it.
	gained := int64(s.f.ahead()) - s.f.phaseOf(s.ref.RunID, int32(phase)).GetClockOffsetNanos()
	sent := int64(time.Since(anchor)) + gained
	s.f.mu.Lock()
	s.f.served[index]++
	s.f.mu.Unlock()
	s.mu.Lock()
	s.sent++
	s.inFlight++
	s.mu.Unlock()
	s.flying.Go(func() {
		whole := s.sleep(latency)
		first, end, tokens := sent+int64(latency)/2, sent+int64(latency), int32(2)
		s.mu.Lock()
		s.inFlight--
		s.mu.Unlock()
		if !whole {
			end = int64(time.Since(anchor))
			s.ship(&stampedev1.Sample{
				Index: index, Session: session, Phase: int32(phase), Attempt: 1, Outcome: stampedev1.Outcome_OUTCOME_CANCELLED,
				ScheduleOffsetNanos: nominal, IntendedNanos: &intended, SentNanos: &sent, EndNanos: &end,
			})
			return
		}
		s.ship(&stampedev1.Sample{
			Index: index, Session: session, Phase: int32(phase), Attempt: 1, Outcome: stampedev1.Outcome_OUTCOME_SUCCEEDED,
			ScheduleOffsetNanos: nominal, IntendedNanos: &intended, SentNanos: &sent, HeadersNanos: &first,
			FirstTokenNanos: &first, FirstOutputNanos: &first, LastTokenNanos: &end, EndNanos: &end,
			ChunkGapNanos: []int64{first - sent, end - first}, TokenSource: "chunks", OutputTokenCount: &tokens, HttpStatus: 200,
		})
	})
}

func (s *fakeShard) ship(samples ...*stampedev1.Sample) {
	s.mu.Lock()
	s.sequence++
	b := &stampedev1.SampleBatch{Ref: s.ref.Proto(), BatchSequence: s.sequence, Samples: samples}
	s.outbox = append(s.outbox, b)
	m := &stampedev1.SessionRequest{Message: &stampedev1.SessionRequest_SampleBatch{SampleBatch: b}}
	s.f.send(m)
	if s.f.resend {
		s.f.send(m)
	}
	s.mu.Unlock()
}

func (s *fakeShard) acked(sequence int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outbox = slices.DeleteFunc(s.outbox, func(b *stampedev1.SampleBatch) bool { return b.GetBatchSequence() <= sequence })
}

// resend repeats what was not acknowledged, and then what was said.
func (s *fakeShard) resend() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.outbox {
		s.f.send(&stampedev1.SessionRequest{Message: &stampedev1.SessionRequest_SampleBatch{SampleBatch: b}})
	}
	for _, u := range s.said {
		s.tell(u)
	}
}
