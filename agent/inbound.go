package agent

import (
	"context"
	"errors"

	"github.com/stampede-bench/stampede/internal/wire"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
)

// handle takes one message of the controller. It never waits: what may take long
// goes to a task. Messages that a resumed session repeats change nothing.
func (a *Agent) handle(working context.Context, m *stampedev1.SessionResponse) {
	var err error
	switch m := m.GetMessage().(type) {
	case *stampedev1.SessionResponse_LeaseRenewal:
		err = a.renew(m.LeaseRenewal)
	case *stampedev1.SessionResponse_StartShard:
		err = a.startShard(working, m.StartShard)
	case *stampedev1.SessionResponse_StartPhase:
		err = a.startPhase(m.StartPhase)
	case *stampedev1.SessionResponse_StopShard:
		a.stopShard(m.StopShard)
	case *stampedev1.SessionResponse_SampleAck:
		err = a.acknowledged(m.SampleAck)
	case *stampedev1.SessionResponse_Probe:
		a.startProbe(working, m.Probe)
	case *stampedev1.SessionResponse_Examine:
		a.startExamination(working, m.Examine)
	case *stampedev1.SessionResponse_ForgetRun:
		a.forgetRun(m.ForgetRun.GetRunId())
	case *stampedev1.SessionResponse_Shift:
		if r := a.run(m.Shift.GetRunId()); r != nil {
			r.addShift(m.Shift)
		}
	}
	if err != nil {
		a.log.Error("a message of the controller makes no sense", "error", err)
	}
}

// run finds a run, or returns nil.
func (a *Agent) run(id string) *run {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.runs[id]
}

// renew takes in the answer to a heartbeat.
func (a *Agent) renew(m *stampedev1.LeaseRenewal) error {
	if a.clock.renewed(m.GetSequence()) {
		a.probesArrived(m.GetSequence())
	}
	var errs []error
	for _, p := range m.GetPermits() {
		ref, err := wire.RefFromProto(p.GetRef())
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if s := a.run(ref.RunID).find(ref); s != nil {
			s.allow(p)
		}
	}
	return errors.Join(errs...)
}

// startShard begins to work on a shard; one that is known is told of again.
func (a *Agent) startShard(working context.Context, m *stampedev1.StartShard) error {
	ref, err := wire.RefFromProto(m.GetRef())
	if err != nil {
		return err
	}
	a.mu.Lock()
	r, known := a.runs[ref.RunID]
	if !known {
		ctx, cancel := context.WithCancel(working)
		r = newRun(a, ref.RunID)
		r.cancel = cancel
		r.spawn = func(task func(context.Context)) { a.tasks.Go(func() { task(ctx) }) }
		a.runs[ref.RunID] = r
	}
	leaving := a.leaving
	a.mu.Unlock()
	if s := r.find(ref); s != nil {
		s.updates.again()
		a.nudge()
		return nil
	}
	s := newShard(r, ref, m)
	r.add(s)
	if leaving {
		s.fail(errLeft)
		close(s.finished)
		return nil
	}
	var errs []error
	for _, p := range m.GetPhases() {
		errs = append(errs, r.startPhase(p))
	}
	r.spawn(s.work)
	return errors.Join(errs...)
}

// startPhase gives a phase its place in time and asks for permits for it.
func (a *Agent) startPhase(m *stampedev1.StartPhase) error {
	r := a.run(m.GetRunId())
	if r == nil {
		return nil // forgotten already
	}
	err := r.startPhase(m)
	a.heartbeatNow()
	return err
}

func (a *Agent) stopShard(m *stampedev1.StopShard) {
	for _, s := range a.run(m.GetRunId()).list() {
		s.stop(max(0, m.GetDrainTimeout().AsDuration()))
	}
}

func (a *Agent) acknowledged(m *stampedev1.SampleAck) error {
	ref, err := wire.RefFromProto(m.GetRef())
	if err != nil {
		return err
	}
	a.outbox.ack(ref, m.GetBatchSequence())
	a.nudge()
	return nil
}

// forgetRun ends a run's shards at once, if they have not ended, and frees all
// that was kept for it.
func (a *Agent) forgetRun(id string) {
	a.mu.Lock()
	r := a.runs[id]
	delete(a.runs, id)
	delete(a.probes, id)
	a.mu.Unlock()
	a.outbox.drop(id)
	if r == nil {
		return
	}
	r.cancel()
	r.spawn(func(context.Context) {
		r.wait()
		a.outbox.drop(id) // what its shards put there at their end
		a.nudge()
	})
}
