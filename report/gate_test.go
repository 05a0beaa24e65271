package report

import (
	"errors"
	"strings"
	"testing"

	"github.com/stampede-bench/stampede/measure"
	"github.com/stampede-bench/stampede/workload"
	"pgregory.net/rapid"
)

func TestGates(t *testing.T) {
	r := build(t, troubled())
	for _, tt := range []struct {
		expr    string
		passed  bool
		message string
	}{
		{"ttft.p99<500ms", true, "ttft.p99 is 240 ms, as wanted: < 500 ms"},
		{"metrics.ttft.p99<200ms", false, "metrics.ttft.p99 is 240 ms, wanted: < 200 ms"},
		{"ttft.median<=0.3", true, "ttft.median is 211 ms, as wanted: <= 300 ms"},
		{"ttft.avg<1ms", false, "ttft.avg is 210 ms, wanted: < 1 ms"},
		{"lateness.p99.9<10ms", false, "lateness.p99.9 is 25.3 ms, wanted: < 10 ms"},
		{"fail_rate<1%", false, "fail_rate is 5.51 %, wanted: < 1 %"},
		{"slo.attainment>=0.99", false, "slo.attainment is 64.1 %, wanted: >= 99 %"},
		{"slo.per_objective.ttft.attainment>90%", true, ""},
		{"throughput.output_throughput>100", true, ""},
		{"output_throughput>=1e6", false, "output_throughput is 267/s, wanted: >= 1,000,000/s"},
		{"accounting.failed==38", true, "accounting.failed is 38, as wanted: == 38"},
		{"lost<=0", false, "lost is 7, wanted: <= 0"},
		{"stages[1].metrics.lateness.p99<10ms", false, "stages[1].metrics.lateness.p99 is 25.3 ms, wanted: < 10 ms"},
		{"stages[rate 10].ttft.p99<1s", true, ""},
		{`stages["rate 25"].accounting.planned==500`, true, ""},
		{"stages[2].fail_rate<1", true, ""},
		{"output_tokens.mean==20", true, ""},
		{"Throughput>1", true, ""},
		{"TTFT.avg<1", true, ""},
		{"request_num==860", true, ""},
		{"duration<1h", true, ""},
		{"cached_tokens.count>0", true, ""},
		{"ttft_from_schedule.p50<1s", true, ""},
		{"stages[2].ttft_from_schedule.p50<1s", false, "stages[2].ttft_from_schedule.p50 does not exist in this run, so it can't be < 1 s"},
		{"reasoning_tokens.p50>=0", false, "reasoning_tokens.p50 does not exist in this run, so it can't be >= 0"},
		{"ttft.p98<1s", false, `there is no figure "ttft.p98" in a report; did you mean ttft.p99?`},
	} {
		g := EvaluateGates(r, []string{tt.expr})[0]
		if g.Passed != tt.passed || tt.message != "" && g.Message != tt.message {
			t.Errorf("%s: passed %v, %q; want %v, %q", tt.expr, g.Passed, g.Message, tt.passed, tt.message)
		}
	}
}

func TestGateMessageTellsCloseValuesApart(t *testing.T) {
	g, err := workload.ParseGate("ttft.p99<500ms")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := gateMessage(g, 0.5000004, "s"), "ttft.p99 is 500.0004 ms, wanted: < 500 ms"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestCheckGates(t *testing.T) {
	const open = "load: {stages: [{rate: 10, duration: 1s}, {rate: 10, duration: 2s}, {name: busy, rate: 20, duration: 1s}]}\nslo: {ttft: 1s}"
	const closed = "load: {stages: [{concurrency: 4, duration: 1s}]}"
	for _, tt := range []struct{ spec, gate, message, hint string }{
		{open, "ttft.p99<500ms", "", ""},
		{open, "stages[2].throughput.output_throughput>5", "", ""},
		{open, "stages.busy.tpot.p50<50ms", "", ""},
		{open, "stages[busy].slo.attainment>99%", "", ""},
		{open, "stages[2].slo.per_objective.ttft.met>1", "", ""},
		{open, "ttfd.p99<500ms", `there is no figure "ttfd.p99" in a report`, "did you mean ttft.p99?"},
		{open, "ttft<500ms", `"ttft" is not one figure but several`, "did you mean ttft.p99?"},
		{open, "metrics.ttft.p97<500ms", `there is no figure "metrics.ttft.p97" in a report`, "did you mean metrics.ttft.p99?"},
		{open, "accounting.fail<1", `there is no figure "accounting.fail" in a report`, "did you mean accounting.failed?"},
		{open, "zzzzzzzzzzzzzzzzzzzzzz<1", `there is no figure "zzzzzzzzzzzzzzzzzzzzzz" in a report`, "for example ttft.p99"},
		{open, "stages[3].ttft.p99<1s", "there is no stage 3", "there are 3, from 0"},
		{open, "stages[idle].ttft.p99<1s", `there is no stage "idle"`, "the stages are rate 10, rate 10, busy"},
		{open, "stages[rate 10].ttft.p99<1s", `2 stages are called "rate 10"`, "give the number, from 0, as stages[0]"},
		{open, "stages[2].ttft.p98<1s", `there is no figure "stages[2].ttft.p98" in a report`, "did you mean stages[2].ttft.p99?"},
		{open, "slo.per_objective.e2e.met>1", "slo.per_objective.e2e.met will not exist: there is no objective for e2e (--slo)", ""},
		{open, "cpu_wait_seconds<5s", "", ""},
		{open, "generator.cpu_seconds<5s", "", ""},
		{open, "prefix_cache.got>=40%", "", ""},
		{open, "fail_rate<500ms", "fail_rate is no time, got the limit 500ms", "give a plain number"},
		{open, "ttft.p99<5%", "ttft.p99 is no share, got the limit 5%", "give a time, such as 500ms"},
		{open, "spec.seed==1", `there is no figure "spec.seed" in a report`, ""},
		{open, "gates.passed==1", `there is no figure "gates.passed" in a report`, ""},
		{closed, "slo.attainment>0.5", "slo.attainment will not exist: no objectives are given (--slo)", ""},
		{closed, "offered_rate>0.5", "offered_rate will not exist: a closed loop has no schedule", ""},
		{"load: {stages: [{rate: inf, requests: 5}]}", "offered_rate>5", "offered_rate will not exist: neither a closed loop nor a rate of inf offers one", ""},
		{"load: {stages: [{rate: 5, duration: 1s}, {concurrency: 4, duration: 1s}]}", "offered_rate>5", "offered_rate will not exist: neither a closed loop nor a rate of inf offers one", ""},
		{"load: {stages: [{rate: 5, duration: 1s}, {concurrency: 4, duration: 1s}]}", "stages[0].offered_rate>4", "", ""},
		{closed, "stages[0].ttft_from_schedule.p99<1s", "stages[0].ttft_from_schedule.p99 will not exist: a closed loop has no schedule", ""},
		{"endpoint: {url: 'http://h/v1', stream: false}\n" + closed, "ttft.p99<1s", "ttft.p99 will not exist: replies are not streamed", ""},
		{"endpoint: {url: 'http://h/v1', stream: false}\n" + closed, "e2e.p99<1s", "", ""},
	} {
		text := tt.spec
		if !strings.Contains(text, "endpoint:") {
			text = "endpoint: {url: 'http://h/v1', model: m}\n" + text
		}
		spec := fixtureSpec(text)
		spec.Gates = []string{"fail_rate<1%", tt.gate}
		err := CheckGates(spec)
		if tt.message == "" {
			if err != nil {
				t.Errorf("%s: %v", tt.gate, err)
			}
			continue
		}
		var errs workload.Errors
		if !errors.As(err, &errs) || len(errs) != 1 || errs[0].Path != "gates[1]" || errs[0].Message != tt.message || !strings.HasPrefix(errs[0].Hint, tt.hint) {
			t.Errorf("%s: %#v, want gates[1]: %q, hint %q", tt.gate, err, tt.message, tt.hint)
		}
	}
}

// TestEveryKnownPathIsFound: what hints offer can be asked for.
func TestEveryKnownPathIsFound(t *testing.T) {
	s := specimen([]string{"a"})
	for _, prefix := range []string{"", "stages[0].", "stages.a."} {
		for _, p := range s.short(prefix != "") {
			found, err := s.find(prefix + p)
			if err != nil {
				t.Errorf("%s%s: %v", prefix, p, err)
				continue
			}
			if found.unit == "" {
				t.Errorf("%s%s has no unit", prefix, p)
			}
		}
	}
	if n := len(s.short(false)); n < 300 {
		t.Errorf("only %d figures are known", n)
	}
}

// TestGatesNeverPanic and are missed rather than held when nothing is known.
func TestGatesNeverPanic(t *testing.T) {
	r := build(t, steady())
	steps := []string{"ttft", "p99", "metrics", "stages", "stages[0]", "stages[7]", `stages["x"]`, "slo", "per_objective", "agents[0]", "labels", "gpu", "spec", "series", "sent[1]", "definitions"}
	rapid.Check(t, func(rt *rapid.T) {
		path := strings.Join(rapid.SliceOfN(rapid.SampledFrom(steps), 1, 5).Draw(rt, "path"), ".")
		g := EvaluateGates(r, []string{path + "<1"})[0]
		if g.Message == "" || g.Passed && g.Value == nil {
			rt.Fatalf("%s: %+v", path, g)
		}
	})
}

func FuzzGate(f *testing.F) {
	for _, s := range []string{"ttft.p99<500ms", "stages[rate 10].fail_rate<1%", `stages["a[]"].slo.attainment>=0.99`, "a..b<1", "x[<1"} {
		f.Add(s)
	}
	r := &Report{Metrics: Metrics{measure.TTFT: nil}}
	f.Fuzz(func(t *testing.T, s string) {
		if g := EvaluateGates(r, []string{s})[0]; g.Passed && g.Value == nil || g.Message == "" {
			t.Fatalf("%q: %+v", s, g)
		}
	})
}
