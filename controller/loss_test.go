package controller

import (
	"testing"
	"time"

	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
)

// account checks, to the unit, that every planned entry has one outcome, that
// none was sent twice, and that what was served by agents that could report it
// has its row; and returns how many are lost.
func (r *rig) account(end *stampedev1.Test, planned int64, reporting []*fake, gone ...*fake) (lost int64) {
	r.t.Helper()
	p := end.GetProgress()
	if planned > 0 && p.GetPlannedCount() != planned {
		r.t.Errorf("planned %d, want %d", p.GetPlannedCount(), planned)
	}
	if sum := p.GetSucceededCount() + p.GetFailedCount() + p.GetCancelledCount() + p.GetLostCount(); sum != p.GetPlannedCount() {
		r.t.Errorf("the outcomes add up to %d, planned are %d: %v", sum, p.GetPlannedCount(), p)
	}
	rows := r.samples(end.GetRunId())
	served := map[int64]int{}
	for _, a := range append(gone, reporting...) {
		a.mu.Lock()
		for i, n := range a.served {
			served[i] += n
		}
		a.mu.Unlock()
	}
	for i, n := range served {
		if n != 1 {
			r.t.Errorf("entry %d was sent %d times", i, n)
		}
	}
	for _, a := range reporting {
		for i := range a.served {
			if rows[i].GetOutcome() != stampedev1.Outcome_OUTCOME_SUCCEEDED {
				r.t.Errorf("entry %d was served by %s, its row says %v", i, a.name, rows[i].GetOutcome())
			}
		}
	}
	lostRows := int64(0)
	for _, s := range rows {
		if s.GetOutcome() == stampedev1.Outcome_OUTCOME_LOST {
			lostRows++
		}
	}
	if lostRows != p.GetLostCount() {
		r.t.Errorf("%d rows of lost entries, counted are %d", lostRows, p.GetLostCount())
	}
	return p.GetLostCount()
}

const longOpen = endpoint + `load: {stages: [{rate: 30, arrival: constant, duration: 40s}]}`

func TestAgentKilledInOpenLoop(t *testing.T) {
	inBubble(t, Config{}, func(r *rig) {
		a, b, c := r.agent("a").join(), r.agent("b").join(), r.agent("c").join()
		id := r.run(longOpen)
		r.sleep(6 * time.Second)
		b.kill()
		end := r.finished(id)
		wantState(t, end, stampedev1.State_STATE_SUCCEEDED)
		lost := r.account(end, 1200, []*fake{a, c}, b)
		// What it may have sent in a lease and a heartbeat, and what came due
		// until others could take over, of its ten a second.
		if lost < 90 || lost > 150 {
			t.Errorf("%d entries lost", lost)
		}
		if len(a.shards)+len(c.shards) != 0 && len(a.served)+len(c.served) < 1000 {
			t.Errorf("survivors served %d and %d", len(a.served), len(c.served))
		}
		if took := end.GetEndTime().AsTime().Sub(end.GetStartTime().AsTime()); took > 60*time.Second {
			t.Errorf("the run took %v", took)
		}
	})
}

func TestAgentKilledInClosedLoop(t *testing.T) {
	for _, tc := range []struct {
		name, stage string
		planned     int64
	}{
		{"by count", "{concurrency: 6, requests: 3000}", 3000},
		{"by time", "{concurrency: 6, duration: 40s}", 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inBubble(t, Config{}, func(r *rig) {
				a, b, c := r.agent("a").join(), r.agent("b").join(), r.agent("c").join()
				id := r.run(endpoint + "load: {stages: [" + tc.stage + "]}")
				r.sleep(6 * time.Second)
				b.kill()
				end := r.finished(id)
				wantState(t, end, stampedev1.State_STATE_SUCCEEDED)
				lost := r.account(end, tc.planned, []*fake{a, c}, b)
				if lost > 300 {
					t.Errorf("%d entries lost, more than a window", lost)
				}
				// The slots of the dead one moved: its sessions go on.
				if first := int64(1); a.served[first]+c.served[first] != 0 {
					t.Error("slot 1 was not b's")
				}
				moved := 0
				for _, f := range []*fake{a, c} {
					for i := range f.served {
						if i%6%3 == 1 {
							moved++
						}
					}
				}
				if moved == 0 {
					t.Error("nobody took the dead agent's slots")
				}
			})
		})
	}
}

// TestAgentKilledInALoopThatTimeEnds: what it had told that it had drawn, and whose
// outcome died with it, has rows and counts as lost.
func TestAgentKilledInALoopThatTimeEnds(t *testing.T) {
	inBubble(t, Config{RejoinGrace: time.Second}, func(r *rig) {
		agents := []*fake{r.agent("a").join(), r.agent("b").join()}
		agents[1].latency = 3 * time.Second
		id := r.run(endpoint + "load: {stages: [{concurrency: 40, duration: 30s}]}")
		r.sleep(2*time.Second + 200*time.Millisecond) // the first round of b is in flight
		agents[1].heartbeat()
		r.settled()
		agents[1].kill()
		end := r.finished(id)
		rows := r.samples(id)
		for index := range agents[1].served {
			if rows[index].GetOutcome() != stampedev1.Outcome_OUTCOME_LOST {
				t.Errorf("entry %d was sent by the agent that died: %v, want it lost", index, rows[index].GetOutcome())
			}
		}
		p := end.GetProgress()
		if len(agents[1].served) != 20 || p.GetLostCount() != 20 || p.GetPlannedCount() != p.GetSucceededCount()+20 {
			t.Errorf("%d sent by the agent that died; %v", len(agents[1].served), p)
		}
	})
}

func TestCutShorterThanTheLease(t *testing.T) {
	for _, stage := range []string{"{rate: 30, arrival: constant, duration: 20s}", "{concurrency: 6, requests: 2000}", "{concurrency: 6, duration: 20s}"} {
		t.Run(stage, func(t *testing.T) {
			inBubble(t, Config{}, func(r *rig) {
				a, b := r.agent("a").join(), r.agent("b").join()
				id := r.run(endpoint + "load: {stages: [" + stage + "]}")
				r.sleep(5 * time.Second)
				b.cut()
				r.sleep(6 * time.Second)
				if err := b.connect(); err != nil {
					t.Fatal(err)
				}
				if !b.welcome.GetResumed() {
					t.Error("the session was not resumed")
				}
				end := r.finished(id)
				wantState(t, end, stampedev1.State_STATE_SUCCEEDED)
				if lost := r.account(end, 0, []*fake{a, b}); lost != 0 {
					t.Errorf("%d entries lost", lost)
				}
			})
		})
	}
}

func TestCutLongerThanTheLease(t *testing.T) {
	for _, stage := range []string{"{rate: 30, arrival: constant, duration: 40s}", "{concurrency: 6, requests: 3000}", "{concurrency: 6, duration: 40s}"} {
		t.Run(stage, func(t *testing.T) {
			inBubble(t, Config{}, func(r *rig) {
				a, b := r.agent("a").join(), r.agent("b").join()
				id := r.run(endpoint + "load: {stages: [" + stage + "]}")
				r.sleep(5 * time.Second)
				b.cut()
				r.sleep(14 * time.Second)
				if err := b.connect(); err != nil {
					t.Fatal(err)
				}
				if !b.welcome.GetResumed() {
					t.Error("the session was not resumed")
				}
				end := r.finished(id)
				wantState(t, end, stampedev1.State_STATE_SUCCEEDED)
				lost := r.account(end, 0, []*fake{a, b}) // all that b served has its row
				if lost > 300 {
					t.Errorf("%d entries lost", lost)
				}
			})
		})
	}
}

func TestSilentAgentIsToldThatItsLeaseIsOver(t *testing.T) {
	inBubble(t, Config{}, func(r *rig) {
		f := r.agent("a").join()
		f.mu.Lock()
		f.silent = true
		f.mu.Unlock()
		r.sleep(9 * time.Second)
		if n := len(r.agents()); n != 1 {
			t.Errorf("%d agents before the lease was over", n)
		}
		r.sleep(2 * time.Second)
		f.mu.Lock()
		defer f.mu.Unlock()
		wantCode(t, f.ended, "FailedPrecondition", "no heartbeat for 10s")
		if n := len(r.agents()); n != 0 {
			t.Errorf("%d agents after the lease was over", n)
		}
	})
}

func (r *rig) agents() []*stampedev1.Agent {
	r.t.Helper()
	resp, err := r.tests.ListAgents(r.ctx, &stampedev1.ListAgentsRequest{})
	if err != nil {
		r.t.Fatal(err)
	}
	return resp.GetAgents()
}

func TestAllAgentsDie(t *testing.T) {
	inBubble(t, Config{}, func(r *rig) {
		a, b := r.agent("a").join(), r.agent("b").join()
		id := r.run(longOpen)
		r.sleep(6 * time.Second)
		a.kill()
		b.kill()
		before := time.Now()
		end := r.finished(id)
		wantState(t, end, stampedev1.State_STATE_SUCCEEDED) // what ran is reported
		if lost := r.account(end, 1200, nil, a, b); lost < 1000 {
			t.Errorf("%d entries lost", lost)
		}
		if took := time.Since(before); took < 24*time.Second || took > 28*time.Second {
			t.Errorf("the run ended %v after its agents, want a lease and the grace", took)
		}
	})
}

func TestTheLastAgentComesBack(t *testing.T) {
	inBubble(t, Config{}, func(r *rig) {
		a := r.agent("a").join()
		id := r.run(longOpen)
		r.sleep(6 * time.Second)
		a.cut()
		r.sleep(15 * time.Second)
		if got := r.get(id); got.GetState() != stampedev1.State_STATE_RUNNING {
			t.Fatalf("%v: %s", got.GetState(), got.GetReason())
		}
		if err := a.connect(); err != nil {
			t.Fatal(err)
		}
		end := r.finished(id)
		wantState(t, end, stampedev1.State_STATE_SUCCEEDED)
		if lost := r.account(end, 1200, []*fake{a}); lost == 0 || lost > 300 {
			t.Errorf("%d entries lost", lost)
		}
	})
}

func TestBatchesThatComeTwiceCountOnce(t *testing.T) {
	inBubble(t, Config{}, func(r *rig) {
		a := r.agent("a")
		a.resend = true
		a.join()
		end := r.finished(r.run(openSpec))
		wantState(t, end, stampedev1.State_STATE_SUCCEEDED)
		books(t, end, 100, 100, 0, 0)
		r.once(end.GetRunId(), 100, a)
	})
}

func TestLateSamplesAreAcknowledgedAndCounted(t *testing.T) {
	inBubble(t, Config{}, func(r *rig) {
		a, b := r.agent("a").join(), r.agent("b").join()
		id := r.run(openSpec)
		r.sleep(3 * time.Second)
		b.cut()
		end := r.finished(id)
		before := r.report(id)
		if lost := r.account(end, 100, []*fake{a}, b); lost == 0 {
			t.Error("nothing was lost")
		}
		if err := b.connect(); err != nil {
			t.Fatal(err)
		}
		r.sleep(2 * time.Second)
		if row := r.c.store.Run(nil, id); row.LateSamples == 0 {
			t.Error("no late samples were counted")
		}
		if r.report(id) != before {
			t.Error("the report changed")
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		if len(b.forgot) == 0 || len(b.shards) != 0 {
			t.Errorf("b still has %d shards, forgot %v", len(b.shards), b.forgot)
		}
	})
}

func TestAgentThatLeavesGivesItsWorkBack(t *testing.T) {
	for _, tc := range []struct {
		stage string
		lost  int64
	}{
		{"{rate: 30, arrival: constant, duration: 30s}", 15 * 3},
		{"{concurrency: 6, requests: 2000}", 0},
	} {
		t.Run(tc.stage, func(t *testing.T) {
			inBubble(t, Config{}, func(r *rig) {
				a, b := r.agent("a").join(), r.agent("b").join()
				id := r.run(endpoint + "load: {stages: [" + tc.stage + "]}")
				r.sleep(6 * time.Second)
				b.leave()
				end := r.finished(id)
				wantState(t, end, stampedev1.State_STATE_SUCCEEDED)
				if lost := r.account(end, 0, []*fake{a, b}); lost > tc.lost {
					t.Errorf("%d entries lost", lost)
				}
			})
		})
	}
}
