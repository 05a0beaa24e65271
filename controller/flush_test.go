package controller

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
)

// Three stages of 20 requests, of which the second does not wait for the first.
const flushSpec = endpoint + `
flush_cache: true
load:
  stages:
    - {name: one, concurrency: 2, requests: 20}
    - {name: two, concurrency: 2, requests: 20, drain: full}
    - {name: three, concurrency: 2, requests: 20}
`

func (r *rig) notices(id string) []string {
	r.t.Helper()
	resp, err := r.tests.GetReport(r.ctx, &stampedev1.GetReportRequest{TestId: id})
	if err != nil {
		r.t.Fatal(err)
	}
	var rep struct {
		Verdict struct{ Notices []string }
	}
	if err := json.Unmarshal(resp.GetReportJson(), &rep); err != nil {
		r.t.Fatal(err)
	}
	return rep.Verdict.Notices
}

func TestFlushBetweenDrainedStages(t *testing.T) {
	inBubble(t, Config{}, func(r *rig) {
		a, b := r.agent("a"), r.agent("b")
		a.join()
		b.join()
		end := r.finished(r.run(strings.Replace(flushSpec, "flush_cache: true", "flush_cache: true\nagents: 2", 1)))
		wantState(t, end, stampedev1.State_STATE_SUCCEEDED)
		books(t, end, 60, 60, 0, 0)
		// Once before the load and once after the drained stage, by one agent.
		if len(a.flushes) != 2 || len(b.flushes) != 0 {
			t.Fatalf("a flushed %d times and b %d times, want 2 and 0", len(a.flushes), len(b.flushes))
		}
		begun := a.begun[end.GetRunId()]
		if len(begun) != 3 {
			t.Fatalf("%d phases begun, want 3", len(begun))
		}
		starts := begun[2].GetAnchorTime().AsTime().Add(time.Duration(begun[2].GetBaseNanos()))
		if !a.flushes[1].Before(starts) {
			t.Errorf("the flush at %v came after the stage's begin at %v", a.flushes[1], starts)
		}
		notices := strings.Join(r.notices(end.GetRunId()), "\n")
		if !strings.Contains(notices, `not emptied before "two"`) || strings.Contains(notices, `"three"`) {
			t.Errorf("notices %s", notices)
		}
	})
}

func TestFlushIsNotAskedForByDefault(t *testing.T) {
	inBubble(t, Config{}, func(r *rig) {
		a := r.agent("a")
		a.join()
		wantState(t, r.finished(r.run(strings.Replace(flushSpec, "flush_cache: true", "", 1))), stampedev1.State_STATE_SUCCEEDED)
		if len(a.flushes) != 0 {
			t.Errorf("flushed %d times", len(a.flushes))
		}
	})
}

// A server without such a route, or one that hangs, costs a remark, not the run.
func TestFlushThatFails(t *testing.T) {
	for name, tt := range map[string]struct {
		break_ func(*fake)
		want   string
	}{
		"no route":  {func(f *fake) { f.noFlush = "http_404" }, "flush_cache: http_404"},
		"no answer": {func(f *fake) { f.mute = true }, "did not empty its prefix cache within 30s"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, Config{}, func(r *rig) {
				a := r.agent("a")
				tt.break_(a)
				a.join()
				end := r.finished(r.run(flushSpec))
				wantState(t, end, stampedev1.State_STATE_SUCCEEDED)
				books(t, end, 60, 60, 0, 0)
				notices := strings.Join(r.notices(end.GetRunId()), "\n")
				if strings.Count(notices, tt.want) != 1 {
					t.Errorf("want %q once among the notices:\n%s", tt.want, notices)
				}
			})
		})
	}
}

func TestCancelDuringFlush(t *testing.T) {
	inBubble(t, Config{}, func(r *rig) {
		a := r.agent("a")
		a.mute = true
		a.join()
		id := r.run(flushSpec)
		r.sleep(5 * time.Second)
		if _, err := r.tests.CancelTest(r.ctx, &stampedev1.CancelTestRequest{TestId: id}); err != nil {
			t.Fatal(err)
		}
		wantState(t, r.finished(id), stampedev1.State_STATE_CANCELLED)
	})
}

// What was measured, or the usual factor when it could not be, stands in the
// effective spec, so that a rerun does not measure again.
func TestCalibrationIsKept(t *testing.T) {
	for name, tt := range map[string]struct {
		measured, want float64
		dataset        string
	}{
		"measured":     {1.37, 1.37, "{calibrate: true}"},
		"not measured": {0, 1, "{calibrate: true}"},
		"known before": {1.37, 2.5, "{calibrate: true, tokens_per_word: 2.5}"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, Config{}, func(r *rig) {
				a := r.agent("a")
				a.probe = &stampedev1.ProbeResult{Model: "m", TokensPerWord: tt.measured}
				a.join()
				end := r.finished(r.run(openSpec + "\ndataset: " + tt.dataset))
				wantState(t, end, stampedev1.State_STATE_SUCCEEDED)
				resp, err := r.tests.GetReport(r.ctx, &stampedev1.GetReportRequest{TestId: end.GetRunId()})
				if err != nil {
					t.Fatal(err)
				}
				var rep struct {
					Spec struct {
						Dataset struct {
							TokensPerWord float64 `json:"tokens_per_word"`
						}
					}
				}
				if err := json.Unmarshal(resp.GetReportJson(), &rep); err != nil {
					t.Fatal(err)
				}
				if got := rep.Spec.Dataset.TokensPerWord; got != tt.want {
					t.Errorf("tokens_per_word %v, want %v", got, tt.want)
				}
			})
		})
	}
}
