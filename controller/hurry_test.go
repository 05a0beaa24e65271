package controller

import (
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/internal/wire"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
)

// Arrivals of this plan take minutes to draw.
const hugeSpec = endpoint + "load: {stages: [{rate: 1000, requests: 1000000000}]}\n"

// TestAPlanIsNotMadeToItsEnd: who cancels a run, or ends the controller, while a
// large plan is being made does not wait for it.
func TestAPlanIsNotMadeToItsEnd(t *testing.T) {
	for name, cancelled := range map[string]bool{"cancel": true, "end of the controller": false} {
		t.Run(name, func(t *testing.T) {
			r, end := open(t, Config{DataDir: t.TempDir(), Volatile: true})
			r.agent("a").join()
			id := r.run(hugeSpec)
			for r.get(id).GetReason() != "preparing the data and the schedule" {
				if r.get(id).GetEndTime() != nil {
					t.Fatalf("it ended: %v", r.get(id))
				}
				time.Sleep(time.Millisecond)
			}
			began := time.Now()
			if cancelled {
				r.cancel(id, false)
				wantState(t, r.finished(id), stampedev1.State_STATE_CANCELLED)
			}
			end()
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("it took %v", took)
			}
			if row := r.c.store.Run(nil, id); row.State != stampedev1.State_STATE_CANCELLED {
				t.Errorf("%v: %s", row.State, row.Reason)
			}
		})
	}
}

// TestAHashIsNotWaitedFor: a run that was asked to end is not held up by the hash
// of a plan that takes minutes, and says why there is none.
func TestAHashIsNotWaitedFor(t *testing.T) {
	b := beginByHand(t, t.TempDir(), "load: {stages: [{rate: 1000, arrival: constant, requests: 1000000000}]}", 1, 1<<40)
	defer b.end()
	b.c.cfg.hashTrial, b.c.cfg.hashHurry = time.Hour, 100*time.Millisecond // nobody knows that it is hopeless
	for _, batch := range load(rand.New(rand.NewPCG(1, 2)), []wire.Ref{b.r.shards[0].ref}, 1000, 100)[0] {
		b.take(0, batch)
	}
	time.AfterFunc(100*time.Millisecond, b.r.hurry) // while it is computed
	began := time.Now()
	b.r.halt.on = true
	b.r.finish(nil)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the end took %v", took)
	}
	row := b.c.store.Run(nil, b.r.id)
	if row.WorkloadHash != "" || !strings.Contains(string(row.Report), "workload_hash was not computed: the run was asked to end") {
		t.Errorf("hash %q, report %.3000s", row.WorkloadHash, row.Report)
	}
	if p := row.Progress; p.GetSucceededCount()+p.GetFailedCount()+p.GetCancelledCount() != 1_000_000_000 {
		t.Errorf("%v", p)
	}
}

// TestAnEndWhileARunIsResumed: a controller that ends before it has resumed a run
// leaves it to the next one, with all that was measured.
func TestAnEndWhileARunIsResumed(t *testing.T) {
	dir := t.TempDir()
	b := beginByHand(t, dir, "load: {stages: [{rate: 1000, requests: 10000000}]}", 1, 1<<40)
	defer b.end()
	b.feed(2000)
	after := copyFolder(t, dir)
	for range 2 {
		c, l := openFolder(t, after, 1<<40)
		again := &byHand{t: t, c: c, r: c.run(b.r.id), logs: l}
		began := time.Now()
		again.end()
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("the end took %v", took)
		}
		if row := c.store.Run(nil, b.r.id); row.Ended() || !strings.Contains(l.String(), "run is left to the next start") {
			t.Fatalf("%v: %s; %s", row.State, row.Reason, l)
		}
	}
	again := revived(t, after, b.r.id, 1<<40)
	again.do(func() {
		if got := again.r.ledger.Phase(0); got.Succeeded != 2000 || got.Planned != 10_000_000 {
			t.Errorf("%+v", got)
		}
	})
	again.end()
	if row := again.c.store.Run(nil, b.r.id); row.State != stampedev1.State_STATE_CANCELLED || len(row.Report) == 0 {
		t.Errorf("%v with a report of %d bytes", row.State, len(row.Report))
	}
}
