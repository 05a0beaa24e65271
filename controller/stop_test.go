package controller

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/report"
)

func (r *rig) cancel(id string, immediate bool) {
	r.t.Helper()
	if _, err := r.tests.CancelTest(r.ctx, &stampedev1.CancelTestRequest{TestId: id, Immediate: immediate}); err != nil {
		r.t.Fatal(err)
	}
}

func TestCancelDrains(t *testing.T) {
	for _, load := range []string{
		"{rate: 20, arrival: constant, duration: 10s}",
		"{concurrency: 4, requests: 200}",
	} {
		t.Run(load, func(t *testing.T) {
			inBubble(t, Config{}, func(r *rig) {
				a, b := r.agent("a").join(), r.agent("b").join()
				id := r.run(endpoint + "load: {stages: [" + load + "]}")
				r.sleep(3 * time.Second)
				r.cancel(id, false)
				end := r.finished(id)
				wantState(t, end, stampedev1.State_STATE_CANCELLED)
				served := int64(len(a.served) + len(b.served))
				books(t, end, 200, served, 200-served, 0)
				if served == 0 || served == 200 {
					t.Errorf("served %d", served)
				}
				if strings.Contains(load, "rate") {
					r.offers(id, 20)
				}
			})
		})
	}
}

// offers holds a report of a run that was stopped to what was due before: both
// rates are the schedule's.
func (r *rig) offers(id string, rate float64) {
	r.t.Helper()
	row := r.c.store.Run(nil, id)
	var rep report.Report
	if err := json.Unmarshal(row.Report, &rep); err != nil {
		r.t.Fatal(err)
	}
	offered, achieved := rep.Throughput.OfferedRate, rep.Throughput.AchievedRate
	if offered == nil || achieved == nil || math.Abs(*offered-rate) > rate/20 || math.Abs(*achieved-rate) > rate/20 {
		r.t.Errorf("%v/s offered, %v/s achieved, want %v/s of both", deref(offered), deref(achieved), rate)
	}
}

func deref(v *float64) float64 {
	if v == nil {
		return math.NaN()
	}
	return *v
}

func TestCancelTwiceGivesUpAtOnce(t *testing.T) {
	inBubble(t, Config{}, func(r *rig) {
		a := r.agent("a")
		a.latency = time.Hour
		a.join()
		id := r.run(openSpec)
		r.sleep(3 * time.Second)
		r.cancel(id, false)
		r.sleep(time.Second)
		if got := r.get(id); got.GetState() != stampedev1.State_STATE_DRAINING {
			t.Errorf("state %v: %s", got.GetState(), got.GetReason())
		}
		before := time.Now()
		r.cancel(id, false)
		end := r.finished(id)
		wantState(t, end, stampedev1.State_STATE_CANCELLED)
		if took := time.Since(before); took > stopMargin+time.Second {
			t.Errorf("giving up took %v", took)
		}
		books(t, end, 100, 0, 100, 0)
		if rows := r.samples(id); len(rows) != len(a.served) {
			t.Errorf("%d rows, served %d", len(rows), len(a.served))
		}
	})
}

func TestAnAgentThatDoesNotStopIsLost(t *testing.T) {
	inBubble(t, Config{}, func(r *rig) {
		a := r.agent("a")
		a.latency, a.deaf = time.Hour, true
		a.join()
		id := r.run(openSpec + "\nlimits: {drain_timeout: 1s}")
		r.sleep(3 * time.Second)
		r.cancel(id, false)
		before := time.Now()
		end := r.finished(id)
		wantState(t, end, stampedev1.State_STATE_CANCELLED)
		if took := time.Since(before); took > stopMargin+2*time.Second {
			t.Errorf("giving up took %v", took)
		}
		if p := end.GetProgress(); p.GetLostCount() < int64(len(a.served)) || p.GetLostCount()+p.GetCancelledCount() != 100 {
			t.Errorf("served %d, progress %v", len(a.served), p)
		}
	})
}

func TestCancelWhilePending(t *testing.T) {
	inBubble(t, Config{}, func(r *rig) {
		id := r.run(openSpec)
		r.settled()
		r.cancel(id, false)
		wantState(t, r.finished(id), stampedev1.State_STATE_CANCELLED)
	})
}

func TestMaxRunTime(t *testing.T) {
	inBubble(t, Config{}, func(r *rig) {
		a := r.agent("a").join()
		end := r.finished(r.run(openSpec + "\nlimits: {max_run_time: 2s}"))
		wantState(t, end, stampedev1.State_STATE_SUCCEEDED)
		books(t, end, 100, 40, 60, 0)
		r.offers(end.GetRunId(), 20)
		if len(a.served) != 40 {
			t.Errorf("served %d, want the 40 of two seconds", len(a.served))
		}
	})
}

func TestControllerEndsMidway(t *testing.T) {
	inBubble(t, Config{}, func(r *rig) {
		r.agent("a").join()
		id := r.run(openSpec)
		r.sleep(3 * time.Second)
		t.Cleanup(func() {
			row := r.c.store.Run(nil, id)
			if row.State != stampedev1.State_STATE_CANCELLED || len(row.Report) == 0 {
				t.Errorf("ended %v (%s) with a report of %d bytes", row.State, row.Reason, len(row.Report))
			}
			r.offers(id, 20)
		})
	})
}
