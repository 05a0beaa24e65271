package report

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/stampede-bench/stampede/measure"
)

// compared is a report as it is read back from a file.
func compared(t testing.TB, file string, r *Report) ComparedRun {
	t.Helper()
	data, err := r.JSON()
	if err != nil {
		t.Fatal(err)
	}
	run, err := ReadCompared(file, data)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

// faster is steady with a TTFT 40 ms lower, a TPOT that hardly moved, and
// intervals on both.
func faster(t testing.TB) (before, after *Report) {
	before = build(t, steady())
	f := makeFixture(fixtureSpec(`
name: chat, faster
endpoint: {type: vllm, url: "http://10.0.0.42:8000/v1", model: mistralai/Mistral-7B-Instruct-v0.1}
load:
  warmup: {requests: 10}
  stages: [{rate: 10, arrival: constant, duration: 20s}]
slo: {ttft: 300ms, tpot: 12ms}
`), func(i int, s *measure.Sample) {
		for _, at := range []*int64{&s.FirstToken, &s.FirstOutput, &s.LastToken, &s.End} {
			*at -= 40 * ms
		}
		for j := range s.ChunkOffsets {
			s.ChunkOffsets[j] -= 40 * ms
		}
		if i == 50 {
			breakIt(s, measure.Failed, "http_status", "503", 503)
		}
	})
	after = build(t, f)
	for _, r := range []*Report{before, after} {
		for figure, by := range map[measure.Figure]float64{measure.TTFT: 0.008, measure.TPOT: 0.0002, measure.E2E: 0.0001} {
			d := *r.Metrics[figure]
			d.CI95 = map[string][2]float64{"mean": {*d.Mean - by, *d.Mean + by}, "p50": {*d.P50 - by, *d.P50 + by}, "p99": {*d.P99 - by, *d.P99 + by}}
			r.Metrics[figure] = &d
		}
	}
	return before, after
}

const vllmResult = `{"date":"20261123-190000","endpoint_type":"openai-chat","backend":"openai-chat","label":null,
"model_id":"mistralai/Mistral-7B-Instruct-v0.1","tokenizer_id":"x","num_prompts":200,"request_rate":10.0,"burstiness":1.0,
"max_concurrency":null,"duration":20.1,"completed":198,"failed":2,"total_input_tokens":51678,"total_output_tokens":3960,
"request_throughput":9.85,"request_goodput":null,"output_throughput":197.0,"total_token_throughput":2768.0,
"mean_ttft_ms":215.2,"median_ttft_ms":213.7,"std_ttft_ms":20.1,"p99_ttft_ms":262.9,
"mean_tpot_ms":9.5,"median_tpot_ms":9.5,"std_tpot_ms":0.1,"p99_tpot_ms":9.8,
"mean_itl_ms":10.0,"median_itl_ms":10.0,"std_itl_ms":0.6,"p99_itl_ms":11.2}`

func comparison(t testing.TB, runs ...ComparedRun) *Comparison {
	t.Helper()
	c, err := Compare(runs)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCompareGolden(t *testing.T) {
	a, b := faster(t)
	two := comparison(t, compared(t, "results/report_a.json", a), compared(t, "results/report_b.json", b))
	v, err := ReadCompared("vllm.json", []byte(vllmResult))
	if err != nil {
		t.Fatal(err)
	}
	four := comparison(t, compared(t, "a.json", a), compared(t, "b.json", b), v, compared(t, "bad.json", build(t, troubled())))
	staged := build(t, troubled())
	stages := comparison(t, compared(t, "one.json", staged), compared(t, "two.json", staged))
	for _, tt := range []struct {
		name string
		c    *Comparison
		o    TextOptions
	}{
		{"compare.txt", two, TextOptions{}},
		{"compare_color.txt", two, TextOptions{Color: true}},
		{"compare_70.txt", two, TextOptions{Width: 70}},
		{"compare_four.txt", four, TextOptions{}},
		{"compare_stages.txt", stages, TextOptions{Width: 120}},
	} {
		var out bytes.Buffer
		if err := CompareText(&out, tt.c, tt.o); err != nil {
			t.Fatal(err)
		}
		golden(t, tt.name, out.Bytes())
		limit := max(tt.o.Width, 60)
		if tt.o.Width == 0 {
			limit = 100
		}
		for _, line := range strings.Split(stripANSI(out.String()), "\n") {
			if width(line) > limit {
				t.Errorf("%s: a line of %d columns, want at most %d: %q", tt.name, width(line), limit, line)
			}
		}
	}
	var out bytes.Buffer
	if err := CompareMarkdown(&out, four); err != nil {
		t.Fatal(err)
	}
	golden(t, "compare.md", out.Bytes())
}

func TestCompareJudges(t *testing.T) {
	a, b := faster(t)
	c := comparison(t, compared(t, "a", a), compared(t, "b", b))
	figures := map[string]ComparedValue{}
	for _, f := range c.Sections[0].Figures {
		figures[f.Figure] = f.Values[1]
	}
	for path, want := range map[string]ComparedValue{
		"ttft.p50":          {Judgement: better, Intervals: apart},
		"tpot.p50":          {Judgement: same, Intervals: overlap},
		"e2e.p99":           {Judgement: better, Intervals: apart},
		"fail_rate":         {Judgement: worse},
		"slo.attainment":    {Judgement: worse},
		"ttft.p90":          {Judgement: better},
		"input_tokens.mean": {},
	} {
		if got := figures[path]; got.Judgement != want.Judgement || got.Intervals != want.Intervals {
			t.Errorf("%s: %q, intervals %q; want %q, %q", path, got.Judgement, got.Intervals, want.Judgement, want.Intervals)
		}
	}
	for _, r := range []*Report{a, b} {
		r.Metrics[measure.ICL] = r.Metrics[measure.ITL]
	}
	for _, f := range comparison(t, compared(t, "a", a), compared(t, "b", b)).Sections[0].Figures {
		if f.Figure == "icl.p50" {
			t.Error("icl is shown though it says what itl does")
		}
	}
}

func TestCompareWarnings(t *testing.T) {
	good := build(t, steady())
	other := *good
	other.WorkloadHash = "feed"
	spec := fixtureSpec("endpoint: {url: 'http://h/v1', model: n}\nload: {stages: [{rate: 20, duration: 20s}]}\ngates: [fail_rate<1]")
	respec := *good
	respec.Spec, respec.Model = spec, "n"
	closed := *good
	closed.Spec = fixtureSpec("endpoint: {url: 'http://h/v1', model: n}\nload: {stages: [{concurrency: 2, duration: 20s}]}")
	fewer := closed
	fewer.WorkloadHash = "feed"
	cancelled := *good
	cancelled.State = "CANCELLED"
	for _, tt := range []struct {
		name string
		a, b *Report
		want []string
	}{
		{"the same", good, good, nil},
		{"other requests", good, &other, []string{"A and B did not send the same requests (workload_hash 5e884898 and feed)"}},
		{"other model and spec", good, &respec, []string{"the models differ: mistralai/Mistral-7B-Instruct-v0.1 in A, n in B", "the specs of A and B differ: endpoint.type vllm → openai, endpoint.url http://10.0.0.42:8000/v1 → http://h/v1, "}},
		{"a closed loop draws as it goes", &closed, &fewer, []string{"A and B sent the same sequence of requests, but not as many"}},
		{"cancelled", good, &cancelled, []string{"B was cancelled"}},
		{"not to be trusted", build(t, troubled()), build(t, troubled()), []string{"A is invalid: stage", "B is invalid: stage"}},
		{"other stages", good, build(t, troubled()), []string{"B is invalid", "the models differ", "the specs of A and B differ", "A and B have other stages"}},
	} {
		got := comparison(t, compared(t, "a", tt.a), compared(t, "b", tt.b)).Warnings
		if len(got) != len(tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
			continue
		}
		for i := range got {
			if !strings.HasPrefix(got[i], tt.want[i]) {
				t.Errorf("%s: %q, want %q", tt.name, got[i], tt.want[i])
			}
		}
	}
}

func TestReadComparedRefusesForeignFiles(t *testing.T) {
	f := steady()
	for _, tt := range []struct{ data, want string }{
		{"", "x.json: not a report: "},
		{"[1]", "x.json: not a report: "},
		{"{}", "x.json: only a report_ID.json of Stampede"},
		{`{"aiperf_version":"1"}`, "x.json: this is a profile of AIPerf"},
		{`{"metadata":{},"benchmarks":[]}`, "x.json: this is a result of GuideLLM"},
		{`{"load_summary":{},"successes":{}}`, "x.json: this is a result of inference-perf"},
		{`{"stampede_version":"v1","verdict":{}}`, "x.json: not a Stampede report"},
		{string(rows(f, build(t, f))), "x.json: holds rows, not a report"},
	} {
		if _, err := ReadCompared("x.json", []byte(tt.data)); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%.40q: %v, want %q", tt.data, err, tt.want)
		}
	}
	a, _ := faster(t)
	if _, err := Compare([]ComparedRun{compared(t, "a", a)}); err == nil {
		t.Error("one run was compared")
	}
}

func TestComparisonIsJSON(t *testing.T) {
	a, b := faster(t)
	data, err := json.Marshal(comparison(t, compared(t, "a", a), compared(t, "b", b)))
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{`"figure":"ttft.p99"`, `"better":"lower"`, `"intervals":"apart"`, `"judgement":"better"`, `"verdict":"valid"`, `"warnings":[`} {
		if !bytes.Contains(data, []byte(key)) {
			t.Errorf("no %s in %s", key, data)
		}
	}
}

// TestJudgementIsAntisymmetric: if B is better than A, A is worse than B.
func TestJudgementIsAntisymmetric(t *testing.T) {
	opposite := map[string]string{better: worse, worse: better, same: same, unclear: unclear, "": ""}
	rapid.Check(t, func(rt *rapid.T) {
		draw := func(name string) figureValue {
			v := rapid.Float64Range(0.5, 2).Draw(rt, name)
			f := figureValue{value: &v}
			if rapid.Bool().Draw(rt, name+" has an interval") {
				half := rapid.Float64Range(0, 0.5).Draw(rt, name+" half")
				f.ci = &[2]float64{v - half, v + half}
			}
			return f
		}
		a, b := draw("a"), draw("b")
		direction := rapid.SampledFrom([]string{lower, higher, ""}).Draw(rt, "direction")
		ab, ba := ComparedValue{Value: b.value, CI95: b.ci}, ComparedValue{Value: a.value, CI95: a.ci}
		ab.against(a, direction)
		ba.against(b, direction)
		near := ab.Judgement == same || ba.Judgement == same // relative to the other's value
		if ab.Intervals != ba.Intervals || !near && ab.Judgement != opposite[ba.Judgement] {
			rt.Fatalf("%+v, %+v", ab, ba)
		}
	})
}

func FuzzReadCompared(f *testing.F) {
	f.Add([]byte(vllmResult))
	f.Add([]byte(`{"stampede_version":"v","verdict":{},"id":"x","stages":[{}],"metrics":{"ttft":null}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		run, err := ReadCompared("x", data)
		if err != nil {
			return
		}
		c, err := Compare([]ComparedRun{run, run})
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := CompareText(&b, c, TextOptions{}); err != nil {
			t.Fatal(err)
		}
	})
}

// TestCompareTrials: figures that are no distribution have intervals between trials,
// too, and the words say which kind of interval they are.
func TestCompareTrials(t *testing.T) {
	a := compared(t, "a", combine(t, threeTrials(t), TrialsEnd{Asked: 3, State: "SUCCEEDED"}))
	slow := []*Report{trialOf(t, 1, 90*ms), trialOf(t, 3, 91*ms), trialOf(t, 4, 92*ms)}
	b := compared(t, "b", combine(t, slow, TrialsEnd{Asked: 3, State: "SUCCEEDED"}))
	c := comparison(t, a, b)
	for _, path := range []string{"request_throughput", "slo.attainment", "slo.goodput_rps", "ttft.p50"} {
		i := slices.IndexFunc(c.Sections[0].Figures, func(f ComparedFigure) bool { return f.Figure == path })
		if v := c.Sections[0].Figures[i].Values; v[0].CI95 == nil || v[1].CI95 == nil || v[1].Intervals == "" {
			t.Errorf("%s has no interval: %+v", path, v)
		}
	}
	if len(c.Warnings) != 1 || !strings.HasPrefix(c.Warnings[0], "A is degraded") { // of the same requests
		t.Errorf("warnings %q", c.Warnings)
	}
	other := trialOf(t, 3, 10*ms)
	other.WorkloadHash = "feed"
	d := compared(t, "d", combine(t, append(threeTrials(t)[:2], other), TrialsEnd{Asked: 3, State: "SUCCEEDED"}))
	if w := comparison(t, a, d).Warnings; !slices.ContainsFunc(w, func(w string) bool {
		return w == "A and B did not send the same requests (workload_hash 5e884898 and feed)"
	}) {
		t.Errorf("warnings %q", w)
	}
	single := compared(t, "c", trialOf(t, 1, 0))
	for _, tt := range []struct {
		b    ComparedRun
		want string
	}{{b, "Intervals are ci95 between trials.\n"}, {single, "Intervals are ci95 between trials in A, within one run in B,"}} {
		var out bytes.Buffer
		must(CompareText(&out, comparison(t, a, tt.b), TextOptions{Width: 200}))
		if !strings.Contains(out.String(), tt.want) {
			t.Errorf("no %q in\n%s", tt.want, out.String())
		}
	}
}

func TestSmallSharesAreSeenToDiffer(t *testing.T) {
	value := func(v float64) ComparedValue { return ComparedValue{Value: &v} }
	for _, tt := range []struct {
		a, b        float64
		want, other string
		change      string
	}{
		{0, 0.0002, "0.00", "0.02", "+0.020 pp"},
		{0.0003, 0.0002, "0.03", "0.02", "−0.010 pp"},
		{0.012, 0.034, "1.2", "3.4", "+2.2 pp"},
		{0.5, 0.5, "50.0", "50.0", "0 pp"},
		{0, 0, "0.0", "0.0", "0 pp"},
		{0.9997, 0.9999, "99.97", "99.99", "+0.020 pp"},
		{1, 0.98, "100.0", "98.0", "−2.0 pp"},
		{1, 1, "100", "100", "0 pp"},
	} {
		f := &ComparedFigure{Unit: "ratio", Values: []ComparedValue{value(tt.a), value(tt.b)}}
		_, show := compareCells(f)
		if a, b, c := show(f.Values[0].Value), show(f.Values[1].Value), changeText(f, 1); a != tt.want || b != tt.other || c != tt.change {
			t.Errorf("%g and %g: %s, %s, %s; want %s, %s, %s", tt.a, tt.b, a, b, c, tt.want, tt.other, tt.change)
		}
	}
}
