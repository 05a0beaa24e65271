package controller

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/stampede-bench/stampede/internal/wire"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
)

// Bounds on one session.
const (
	maxInflightBytes = 1 << 20 // told to agents: unacknowledged bytes of batches
	// maxQueuedBytes is when an agent that ignores it is cut off: several runs
	// may have their share, and one batch may hold one very long answer.
	maxQueuedBytes = 16 << 20
	maxOutbox      = 1024 // messages to an agent that does not read
	helloTimeout   = 10 * time.Second
	// maxHeartbeatRate is per second; agents send more than the period asks for
	// when a permit runs out.
	maxHeartbeatRate = 500
	shardsPerBeat    = 16 // a heartbeat of more counts as several
	// maxKnocking is how many sessions may be waited for to say hello.
	maxKnocking = 2048
	// eventOverhead is what a queued event costs beside its message.
	eventOverhead = 256
)

// session is one stream with an agent. Its goroutines are the rpc's handler,
// which sends, and one that receives.
type session struct {
	id      string
	peer    *peer // set by attach, before the receiving goroutine goes on
	out     chan *stampedev1.SessionResponse
	queued  atomic.Int64 // bytes posted to runs and not yet handled
	strange atomic.Int64 // messages that fitted nothing

	once sync.Once
	done chan struct{}
	err  error // why it ended; read after done
}

func newSession() *session {
	return &session{id: newSessionID(), out: make(chan *stampedev1.SessionResponse, maxOutbox), done: make(chan struct{})}
}

// end ends the session with an error for the agent; the first call counts.
func (s *session) end(err error) {
	s.once.Do(func() {
		s.err = err
		close(s.done)
	})
}

// send queues a message and never waits: an agent that does not read is cut off,
// and told again when it resumes.
func (s *session) send(m *stampedev1.SessionResponse) {
	select {
	case s.out <- m:
	default:
		s.end(fmt.Errorf("%d messages wait for the agent, it does not read them: %w", maxOutbox, errTooFast))
	}
}

// tooMuch is why a session ends that sent more than may wait.
func (s *session) tooMuch() error {
	return fmt.Errorf("agent %s sent %d bytes ahead of their acknowledgement, allowed are %d: %w",
		s.peer.name, s.queued.Load(), maxInflightBytes, errTooFast)
}

// agentService implements stampedev1.AgentServiceServer.
type agentService struct {
	stampedev1.UnimplementedAgentServiceServer
	c *Controller
}

// Session implements the rpc.
func (a agentService) Session(stream grpc.BidiStreamingServer[stampedev1.SessionRequest, stampedev1.SessionResponse]) error {
	release, err := a.c.enter()
	if err != nil {
		return rpcError(err)
	}
	if a.c.knocking.Add(1) > maxKnocking {
		a.c.knocking.Add(-1)
		release()
		return rpcError(fmt.Errorf("%d sessions have not said hello yet: %w", maxKnocking, errTooFast))
	}
	s := newSession()
	go func() {
		defer release()
		err := a.c.receive(s, stream)
		if errors.Is(err, io.EOF) {
			err = nil
		}
		s.end(err)
		a.c.registry.detach(s)
	}()
	return rpcError(a.c.transmit(stream.Context(), s, stream))
}

// transmit sends what is queued until the session ends.
func (c *Controller) transmit(ctx context.Context, s *session, stream grpc.BidiStreamingServer[stampedev1.SessionRequest, stampedev1.SessionResponse]) error {
	defer s.end(errClosed)
	for {
		select {
		case m := <-s.out:
			if err := stream.Send(m); err != nil {
				return err
			}
		case <-s.done:
			return s.err
		case <-ctx.Done():
			return ctx.Err()
		case <-c.ended:
			return errClosed
		}
	}
}

// receive handles what an agent sends, in order, until the stream ends.
func (c *Controller) receive(s *session, stream grpc.BidiStreamingServer[stampedev1.SessionRequest, stampedev1.SessionResponse]) error {
	hello, err := c.awaitHello(s, stream)
	c.knocking.Add(-1)
	if err != nil {
		return err
	}
	p, resumed, err := c.registry.attach(s, hello)
	if err != nil {
		c.log.Warn("agent refused", "agent", hello.GetAgentId(), "err", err)
		return err
	}
	c.log.Info("agent connected", "agent", p.name, "resumed", resumed)
	c.registry.moved()
	c.reconcile(s, hello, resumed)
	beats := rate{limit: maxHeartbeatRate}
	var in wire.Request
	for {
		if err := stream.RecvMsg(&in); err != nil {
			return err
		}
		received := time.Now()
		if isOver(s.done) {
			return s.err
		}
		if h := in.Message.GetHeartbeat(); h != nil {
			if !beats.allow(received, 1+len(h.GetShards())/shardsPerBeat) {
				return fmt.Errorf("more than %d heartbeats in a second, of %d shards each: %w", maxHeartbeatRate, shardsPerBeat, errTooFast)
			}
			c.heartbeat(s, h, received)
			continue
		}
		if err := c.dispatch(s, &in); err != nil {
			return err
		}
	}
}

func (c *Controller) awaitHello(s *session, stream grpc.BidiStreamingServer[stampedev1.SessionRequest, stampedev1.SessionResponse]) (*stampedev1.Hello, error) {
	late := time.AfterFunc(helloTimeout, func() {
		s.end(fmt.Errorf("no hello within %v: %w", helloTimeout, errState))
	})
	defer late.Stop()
	m, err := stream.Recv()
	if err != nil {
		return nil, err
	}
	hello := m.GetHello()
	if hello == nil {
		return nil, fmt.Errorf("the first message of a session must be a hello, got %T: %w", m.GetMessage(), errInvalid)
	}
	return hello, nil
}

// heartbeat is answered right here: neither the journal nor a fold is waited for.
func (c *Controller) heartbeat(s *session, h *stampedev1.Heartbeat, received time.Time) {
	var granted []*stampedev1.Permit
	for i, progress := range h.GetShards() {
		if i == maxHelloShards {
			break
		}
		ref, err := wire.RefFromProto(progress.GetRef())
		if err != nil {
			c.odd(s)
			continue
		}
		if r := c.run(ref.RunID); r != nil {
			if permit := r.permits.renew(ref, s.peer.id, progress, received); permit != nil {
				granted = append(granted, permit)
			}
		}
	}
	c.registry.renew(s, h, received, granted)
}

// dispatch hands a message to the run it is for.
func (c *Controller) dispatch(s *session, in *wire.Request) error {
	if in.Batch != nil {
		return c.onBatch(s, in.Batch)
	}
	switch m := in.Message.GetMessage().(type) {
	case *stampedev1.SessionRequest_ShardUpdate:
		return c.onUpdate(s, m.ShardUpdate)
	case *stampedev1.SessionRequest_ProbeResult:
		return c.onProbeResult(s, m.ProbeResult)
	case *stampedev1.SessionRequest_Examination:
		c.examinations.answer(s.peer.id, m.Examination)
		return nil
	case *stampedev1.SessionRequest_Goodbye:
		c.log.Info("agent leaves", "agent", s.peer.name, "reason", clip(m.Goodbye.GetReason(), maxNameBytes))
		c.registry.leave(s)
		c.registry.moved()
		return nil
	case *stampedev1.SessionRequest_Hello:
		return fmt.Errorf("a session has one hello: %w", errInvalid)
	}
	c.odd(s)
	return nil
}

func (c *Controller) onBatch(s *session, encoded []byte) error {
	b, err := wire.ParseBatch(encoded)
	if err != nil {
		return fmt.Errorf("%w: %w", err, errInvalid)
	}
	r := c.run(b.Ref.RunID)
	if r == nil {
		c.lateBatch(s, &b)
		return nil
	}
	return c.post(s, r, len(encoded), func() { r.onBatch(s, &b) }, func() { c.lateBatch(s, &b) })
}

func (c *Controller) onUpdate(s *session, u *stampedev1.ShardUpdate) error {
	ref, err := wire.RefFromProto(u.GetRef())
	if err != nil {
		return fmt.Errorf("%w: %w", err, errInvalid)
	}
	r := c.run(ref.RunID)
	if r == nil {
		c.lateUpdate(s, u)
		return nil
	}
	return c.post(s, r, proto.Size(u), func() { r.onUpdate(s, ref, u) }, func() { c.lateUpdate(s, u) })
}

func (c *Controller) onProbeResult(s *session, m *stampedev1.ProbeResult) error {
	r := c.run(m.GetRunId())
	if r == nil {
		c.odd(s)
		return nil
	}
	return c.post(s, r, proto.Size(m), func() { r.onProbeResult(s, m) }, func() {})
}

// post gives an event of a session to a run, late to whoever finds that the run
// has ended meanwhile. An agent that sends more than it was told it may have in
// flight is cut off, so what waits here is bounded.
func (c *Controller) post(s *session, r *run, size int, event, late func()) error {
	cost := int64(size + eventOverhead)
	if s.queued.Add(cost) > maxQueuedBytes {
		return s.tooMuch()
	}
	posted := r.post(func() {
		s.queued.Add(-cost)
		if r.over {
			late()
			return
		}
		event()
	})
	if !posted {
		s.queued.Add(-cost)
		late()
	}
	return nil
}

// rate counts events in windows of a second. One goroutine uses it.
type rate struct {
	limit int
	from  time.Time
	n     int
}

func (r *rate) allow(now time.Time, n int) bool {
	if now.Sub(r.from) >= time.Second {
		r.from, r.n = now, 0
	}
	r.n += n
	return r.n <= r.limit
}

func isOver(done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
		return false
	}
}
