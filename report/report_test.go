package report

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stampede-bench/stampede/ledger"
	"github.com/stampede-bench/stampede/measure"
)

// contractKeys are the top-level keys of contract §6.
var contractKeys = []string{
	"request_num", "fail_rate", "TTFT", "SLO", "TPOT", "Throughput",
	"latency", "Total_request_num", "Fail_rate", "Total_duration_sec", "RPS",
	"id", "test_id", "name", "labels", "model", "verdict", "accounting", "metrics", "slo", "throughput", "duration",
	"series", "errors", "agents", "generator", "stages", "server", "definitions", "spec", "workload_hash",
	"started_at", "ended_at", "stampede_version",
}

func decode(t *testing.T, r *Report) map[string]any {
	t.Helper()
	data, err := r.JSON()
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(data, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestReportHasTheContractsKeys(t *testing.T) {
	m := decode(t, build(t, steady()))
	for _, k := range contractKeys {
		if _, there := m[k]; !there {
			t.Errorf("the report lacks %q", k)
		}
	}
	for _, f := range measure.Figures() {
		if _, there := m["metrics"].(map[string]any)[string(f)]; !there {
			t.Errorf("metrics lacks %q", f)
		}
	}
	ttft := m["TTFT"].(map[string]any)
	for _, k := range []string{"min", "max", "avg", "std", "95_percentile"} {
		if _, there := ttft[k].(float64); !there {
			t.Errorf("TTFT lacks %q", k)
		}
	}
	if m["request_num"] != 200.0 || m["fail_rate"] != 0.0 || m["SLO"] != 1.0 || m["started_at"] != "2026-11-23T18:00:00.123456789Z" {
		t.Errorf("request_num %v, fail_rate %v, SLO %v, started_at %v", m["request_num"], m["fail_rate"], m["SLO"], m["started_at"])
	}
	if w := m["accounting"].(map[string]any)["warmup"].(map[string]any)["planned"]; w != 10.0 {
		t.Errorf("accounting.warmup.planned = %v, want 10", w)
	}
}

func TestReportRoundTrips(t *testing.T) {
	for _, f := range []*fixture{steady(), troubled(), hopeless()} {
		r := build(t, f)
		data, err := r.JSON()
		if err != nil {
			t.Fatal(err)
		}
		back, err := Parse(data)
		if err != nil {
			t.Fatal(err)
		}
		again, err := back.JSON()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(data, again) {
			t.Errorf("a parsed report is written differently:\n%s\n%s", data, again)
		}
	}
}

func TestReportIsNullWhereThereIsNothing(t *testing.T) {
	f := hopeless()
	f.in.WorkloadHash = ""
	m := decode(t, build(t, f))
	for _, k := range []string{"workload_hash", "TTFT", "TPOT", "latency", "Throughput", "RPS", "duration"} {
		if m[k] != nil {
			t.Errorf("%s = %v, want null", k, m[k])
		}
	}
	if m["fail_rate"] != 1.0 || m["SLO"] != 0.0 {
		t.Errorf("fail_rate %v, SLO %v", m["fail_rate"], m["SLO"])
	}
	slo := m["slo"].(map[string]any)
	if slo["attainment"] != nil || slo["goodput_rps"] != nil {
		t.Errorf("slo without objectives: %v, want null", slo)
	}
	closed := decode(t, build(t, troubled()))["stages"].([]any)[2].(map[string]any)
	if v := closed["throughput"].(map[string]any)["offered_rate"]; v != nil {
		t.Errorf("offered_rate in closed loop = %v, want null", v)
	}
	if v := closed["metrics"].(map[string]any)["ttft_from_schedule"]; v != nil {
		t.Errorf("ttft_from_schedule in closed loop = %v, want null", v)
	}
}

func TestReportFormulas(t *testing.T) {
	r := build(t, troubled())
	a := r.Accounting
	if got, want := *r.FailRate, float64(a.Failed+a.TimedOut)/float64(a.Succeeded+a.Failed+a.TimedOut); got != want {
		t.Errorf("fail_rate %v, want %v", got, want)
	}
	if got, want := *r.SLO.Attainment, float64(troubledGood(t))/float64(a.Planned-a.Unsent-a.Cancelled); got != want {
		t.Errorf("slo.attainment %v, want %v", got, want)
	}
	if *r.SLOShare != *r.SLO.Attainment {
		t.Error("SLO must be slo.attainment with objectives")
	}
	if r.Throughput.OfferedRate != nil {
		t.Error("offered_rate over open and closed stages together must be null")
	}
	if got := *r.Stages[1].Throughput.OfferedRate; got != 25 {
		t.Errorf("offered_rate of the second stage = %v, want 25", got)
	}
	if r.Verdict.State != Invalid {
		t.Errorf("verdict %v", r.Verdict.State)
	}
}

// troubledGood counts what met every objective by hand.
func troubledGood(t *testing.T) (good int) {
	t.Helper()
	for _, samples := range troubled().samples {
		for i := range samples {
			s := &samples[i]
			if s.Status == measure.Succeeded && s.FirstToken-s.Sent <= 300*ms && s.LastToken-s.Sent <= 400*ms {
				good++
			}
		}
	}
	return good
}

func TestReportWithoutObjectives(t *testing.T) {
	f := makeFixture(fixtureSpec(`
endpoint: {url: "http://h/v1", model: m}
load: {stages: [{rate: 10, arrival: constant, duration: 20s}]}
`), func(i int, s *measure.Sample) {
		if i < 20 { // later than the tolerance of 100 ms
			s.Sent += 150 * ms
			s.FirstToken, s.LastToken = s.FirstToken+150*ms, s.LastToken+150*ms
		}
	})
	if r := build(t, f); *r.SLOShare != 0.9 {
		t.Errorf("SLO = %v, want 0.9: succeeded and sent within time_tolerance / planned", *r.SLOShare)
	}
}

func TestVerdictOfAnAccountingThatDoesNotAddUp(t *testing.T) {
	f := steady()
	f.in.Phases[1].Accounting.Planned++
	v := build(t, f).Verdict
	if v.State != Invalid || v.Reasons[0].Figure != "planned" {
		t.Errorf("got %+v", v)
	}
}

func TestBuildRefuses(t *testing.T) {
	for name, edit := range map[string]func(*Input){
		"run's id":  func(in *Input) { in.RunID = "" },
		"no spec":   func(in *Input) { in.Spec = nil },
		"no set":    func(in *Input) { in.Set = nil },
		"the spec":  func(in *Input) { in.Phases = in.Phases[:1] },
		"is a warm": func(in *Input) { in.Phases[1].Warmup = true },
	} {
		f := steady()
		edit(&f.in)
		if _, err := Build(f.in); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestParseRefusesForeignFiles(t *testing.T) {
	for _, text := range []string{``, `[]`, `{}`, `{"request_num": 1}`, `{"id":"x","verdict":{},"stampede_version":"v1","spec":3}`, `nonsense`} {
		if r, err := Parse([]byte(text)); err == nil {
			t.Errorf("%s: got %v, want an error", text, r)
		}
	}
}

func TestDefinitionsExplainEveryFigure(t *testing.T) {
	r := build(t, steady())
	explained := func(id string) {
		if d, ok := definition(id); !ok || d.Formula == "" || d.Unit == "" {
			t.Errorf("%q has no definition", id)
		}
	}
	for _, f := range measure.Figures() {
		explained(string(f))
		if d := r.Metrics[f]; d != nil {
			if def, _ := definition(string(f)); def.Unit != d.Unit {
				t.Errorf("%s is measured in %q and defined in %q", f, d.Unit, def.Unit)
			}
		}
	}
	for _, kind := range []reflect.Type{reflect.TypeFor[measure.Throughput](), reflect.TypeFor[ledger.Accounting]()} {
		for i := range kind.NumField() {
			if id := kind.Field(i).Tag.Get("json"); id != "-" {
				explained(id)
			}
		}
	}
	for _, id := range []string{"fail_rate", "slo.attainment", "slo.goodput_rps", "SLO", "TTFT", "TPOT", "Throughput", "latency", "RPS", "request_num"} {
		explained(id)
	}
	seen := map[string]bool{}
	for _, d := range Definitions() {
		if seen[d.ID] {
			t.Errorf("%q is defined twice", d.ID)
		}
		seen[d.ID] = true
	}
}

func TestSecretsStayOut(t *testing.T) {
	for _, secret := range []string{`api_key: sk-marked`, `headers: {Authorization: Bearer marked, X-Plain: seen}`} {
		r := build(t, makeFixture(fixtureSpec(`
endpoint: {url: "http://h/v1", model: m, `+secret+`}
load: {stages: [{rate: 10, arrival: constant, duration: 20s}]}
`), nil))
		data, err := r.JSON()
		must(err)
		var text bytes.Buffer
		must(Text(&text, r, TextOptions{}))
		must(Markdown(&text, r))
		for _, out := range []string{string(data), text.String()} {
			if strings.Contains(out, "marked") {
				t.Errorf("a secret shows in %s", out)
			}
		}
	}
}

func TestIndentIsJSON(t *testing.T) {
	for _, text := range []string{`{}`, `[]`, `{"a":[1,2,[3,"x]{\"y"]],"b":{},"c":[{"d":null},{"e":[]}]}`} {
		var want, got any
		must(json.Unmarshal([]byte(text), &want))
		if err := json.Unmarshal(indent([]byte(text)), &got); err != nil || !reflect.DeepEqual(want, got) {
			t.Errorf("%s became %s: %v", text, indent([]byte(text)), err)
		}
	}
}

func TestMarkdownGolden(t *testing.T) {
	var b bytes.Buffer
	must(Markdown(&b, build(t, troubled())))
	golden(t, "troubled.md", b.Bytes())
}

// What has no row is told, and counts over trials.
func TestLostWithoutRow(t *testing.T) {
	in := steady().in
	in.WithoutRow = []RowGap{{FromIndex: 10, ToIndex: 20, Count: 4}, {FromIndex: 30, ToIndex: 31, Count: 1}}
	r, err := Build(in)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := r.JSON()
	must(err)
	read, err := Parse(raw)
	must(err)
	for _, r := range []*Report{r, read} {
		if w := r.Accounting.LostWithoutRow; w == nil || w.Count != 5 || !slices.Equal(w.Ranges, in.WithoutRow) {
			t.Errorf("got %+v", w)
		}
	}
	if !slices.ContainsFunc(r.Verdict.Notices, func(n string) bool { return strings.HasPrefix(n, "5 of the lost requests have no row") }) {
		t.Errorf("notices %q", r.Verdict.Notices)
	}
	both := combiner{trials: []*Report{r, build(t, steady()), r}}
	if w := both.accounting().LostWithoutRow; w == nil || w.Count != 10 || w.Ranges != nil {
		t.Errorf("of three trials, two without rows: %+v", w)
	}
	if w := build(t, steady()).Accounting.LostWithoutRow; w != nil {
		t.Errorf("all have rows, and yet %+v", w)
	}
}

// TestTurnsThatFollowAFailureAreNoOffer: a schedule offers sessions, so turns that a
// failed one kept from being sent make up for none that left late.
func TestTurnsThatFollowAFailureAreNoOffer(t *testing.T) {
	in := steady().in
	p := &in.Phases[len(in.Phases)-1]
	p.Sessions = 400 // 20/s for 20 s, of which 200 were sent
	p.Accounting.Planned, p.Accounting.Unsent, p.UnsentAfter = p.Accounting.Planned+300, 300, 300
	r, err := Build(in)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Verdict.Reasons) != 1 || r.Verdict.Reasons[0].Figure != "achieved_rate" || r.Verdict.Reasons[0].Limit != 0.99*20 {
		t.Errorf("got %+v, want 10/s achieved of 20/s", r.Verdict.Reasons)
	}
}

func TestUnsentHasItsReasons(t *testing.T) {
	in := steady().in
	last := len(in.Phases) - 1
	in.Phases[last].Accounting.Planned += 7
	in.Phases[last].Accounting.Unsent, in.Phases[last].UnsentAfter = 7, 5
	r, err := Build(in)
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Accounting.UnsentByReason; got == nil || *got != (UnsentReasons{TurnBefore: 5, Stopped: 2}) {
		t.Errorf("got %+v", got)
	}
	if text := outcomes(&r.Accounting); !strings.Contains(text, "7 unsent (5 after a failed turn)") {
		t.Errorf("got %s", text)
	}
	if r, err := Build(steady().in); err != nil || r.Accounting.UnsentByReason != nil {
		t.Errorf("nothing is unsent, and yet there are reasons: %v", err)
	}
}
