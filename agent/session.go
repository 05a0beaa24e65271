package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/stampede-bench/stampede/internal/wire"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
)

// Why a session ends from this side.
var (
	errLeft   = errors.New("the agent has left")
	errSilent = errors.New("the controller has not answered a heartbeat in half a lease")
)

// firstBeats is how many heartbeats of a session follow one another quickly, so
// that the clocks are known before a run is anchored to them.
const firstBeats = 4

// session is one registration with the controller. The goroutine that runs it
// sends; another one receives. Any error ends it whole.
type session struct {
	agent    *Agent
	stream   stampedev1.AgentService_SessionClient
	period   atomic.Int64 // nanoseconds between heartbeats, as dictated
	lease    time.Duration
	inFlight int64 // most unacknowledged bytes
	beats    int64
	byebye   bool
	watchdog *time.Timer
}

// session runs one session and reports whether the controller welcomed it.
func (a *Agent) session(working context.Context) (welcomed bool, err error) {
	ctx, end := context.WithCancelCause(working)
	defer end(nil)
	s := &session{agent: a}
	s.watchdog = time.AfterFunc(a.leaseDuration()/2, func() { end(errSilent) })
	defer s.watchdog.Stop()
	if err := s.open(ctx); err != nil {
		return false, cause(ctx, err)
	}
	a.connected.Store(true)
	defer a.connected.Store(false)
	received := make(chan struct{})
	go func() {
		defer close(received)
		end(s.receive(working))
	}()
	err = s.send(ctx)
	if errors.Is(err, errLeft) {
		s.farewell(received)
	}
	end(err)
	<-received
	return true, cause(ctx, err)
}

// farewell lets the controller end the stream, so that it has all that was sent.
func (s *session) farewell(received <-chan struct{}) {
	if err := s.stream.CloseSend(); err != nil {
		return
	}
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	select {
	case <-received:
	case <-timer.C:
	}
}

// cause prefers why ctx was ended to what came of that.
func cause(ctx context.Context, err error) error {
	if c := context.Cause(ctx); c != nil && !errors.Is(err, errLeft) && !errors.Is(c, context.Canceled) {
		return c
	}
	return err
}

// open says hello and takes in the welcome.
func (s *session) open(ctx context.Context) error {
	a := s.agent
	stream, err := a.client.Session(ctx)
	if err != nil {
		return fmt.Errorf("open session: %w", err)
	}
	if err := stream.Send(&stampedev1.SessionRequest{Message: &stampedev1.SessionRequest_Hello{Hello: a.hello()}}); err != nil {
		_, err = stream.Recv() // Send only says that the stream is broken
		return fmt.Errorf("say hello: %w", err)
	}
	m, err := stream.Recv()
	if err != nil {
		return fmt.Errorf("wait for the welcome: %w", err)
	}
	w := m.GetWelcome()
	if w == nil {
		return fmt.Errorf("the first message of a session must be Welcome, got %T", m.GetMessage())
	}
	s.stream = stream
	s.welcome(w)
	return nil
}

// hello introduces the agent.
func (a *Agent) hello() *stampedev1.Hello {
	host, _ := os.Hostname() // it is only shown
	h := &stampedev1.Hello{
		AgentId: a.id, Version: a.cfg.Version, Name: a.cfg.Name, Host: host,
		Platform: runtime.GOOS + "/" + runtime.GOARCH, CpuCount: a.cpu.quota, KernelStamps: runtime.GOOS == "linux",
	}
	for _, s := range a.shards() {
		h.Shards = append(h.Shards, s.ref.Proto())
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	h.ResumeSecret = a.secret
	return h
}

// Limits on what a controller may dictate, so that a mistaken one does no harm.
const (
	minPeriod   = time.Millisecond
	minInFlight = 64 << 10
)

// welcome takes over the session's terms and lets everything that was not
// acknowledged be sent again.
func (s *session) welcome(w *stampedev1.Welcome) {
	a := s.agent
	s.lease = w.GetLeaseDuration().AsDuration()
	if s.lease <= 0 {
		s.lease = defaultLease
	}
	s.dictate(s.lease / 10)
	s.dictate(w.GetHeartbeatPeriod().AsDuration())
	s.inFlight = max(w.GetMaxInflightBytes(), minInFlight)
	a.mu.Lock()
	a.secret, a.lease = w.GetSessionSecret(), s.lease
	for _, p := range a.probes {
		p.sent = false
	}
	a.mu.Unlock()
	a.clock.restart()
	a.outbox.again()
	for _, shard := range a.shards() {
		shard.updates.again()
	}
	a.nudge() // all of that waits to be sent
	s.watchdog.Reset(s.silence())
	a.log.Info("session begins", "session", w.GetSessionId(), "resumed", w.GetResumed(), "lease", s.lease, "controller", w.GetVersion())
}

// dictate takes over how often to send heartbeats; zero says nothing new.
func (s *session) dictate(period time.Duration) {
	if period > 0 {
		s.period.Store(int64(min(max(period, minPeriod), max(s.lease/2, minPeriod))))
	}
}

// silence is how long the controller may leave heartbeats unanswered.
func (s *session) silence() time.Duration {
	return max(s.lease/2, 2*time.Duration(s.period.Load()))
}

// receive takes messages until the stream ends. Nothing it calls waits.
func (s *session) receive(working context.Context) error {
	for {
		m, err := s.stream.Recv()
		if err != nil {
			return fmt.Errorf("session: %w", err)
		}
		if r := m.GetLeaseRenewal(); r != nil {
			s.dictate(r.GetHeartbeatPeriod().AsDuration())
			s.watchdog.Reset(s.silence())
		}
		s.agent.handle(working, m)
	}
}

// send sends heartbeats, updates and batches until ctx ends.
func (s *session) send(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-timer.C:
			if err := s.heartbeat(); err != nil {
				return err
			}
			timer.Reset(s.pause())
		case <-s.agent.beat:
			if err := s.heartbeat(); err != nil {
				return err
			}
		case <-s.agent.work:
			if err := s.flush(); err != nil {
				return err
			}
		}
	}
}

// pause is how long to wait before the next heartbeat in turn.
func (s *session) pause() time.Duration {
	period := time.Duration(s.period.Load())
	if s.beats < firstBeats {
		return period / 20
	}
	return period
}

// flush sends what is to be told, and one batch: heartbeats come in between.
func (s *session) flush() error {
	a := s.agent
	if a.isLeaving() && !s.byebye {
		s.byebye = true
		bye := &stampedev1.Goodbye{Reason: "the agent was told to end"}
		if err := s.write(&stampedev1.SessionRequest{Message: &stampedev1.SessionRequest_Goodbye{Goodbye: bye}}); err != nil {
			return err
		}
	}
	if batch := a.outbox.next(s.inFlight); batch != nil {
		if err := s.stream.SendMsg(&wire.Request{Batch: batch}); err != nil {
			return fmt.Errorf("session: send: %w", err)
		}
		a.nudge()
	}
	if err := s.tell(); err != nil {
		return err
	}
	if s.byebye && a.idle() {
		return errLeft
	}
	return nil
}

// tell sends updates of shards, results of probes and what was looked at.
func (s *session) tell() error {
	for _, shard := range s.agent.shards() {
		for {
			m := shard.updates.next(shard.ref, s.agent.outbox.waits)
			if m == nil {
				break
			}
			if err := s.write(&stampedev1.SessionRequest{Message: &stampedev1.SessionRequest_ShardUpdate{ShardUpdate: m}}); err != nil {
				return err
			}
		}
	}
	for _, m := range s.agent.examined() {
		if err := s.write(&stampedev1.SessionRequest{Message: &stampedev1.SessionRequest_Examination{Examination: m}}); err != nil {
			return err
		}
	}
	for _, m := range s.agent.probeResults(s.beats + 1) {
		if err := s.write(&stampedev1.SessionRequest{Message: &stampedev1.SessionRequest_ProbeResult{ProbeResult: m}}); err != nil {
			return err
		}
	}
	return nil
}

// heartbeat keeps the lease and tells how far the shards have come.
func (s *session) heartbeat() error {
	a := s.agent
	h := &stampedev1.Heartbeat{Sequence: s.beats + 1}
	s.beats++
	var share float64
	h.CpuSeconds, share = a.cpu.read()
	h.CpuUtilization = share
	for _, shard := range a.shards() {
		if shard.run.sending() {
			shard.run.cpuMax.raise(share)
		}
		if p := shard.progress(); p != nil {
			h.Shards = append(h.Shards, p)
		}
	}
	held, bytes := a.outbox.held()
	h.OutboxBatchCount, h.OutboxBytes = int64(held), bytes
	h.SentUnixNanos, h.LastRenewalSequence, h.LastRenewalReceivedUnixNanos, h.ClockStepCount = a.clock.beat(h.Sequence)
	return s.write(&stampedev1.SessionRequest{Message: &stampedev1.SessionRequest_Heartbeat{Heartbeat: h}})
}

// write sends one message; only the goroutine that sends calls it.
func (s *session) write(m *stampedev1.SessionRequest) error {
	if err := s.stream.Send(m); err != nil {
		return fmt.Errorf("session: send: %w", err)
	}
	return nil
}
