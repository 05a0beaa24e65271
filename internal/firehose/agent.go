package firehose

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/stampede-bench/stampede/internal/wire"
	"github.com/stampede-bench/stampede/measure"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/schedule"
	"github.com/stampede-bench/stampede/workload/dataset"
)

// Batches as agents make them.
const (
	batchSamples = 500
	batchBytes   = 256 << 10
)

// agent is one session's state.
type agent struct {
	hose   *hose
	stream grpc.BidiStreamingClient[stampedev1.SessionRequest, stampedev1.SessionResponse]
	number uint64
	window int64

	working sync.WaitGroup
	ref     wire.Ref
	plan    *schedule.Plan

	sending sync.Mutex

	mu       sync.Mutex
	beats    int64
	beaten   time.Time // when the last heartbeat was sent; zero once it was answered
	renewal  struct{ sequence, received int64 }
	inFlight []int64 // sizes of batches that are not acknowledged
	flying   int64
	acked    int64
	room     chan struct{}
}

func (a *agent) send(r *wire.Request) error {
	a.sending.Lock()
	defer a.sending.Unlock()
	return a.stream.SendMsg(r)
}

func (a *agent) tell(u *stampedev1.ShardUpdate) error {
	u.Ref = a.ref.Proto()
	return a.send(&wire.Request{Message: &stampedev1.SessionRequest{Message: &stampedev1.SessionRequest_ShardUpdate{ShardUpdate: u}}})
}

func (a *agent) hearts(ctx context.Context, period time.Duration) {
	tick := time.NewTicker(max(period, time.Millisecond))
	defer tick.Stop()
	for {
		a.mu.Lock()
		a.beats++
		h := &stampedev1.Heartbeat{Sequence: a.beats, SentUnixNanos: time.Now().UnixNano()}
		h.LastRenewalSequence, h.LastRenewalReceivedUnixNanos = a.renewal.sequence, a.renewal.received
		if a.beaten.IsZero() {
			a.beaten = time.Now()
		}
		a.mu.Unlock()
		if a.send(&wire.Request{Message: &stampedev1.SessionRequest{Message: &stampedev1.SessionRequest_Heartbeat{Heartbeat: h}}}) != nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (a *agent) handle(ctx context.Context, m *stampedev1.SessionResponse) error {
	switch m := m.GetMessage().(type) {
	case *stampedev1.SessionResponse_LeaseRenewal:
		a.mu.Lock()
		defer a.mu.Unlock()
		a.renewal.sequence, a.renewal.received = m.LeaseRenewal.GetSequence(), time.Now().UnixNano()
		if !a.beaten.IsZero() {
			a.hose.renewed(time.Since(a.beaten))
			a.beaten = time.Time{}
		}
	case *stampedev1.SessionResponse_Probe:
		answer := &stampedev1.ProbeResult{RunId: m.Probe.GetRunId(), Sequence: m.Probe.GetSequence(), Model: "model"}
		return a.send(&wire.Request{Message: &stampedev1.SessionRequest{Message: &stampedev1.SessionRequest_ProbeResult{ProbeResult: answer}}})
	case *stampedev1.SessionResponse_StartShard:
		return a.prepare(m.StartShard)
	case *stampedev1.SessionResponse_StartPhase:
		a.working.Go(func() {
			if err := a.work(ctx, m.StartPhase); err != nil && ctx.Err() == nil {
				_ = a.stream.CloseSend() // the session's end tells
			}
		})
	case *stampedev1.SessionResponse_SampleAck:
		a.ack(m.SampleAck.GetBatchSequence())
	case *stampedev1.SessionResponse_StopShard:
		return a.tell(&stampedev1.ShardUpdate{State: stampedev1.ShardState_SHARD_STATE_DONE})
	}
	return nil
}

// prepare takes a shard of a run that has one open-loop phase.
func (a *agent) prepare(m *stampedev1.StartShard) (err error) {
	if a.ref, err = wire.RefFromProto(m.GetRef()); err != nil {
		return err
	}
	spec, _, err := wire.SpecFromProto(m.GetSpec())
	if err != nil {
		return err
	}
	corpus, _, err := dataset.Open(spec, "", nil, dataset.Options{RunID: a.ref.RunID})
	if err == nil {
		a.plan, err = schedule.Compile(spec, corpus)
	}
	if err != nil {
		return err
	}
	if len(a.plan.Phases) != 1 || a.plan.Phases[0].Kind != schedule.Open {
		return fmt.Errorf("the run has %d phases; one, in open loop, is possible", len(a.plan.Phases))
	}
	return a.tell(&stampedev1.ShardUpdate{State: stampedev1.ShardState_SHARD_STATE_READY})
}

// work tells the outcomes of the shard's requests, in order.
func (a *agent) work(ctx context.Context, begin *stampedev1.StartPhase) error {
	p, rng := a.plan.Phases[0], rand.New(rand.NewPCG(a.number, 1))
	var s measure.Sample
	var body, sample []byte
	sequence, held := int64(0), int64(0)
	for k, offset := range p.Arrivals(a.ref.Shard, 0) {
		Reply(&s, rng, begin.GetFirstSession()+k, begin.GetBaseNanos()+offset, a.hose.cfg.Tokens)
		sample = wire.AppendSample(sample[:0], &s)
		body = wire.AppendEncoded(body, sample)
		if held++; held < batchSamples && len(body) < batchBytes {
			continue
		}
		sequence++
		if err := a.ship(ctx, sequence, held, body); err != nil {
			return err
		}
		body, held = body[:0], 0
	}
	if held > 0 {
		sequence++
		if err := a.ship(ctx, sequence, held, body); err != nil {
			return err
		}
	}
	for _, u := range []*stampedev1.ShardUpdate{
		{State: stampedev1.ShardState_SHARD_STATE_PHASE_DISPATCHED}, {State: stampedev1.ShardState_SHARD_STATE_PHASE_DRAINED},
		{State: stampedev1.ShardState_SHARD_STATE_DONE, LastBatchSequence: sequence, SelfAudit: &stampedev1.SelfAudit{}},
	} {
		if err := a.tell(u); err != nil {
			return err
		}
	}
	return nil
}

// ship sends a batch once there is room for it in flight.
func (a *agent) ship(ctx context.Context, sequence, samples int64, body []byte) error {
	batch := append(wire.AppendBatch(make([]byte, 0, len(body)+128), a.ref, sequence), body...)
	size := int64(len(batch))
	for !a.takeRoom(size) {
		select {
		case <-a.room:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	a.hose.sent(samples, size)
	return a.send(&wire.Request{Batch: batch})
}

func (a *agent) takeRoom(size int64) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.flying > 0 && a.flying+size > a.window {
		return false
	}
	a.inFlight = append(a.inFlight, size)
	a.flying += size
	return true
}

func (a *agent) ack(upTo int64) {
	a.mu.Lock()
	for ; a.acked < upTo && len(a.inFlight) > 0; a.acked++ {
		a.flying -= a.inFlight[0]
		a.inFlight = a.inFlight[1:]
	}
	a.mu.Unlock()
	a.hose.acknowledged()
	select {
	case a.room <- struct{}{}:
	default:
	}
}
