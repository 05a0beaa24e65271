package controller

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/report"
	"github.com/stampede-bench/stampede/schedule"
)

const trialSpec = "trials: 3\nseed: 42\n" + endpoint + `load: {stages: [{rate: 20, arrival: poisson, requests: 100}]}`

func (r *rig) parsed(id string) *report.Report {
	r.t.Helper()
	rep, err := report.Parse([]byte(r.report(id)))
	if err != nil {
		r.t.Fatal(err)
	}
	return rep
}

// states watches a test to its end and returns what it showed, each once.
func (r *rig) states(id string) (states []stampedev1.State, runs []string) {
	r.t.Helper()
	stream, err := r.tests.WatchTest(r.ctx, &stampedev1.WatchTestRequest{TestId: id})
	if err != nil {
		r.t.Fatal(err)
	}
	for {
		resp, err := stream.Recv()
		if err != nil {
			return slices.Compact(states), slices.Compact(runs)
		}
		states, runs = append(states, resp.GetTest().GetState()), append(runs, resp.GetTest().GetRunId())
	}
}

func TestTrialsAreOneTest(t *testing.T) {
	inBubble(t, Config{}, func(r *rig) {
		r.agent("a").join()
		r.agent("b").join()
		id := r.register(trialSpec)
		if first := r.start(id); first != id+".1" {
			t.Errorf("began %s", first)
		}
		_, err := r.tests.StartTest(r.ctx, &stampedev1.StartTestRequest{TestId: id})
		wantCode(t, err, "FailedPrecondition", "already running")
		states, runs := r.states(id)
		if want := []string{id + ".1", id + ".2", id + ".3"}; !slices.Equal(runs, want) {
			t.Errorf("watched runs %v, want %v", runs, want)
		}
		if i := slices.Index(states, stampedev1.State_STATE_RUNNING); i < 0 || slices.Contains(states[i:], stampedev1.State_STATE_PENDING) ||
			slices.Index(states, stampedev1.State_STATE_SUCCEEDED) != len(states)-1 {
			t.Errorf("states %v: want RUNNING until the last trial has ended", states)
		}
		r.trialReports(id)
		r.trialFiles(id)
	})
}

// trialReports checks each trial's report and that of all.
func (r *rig) trialReports(id string) {
	r.t.Helper()
	all := r.parsed(id)
	if all.Trials == nil || all.Trials.N != 3 || !slices.Equal(all.Trials.Runs, []string{id + ".1", id + ".2", id + ".3"}) ||
		all.Accounting.Planned != 300 || all.Accounting.Succeeded != 300 || all.Spec.Trials != 3 || all.Spec.Seed != 42 || all.State != "SUCCEEDED" {
		r.t.Errorf("combined report: trials %+v, accounting %+v, seed %d", all.Trials, all.Accounting, all.Spec.Seed)
	}
	hashes := map[report.Hash]bool{}
	sum := 0.0
	for i, run := range all.Trials.Runs {
		one := r.parsed(run)
		hashes[one.WorkloadHash] = true
		sum += *one.Throughput.RequestThroughput / 3
		if one.ID != run || one.Trials != nil || one.Spec.Seed != schedule.TrialSeed(42, i) || one.Spec.Trials != 1 || one.Accounting.Planned != 100 {
			r.t.Errorf("report of %s: id %s, seed %d, trials %+v", run, one.ID, one.Spec.Seed, one.Trials)
		}
	}
	if len(hashes) != 3 || hashes[""] {
		r.t.Errorf("workload hashes %v: want one a trial", hashes)
	}
	if got := *all.Throughput.RequestThroughput; got < sum*0.999999 || got > sum*1.000001 {
		r.t.Errorf("request_throughput %g, the trials' mean is %g", got, sum)
	}
	if _, there := all.Trials.CI95["throughput.request_throughput"]; !there {
		r.t.Errorf("intervals %v", all.Trials.CI95)
	}
}

// trialFiles checks that each trial has its artefacts, and the test those of all.
func (r *rig) trialFiles(id string) {
	r.t.Helper()
	for _, k := range []string{"", ".1", ".2", ".3"} {
		for kind, ending := range map[string]string{"report": ".json", "workload_hash": ".txt", "requests": ".jsonl"} {
			raw, err := os.ReadFile(r.c.files.artefact(id, kind, id+k, ending))
			if err != nil || len(raw) == 0 {
				r.t.Errorf("%s of %s: %v", kind, id+k, err)
			}
			if kind == "report" && string(raw) != r.report(id+k) {
				r.t.Errorf("GetReport of %s differs from the file", id+k)
			}
		}
	}
	resp, err := r.tests.DeleteTest(r.ctx, &stampedev1.DeleteTestRequest{TestId: id})
	if err != nil || len(resp.GetDeletedFiles()) != 19 {
		r.t.Errorf("deleted %v, %v", resp.GetDeletedFiles(), err)
	}
}

// TestATrialIsRepeatedFromItsReport: its seed is in its spec.
func TestATrialIsRepeatedFromItsReport(t *testing.T) {
	inBubble(t, Config{}, func(r *rig) {
		r.agent("a").join()
		id := r.register(trialSpec)
		r.start(id)
		r.states(id)
		second := r.parsed(id + ".2")
		again := r.finished(r.run(r.report(id + ".2")))
		if got := r.parsed(again.GetRunId()); got.WorkloadHash != second.WorkloadHash || got.WorkloadHash == r.parsed(id+".1").WorkloadHash {
			t.Errorf("workload hash %s, trial 2 had %s", got.WorkloadHash, second.WorkloadHash)
		}
	})
}

func TestCancelEndsAllTrials(t *testing.T) {
	for name, target := range map[string]string{"by test": "", "by run": ".2"} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, Config{}, func(r *rig) {
				r.agent("a").join()
				id := r.register(trialSpec)
				r.start(id)
				for r.get(id).GetRunId() != id+".2" || r.get(id).GetStartTime() == nil {
					r.sleep(100 * time.Millisecond)
				}
				r.sleep(2 * time.Second)
				_, err := r.tests.CancelTest(r.ctx, &stampedev1.CancelTestRequest{TestId: id + target})
				if err != nil {
					t.Fatal(err)
				}
				end := r.finished(id)
				wantState(t, end, stampedev1.State_STATE_CANCELLED)
				r.settled()
				if end.GetRunId() != id+".2" || r.get(id).GetRunId() != id+".2" || !strings.Contains(end.GetReason(), "trial 2 of 3: cancelled") {
					t.Errorf("ended with %s: %s", end.GetRunId(), end.GetReason())
				}
				all := r.parsed(id)
				if all.Trials.N != 2 || all.Trials.Asked != 3 || all.State != "CANCELLED" || all.Accounting.Unsent == 0 || all.Accounting.Succeeded <= 100 {
					t.Errorf("combined report: %+v, %s, %+v", all.Trials, all.State, all.Accounting)
				}
			})
		})
	}
}

// TestACancelBetweenTrialsIsNotLost: it comes when one has ended and was meant for
// what follows.
func TestACancelBetweenTrialsIsNotLost(t *testing.T) {
	inBubble(t, Config{}, func(r *rig) {
		r.agent("a").join()
		id := r.register(trialSpec)
		r.start(id)
		first := r.c.run(id + ".1")
		<-first.parted
		r.cancel(id+".1", false)
		end := r.finished(id)
		wantState(t, end, stampedev1.State_STATE_CANCELLED)
		if end.GetRunId() != id+".2" {
			t.Errorf("ended with %s", end.GetRunId())
		}
	})
}

// TestAFailedTrialEndsTheTest: what stopped it would stop the others.
func TestAFailedTrialEndsTheTest(t *testing.T) {
	inBubble(t, Config{}, func(r *rig) {
		a := r.agent("a").join()
		id := r.register("trials: 3\n" + openSpec)
		r.start(id)
		for r.get(id).GetRunId() != id+".2" {
			r.sleep(100 * time.Millisecond)
		}
		a.mu.Lock()
		a.refuse = "no room"
		a.mu.Unlock()
		end := r.finished(id)
		if end.GetRunId() != id+".2" && end.GetRunId() != id+".3" { // the second may have been prepared already
			t.Fatalf("ended with %s", end.GetRunId())
		}
		wantState(t, end, stampedev1.State_STATE_FAILED)
		all := r.parsed(id)
		if all.State != "FAILED" || !strings.Contains(all.Reason, "could not prepare: no room") || all.Trials.Asked != 3 || all.Trials.N >= 3 {
			t.Errorf("combined report: %+v, %s, %s", all.Trials, all.State, all.Reason)
		}
	})
}
