package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stampede-bench/stampede/measure"
)

// trialOf is trial k of a test, k from 1, whose replies took longer by some.
func trialOf(t *testing.T, k int, slower int64) *Report {
	t.Helper()
	f := makeFixture(fixtureSpec(`
name: chat, steady
endpoint: {type: vllm, url: "http://10.0.0.42:8000/v1", model: mistral}
load: {warmup: {requests: 10}, stages: [{rate: 10, arrival: constant, duration: 20s}]}
slo: {ttft: 300ms, tpot: 12ms}
gates: ["ttft.p99<500ms"]
`), func(i int, s *measure.Sample) {
		if k == 2 && i%20 == 15 {
			breakIt(s, measure.Failed, "refused", "connection refused", 0)
			return
		}
		for _, at := range []*int64{&s.Headers, &s.FirstToken, &s.FirstOutput, &s.LastToken, &s.End} {
			*at += slower
		}
		for j := range s.ChunkOffsets {
			s.ChunkOffsets[j] += slower
		}
	})
	f.in.RunID = fmt.Sprintf("%s.%d", f.in.TestID, k)
	f.in.Notices = []string{"said of all"}
	if k == 2 {
		f.in.JournalProblem = "disk full"
		f.in.Notices = append(f.in.Notices, "said of one")
	}
	return build(t, f)
}

func threeTrials(t *testing.T) []*Report {
	return []*Report{trialOf(t, 1, 0), trialOf(t, 2, 20*ms), trialOf(t, 3, 10*ms)}
}

func combine(t *testing.T, trials []*Report, end TrialsEnd) *Report {
	t.Helper()
	r, err := Combine(trials, end)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestCombine(t *testing.T) {
	trials := threeTrials(t)
	r := combine(t, trials, TrialsEnd{Asked: 3, State: "SUCCEEDED"})
	if r.ID != r.TestID || r.State != "SUCCEEDED" || r.Spec.Trials != 3 || r.WorkloadHash != "" {
		t.Errorf("id %s, state %s, spec.trials %d", r.ID, r.State, r.Spec.Trials)
	}
	if want := []string{r.TestID + ".1", r.TestID + ".2", r.TestID + ".3"}; r.Trials.N != 3 || !slices.Equal(r.Trials.Runs, want) || r.Trials.Interval != "between trials" {
		t.Errorf("trials %+v", r.Trials)
	}
	if a := r.Accounting; a.Planned != 600 || a.Succeeded != 590 || a.Failed != 10 || a.Warmup.Planned != 30 || r.RequestNum != 600 || r.Stages[0].Accounting != a.Accounting {
		t.Errorf("accounting %+v", a)
	}
	for _, get := range []func(*Report) *float64{
		func(r *Report) *float64 { return r.Metrics[measure.TTFT].P50 },
		func(r *Report) *float64 { return r.Stages[0].Metrics[measure.E2E].Mean },
		func(r *Report) *float64 { return r.Throughput.RequestThroughput },
		func(r *Report) *float64 { return r.SLO.Attainment },
		func(r *Report) *float64 { return r.TTFT.P95 },
		func(r *Report) *float64 { return r.Duration },
	} {
		want := (*get(trials[0]) + *get(trials[1]) + *get(trials[2])) / 3
		if got := *get(r); math.Abs(got-want) > 1e-12 {
			t.Errorf("got %g, want the mean %g", got, want)
		}
	}
	// p50 of ttft is apart by 10 ms from trial to trial: half = 4.30 · 10 ms / √3.
	d := r.Metrics[measure.TTFT]
	if ends := d.CI95["p50"]; d.Count != 590 || math.Abs((ends[1]-ends[0])/2-0.0248) > 0.002 {
		t.Errorf("ci95 %v of %d", ends, d.Count)
	}
	if ends := r.Trials.CI95["slo.attainment"]; ends[1] != 1 || ends[0] > *r.SLO.Attainment {
		t.Errorf("attainment %g in %v", *r.SLO.Attainment, ends)
	}
	if len(r.Gates) != 1 || !r.Gates[0].Passed || len(r.Errors) != 1 || r.Errors[0].Count != 10 {
		t.Errorf("gates %+v, errors %+v", r.Gates, r.Errors)
	}
	if *r.Generator.CPUSeconds != 3*7 || *r.Generator.CPUMax != 0.34 {
		t.Errorf("generator %+v", r.Generator.AuditReport)
	}
}

func TestCombinedVerdictIsTheWorst(t *testing.T) {
	r := combine(t, threeTrials(t), TrialsEnd{Asked: 3, State: "SUCCEEDED"})
	if v := r.Verdict; v.State != Degraded || len(v.Reasons) != 1 || !strings.HasPrefix(v.Reasons[0].Message, "trial 2: the journal was not written") {
		t.Errorf("verdict %+v", v)
	}
	if want := []string{"said of all", "trial 2: said of one"}; !slices.Equal(slices.DeleteFunc(slices.Clone(r.Verdict.Notices), func(n string) bool { return !strings.Contains(n, "said") }), want) {
		t.Errorf("notices %q", r.Verdict.Notices)
	}
	trials := threeTrials(t)
	trials[0].Verdict = Verdict{State: Invalid, Reasons: []Reason{{State: Invalid, Message: "late"}}}
	if v := combine(t, trials, TrialsEnd{Asked: 3}).Verdict; v.State != Invalid || v.Reasons[0].Message != "trial 1: late" {
		t.Errorf("verdict %+v", v)
	}
}

func TestCombineOne(t *testing.T) {
	trial := trialOf(t, 1, 0)
	r := combine(t, []*Report{trial}, TrialsEnd{Asked: 3, State: "CANCELLED", Reason: "cancelled by request"})
	if r.Trials.N != 1 || len(r.Trials.CI95) != 0 || r.Metrics[measure.TTFT].CI95 != nil || *r.Metrics[measure.TTFT].P99 != *trial.Metrics[measure.TTFT].P99 {
		t.Errorf("trials %+v, ci95 %v", r.Trials, r.Metrics[measure.TTFT].CI95)
	}
	var b bytes.Buffer
	must(Text(&b, r, TextOptions{}))
	if !strings.Contains(b.String(), "means over 1 of 3 trials") || strings.Contains(b.String(), "95 %") {
		t.Errorf("text\n%s", b.String())
	}
}

func TestCombineRefuses(t *testing.T) {
	other := trialOf(t, 2, 0)
	other.TestID = "another"
	for _, trials := range [][]*Report{nil, {trialOf(t, 1, 0), other}} {
		if _, err := Combine(trials, TrialsEnd{Asked: 2}); err == nil {
			t.Errorf("%d trials: want an error", len(trials))
		}
	}
}

func TestCombinedReportIsReadBack(t *testing.T) {
	r := combine(t, threeTrials(t), TrialsEnd{Asked: 3, State: "SUCCEEDED"})
	raw, err := r.JSON()
	must(err)
	again, err := Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	if again.Trials == nil || again.Trials.N != 3 || again.Definitions["ci95"] == again.Definitions["ttft"] || !strings.Contains(again.Definitions["ci95"].Formula, "between them") {
		t.Errorf("trials %+v, ci95 %+v", again.Trials, again.Definitions["ci95"])
	}
	var keys map[string]json.RawMessage
	must(json.Unmarshal(raw, &keys))
	if single, err := trialOf(t, 1, 0).JSON(); err != nil || bytes.Contains(single, []byte(`"trials": {`)) {
		t.Errorf("a report of one run says nothing of trials: %v", err)
	}
}

func TestTrialsGolden(t *testing.T) {
	r := combine(t, threeTrials(t), TrialsEnd{Asked: 3, State: "SUCCEEDED"})
	var b bytes.Buffer
	must(Text(&b, r, TextOptions{}))
	golden(t, "trials.txt", b.Bytes())
	b.Reset()
	must(Markdown(&b, r))
	golden(t, "trials.md", b.Bytes())
}
