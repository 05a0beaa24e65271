package controller

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/stampede-bench/stampede/controller/journal"
	"github.com/stampede-bench/stampede/controller/store"
	"github.com/stampede-bench/stampede/internal/wire"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
)

// slowKeeper is a journal whose every write takes long, or fails.
type slowKeeper struct {
	store.Keeper
	takes time.Duration
	fails error
}

func (k slowKeeper) Keep(t *store.Test, runs ...*store.Run) error {
	time.Sleep(k.takes)
	return errors.Join(k.fails, k.Keeper.Keep(t, runs...))
}

func (k slowKeeper) ForgetTest(testID string, runs []*store.Run) error {
	time.Sleep(k.takes)
	return errors.Join(k.fails, k.Keeper.ForgetTest(testID, runs))
}

// changing are the rpcs that change something, each with the test's id, and what
// can be seen once it has. UploadDataset is tested below.
var changing = []struct {
	name string
	call func(context.Context, stampedev1.TestServiceClient, string) error
	seen func(t *stampedev1.Test, exists bool) bool
	// restarted holds what a restart after the answer makes of it.
	restarted func(*testing.T, *rig, string)
}{
	{
		"RegisterTest", func(ctx context.Context, c stampedev1.TestServiceClient, id string) error {
			_, err := c.RegisterTest(ctx, &stampedev1.RegisterTestRequest{TestId: id + "-new", Spec: specOf(endless)})
			return err
		},
		nil,
		func(t *testing.T, after *rig, id string) { after.get(id + "-new") },
	},
	{
		"StartTest", func(ctx context.Context, c stampedev1.TestServiceClient, id string) error {
			_, err := c.StartTest(ctx, &stampedev1.StartTestRequest{TestId: id, RequestId: "once"})
			return err
		},
		func(m *stampedev1.Test, _ bool) bool { return m.GetRunId() != "" },
		func(t *testing.T, after *rig, id string) {
			again, err := after.tests.StartTest(after.ctx, &stampedev1.StartTestRequest{TestId: id, RequestId: "once"})
			if err != nil || again.GetRunId() != id+".1" || after.get(id).GetRunId() != id+".1" {
				t.Errorf("started again as %v, %v; the test's run is %q", again, err, after.get(id).GetRunId())
			}
		},
	},
	{
		"CancelTest", func(ctx context.Context, c stampedev1.TestServiceClient, id string) error {
			_, err := c.CancelTest(ctx, &stampedev1.CancelTestRequest{TestId: id})
			return err
		},
		func(m *stampedev1.Test, _ bool) bool { return m.GetState() == stampedev1.State_STATE_CANCELLED },
		func(t *testing.T, after *rig, id string) {
			wantState(t, after.finished(id), stampedev1.State_STATE_CANCELLED)
		},
	},
	{
		"DeleteTest", func(ctx context.Context, c stampedev1.TestServiceClient, id string) error {
			_, err := c.DeleteTest(ctx, &stampedev1.DeleteTestRequest{TestId: id})
			return err
		},
		func(_ *stampedev1.Test, exists bool) bool { return !exists },
		func(t *testing.T, after *rig, id string) {
			if _, err := after.tests.GetTest(after.ctx, &stampedev1.GetTestRequest{TestId: id}); status.Code(err) != codes.NotFound {
				t.Errorf("after a restart: %v", err)
			}
			if _, err := os.Stat(after.c.files.test(id)); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("its files are there: %v", err)
			}
		},
	},
}

const endless = "endpoint: {url: 'http://e', model: m}\nload: {stages: [{rate: 10, arrival: constant, duration: 600s}]}\n"

func specOf(text string) *stampedev1.Spec { return spec(&testing.T{}, text) }

// ready is a test that the i-th of changing can be called for. Its run waits for
// agents that don't come.
func (r *rig) ready(name string) string {
	id := r.register(endless)
	if name == "CancelTest" {
		r.start(id)
		r.settled()
	}
	return id
}

// TestJournalThenStoreThenAnswer: while the journal is being written nobody sees
// the change, and its author is not answered.
func TestJournalThenStoreThenAnswer(t *testing.T) {
	for _, rpc := range changing {
		t.Run(rpc.name, func(t *testing.T) {
			inBubble(t, Config{}, func(r *rig) {
				id := r.ready(rpc.name)
				r.c.store.KeepWith(slowKeeper{Keeper: r.c.keeper, takes: time.Minute})
				answered := make(chan error, 1)
				began := time.Now()
				go func() { answered <- rpc.call(r.ctx, r.tests, id) }()
				r.sleep(30 * time.Second)
				row, err := r.tests.GetTest(r.ctx, &stampedev1.GetTestRequest{TestId: id})
				if rpc.seen != nil && rpc.seen(row.GetTest(), err == nil) {
					t.Error("it is seen before it is journaled")
				}
				if n := r.c.store.CountTests(); n != 1 {
					t.Errorf("%d tests before the journal is written", n)
				}
				if err := <-answered; err != nil {
					t.Fatal(err)
				}
				if took := time.Since(began); took < time.Minute {
					t.Errorf("answered after %v, before it was journaled", took)
				}
				r.killedNow(func(after *rig) { rpc.restarted(t, after, id) })
				r.c.store.KeepWith(r.c.keeper)
			})
		})
	}
}

// TestWhatIsNotJournaledIsRefused: an answer is a promise, so none is given when
// the journal can't be written. A cancel is obeyed all the same.
func TestWhatIsNotJournaledIsRefused(t *testing.T) {
	for _, rpc := range changing {
		t.Run(rpc.name, func(t *testing.T) {
			inBubble(t, Config{}, func(r *rig) {
				id := r.ready(rpc.name)
				r.c.store.KeepWith(slowKeeper{Keeper: r.c.keeper, fails: errors.New("no space left on device")})
				err := rpc.call(r.ctx, r.tests, id)
				if rpc.name == "CancelTest" {
					if err != nil {
						t.Errorf("a cancel is refused: %v", err)
					}
					wantState(t, r.finished(id), stampedev1.State_STATE_CANCELLED)
					return
				}
				if err == nil || !strings.Contains(err.Error(), "no space left") {
					t.Errorf("%v, want what is wrong with the disk", err)
				}
				if m := r.get(id); m.GetRunId() != "" || r.c.store.CountTests() != 1 {
					t.Errorf("it is seen though it was refused: %v", m)
				}
			})
		})
	}
}

// TestUploadIsSafeBeforeTheAnswer: the data is there under its hash after a kill.
func TestUploadIsSafeBeforeTheAnswer(t *testing.T) {
	inBubble(t, Config{}, func(r *rig) {
		stream, err := r.tests.UploadDataset(r.ctx)
		if err == nil {
			err = stream.Send(&stampedev1.UploadDatasetRequest{FileName: "a.jsonl", Data: []byte("{\"prompt\": \"hello\"}\n")})
		}
		if err != nil {
			t.Fatal(err)
		}
		resp, err := stream.CloseAndRecv()
		if err != nil {
			t.Fatal(err)
		}
		r.killedNow(func(after *rig) {
			if !after.c.files.hasCorpus(resp.GetCorpusHash()) {
				t.Errorf("no data with hash %s", resp.GetCorpusHash())
			}
		})
	})
}

// TestACancelSurvivesAKill: at whatever moment the controller dies after it has
// answered, the run it comes back with is cancelled.
func TestACancelSurvivesAKill(t *testing.T) {
	inBubble(t, Config{RejoinGrace: time.Second}, func(r *rig) {
		r.agent("a").join()
		id := r.run(endless)
		r.sleep(5 * time.Second)
		wantState(t, r.get(id), stampedev1.State_STATE_RUNNING)
		r.killedNow(func(after *rig) {
			after.sleep(time.Second)
			wantState(t, after.get(id), stampedev1.State_STATE_RUNNING) // as it was
		})
		r.cancel(id, false)
		r.killedNow(func(after *rig) {
			got := after.finished(id)
			wantState(t, got, stampedev1.State_STATE_CANCELLED)
			if p := got.GetProgress(); p.GetPlannedCount() != 6000 || p.GetSucceededCount() < 30 || p.GetCancelledCount() < 5000 {
				t.Errorf("%v, want 6000 planned, most unsent", p)
			}
		})
		r.finished(id)
	})
}

// told is what an agent was told, held against the journal at that moment.
type told struct {
	r  *rig
	mu sync.Mutex
	of map[string]int
}

// TestNothingIsToldThatIsNotJournaled: permits lie beneath the journaled ceiling;
// phases, shifts, takeovers and the stop are in the journaled state; what is
// acknowledged is in the segment.
func TestNothingIsToldThatIsNotJournaled(t *testing.T) {
	inBubble(t, Config{Lease: 3 * time.Second, RejoinGrace: time.Second}, func(r *rig) {
		heard := &told{r: r, of: map[string]int{}}
		var agents []*fake
		for _, name := range []string{"a", "b", "c"} {
			f := r.agent(name)
			f.heard = heard.hold
			agents = append(agents, f.join())
		}
		id := r.run("endpoint: {url: 'http://e', model: m}\nload:\n  skip_idle_min: 2s\n  stages:\n" +
			"    - {func: 'lambda t: 30 if t < 3 else 60 if t < 90 else None'}\n    - {func: 'lambda t: 30 if t < 60 else 60 if t < 90 else None'}\n" +
			"    - {concurrency: 6, duration: 600s}\n")
		for i := range 600 {
			r.sleep(time.Second)
			if i == 5 {
				agents[2].kill()
			}
			if heard.count("closed permit") > 20 {
				break
			}
		}
		r.cancel(id, false)
		wantState(t, r.finished(id), stampedev1.State_STATE_CANCELLED)
		for _, what := range []string{"open permit", "closed permit", "phase", "shift", "takeover", "stop", "acknowledgement"} {
			if heard.count(what) == 0 {
				t.Errorf("nobody was told of a %s: %v", what, heard.of)
			}
		}
	})
}

func (h *told) count(what string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.of[what]
}

func (h *told) hold(m *stampedev1.SessionResponse) {
	h.mu.Lock()
	defer h.mu.Unlock()
	is := func(what string, held bool) {
		if h.of[what]++; !held {
			h.r.t.Errorf("a %s is told that is not journaled: %v", what, m)
		}
	}
	switch m := m.GetMessage().(type) {
	case *stampedev1.SessionResponse_LeaseRenewal:
		for _, p := range m.LeaseRenewal.GetPermits() {
			top, begun := h.ceiling(p.GetRef().GetRunId())
			if begun && p.GetDispatchUntilOffsetNanos() > 0 {
				is("open permit", p.GetDispatchUntilOffsetNanos() <= top.Open)
			}
			if begun && p.GetDispatchUntilSession() > 0 {
				is("closed permit", p.GetDispatchUntilSession() <= top.Closed[p.GetPhase()])
			}
		}
	case *stampedev1.SessionResponse_StartPhase:
		k := h.kept(m.StartPhase.GetRunId())
		is("phase", int(m.StartPhase.GetPhase()) < len(k.Phases) && k.Phases[m.StartPhase.GetPhase()].Base == m.StartPhase.GetBaseNanos())
	case *stampedev1.SessionResponse_Shift:
		k := h.kept(m.Shift.GetRunId())
		is("shift", slices.Contains(k.Shifts, keptShift{m.Shift.GetFromOffsetNanos(), m.Shift.GetDeltaNanos()}))
	case *stampedev1.SessionResponse_StartShard:
		if ref := m.StartShard.GetRef(); ref.GetShardAttempt() > 1 {
			is("takeover", slices.ContainsFunc(h.kept(ref.GetRunId()).Shards, func(s keptShard) bool {
				return s.Attempt == ref.GetShardAttempt() && s.Offset == ref.GetShard().GetOffset() && s.Stride == ref.GetShard().GetStride()
			}))
		}
	case *stampedev1.SessionResponse_StopShard:
		is("stop", h.kept(m.StopShard.GetRunId()).Halt != nil)
	case *stampedev1.SessionResponse_SampleAck:
		is("acknowledgement", h.inSegment(m.SampleAck))
	}
}

func (h *told) kept(runID string) (k keptState) {
	if _, err := h.r.c.keeper.get(journal.Resumes, runID, &k); err != nil {
		h.r.t.Error(err)
	}
	return k
}

// ceiling is the journaled one; there is none before the run begins, when no
// permit is of use.
func (h *told) ceiling(runID string) (top ceiling, there bool) {
	there, err := h.r.c.keeper.get(journal.Ceilings, runID, &top)
	if err != nil {
		h.r.t.Error(err)
	}
	return top, there
}

func (h *told) inSegment(ack *stampedev1.SampleAck) (found bool) {
	run := h.r.c.store.Run(nil, ack.GetRef().GetRunId())
	want, err := wire.RefFromProto(ack.GetRef())
	if err != nil || run == nil {
		return false
	}
	err = eachRecord(h.r.c.files.segment(run.TestID, run.ID), func(rec journal.Record) error {
		if rec.Kind != journal.KindBatch {
			return nil
		}
		b, err := wire.ParseBatch(rec.Payload)
		found = found || err == nil && b.Ref == want && b.Sequence == ack.GetBatchSequence()
		return err
	})
	if err != nil && !errors.Is(err, io.EOF) {
		h.r.t.Error(err)
	}
	return found
}
