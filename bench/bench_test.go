package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/simulate"
	specs "github.com/stampede-bench/stampede/workload"
)

func newRow(id string, intended, sent, first, last int64, tokens int) row {
	return row{ID: id, Status: "succeeded", Intended: intended, Sent: &sent, FirstToken: &first, LastToken: &last, Tokens: &tokens}
}

func TestMatch(t *testing.T) {
	rows := []row{
		newRow("a", 1000, 1100, 5000, 8000, 4),
		newRow("b", 2000, 2050, 6000, 6000, 1),
		newRow("twice", 0, 0, 1, 2, 2),
		newRow("nowhere", 0, 0, 1, 2, 2),
		newRow("short", 3000, 3000, 4000, 5000, 3),
	}
	rows[0].Offsets, rows[0].PerChunk = []int64{3900, 4900, 6900}, []int64{1, 1, 2} // gaps 1000, 1000, 1000
	record := func(id string, arrival, first, last int64, tokens int) simulate.Record {
		return simulate.Record{ID: id, Status: simulate.StatusServed, Arrival: arrival, FirstToken: first, LastToken: last, OutputTokens: tokens}
	}
	records := []simulate.Record{
		record("a", 1200, 5050, 8000, 4), record("b", 2060, 6010, 6010, 1), record("twice", 0, 1, 2, 2), record("twice", 0, 1, 2, 2),
		record("short", 3000, 4000, 5000, 4), record("unknown", 0, 1, 2, 2),
	}
	records[0].TokenOffsets = []int64{3850, 4840, 5850, 6850} // gaps 990, 1010, 1000
	f := figures{}
	f.match(rows, records)
	for name, want := range map[string]float64{
		"rows": 5, "unmatched": 3, "wrong": 1,
		"schedule_error_p50_s": 60e-9, "schedule_error_p99_s": 200e-9, // 0, 60, 200
		"lateness_p50_s": 50e-9, "lateness_p99_s": 100e-9, // 0, 50, 100
		"ttft_error_p50_s": 0, "ttft_error_p99_s": 50e-9, // 3900 against 3850, 3950 against 3950
		"itl_p1_error_s": 10e-9, "itl_p99_error_s": 10e-9,
	} {
		if d := f[name] - want; d > 1e-12 || d < -1e-12 {
			t.Errorf("%s: %g, want %g", name, f[name], want)
		}
	}
}

func TestMostAtOnce(t *testing.T) {
	for _, c := range []struct {
		what    string
		records []simulate.Record
		want    int
	}{
		{"none", nil, 0},
		{"one after another, without a gap", []simulate.Record{{Arrival: 1, End: 2}, {Arrival: 2, End: 3}}, 1},
		{"one within another", []simulate.Record{{Arrival: 1, End: 9}, {Arrival: 2, End: 3}}, 2},
		{"three, of which two pairs overlap", []simulate.Record{{Arrival: 5, End: 9}, {Arrival: 1, End: 3}, {Arrival: 2, End: 6}}, 2},
		{"an instant", []simulate.Record{{Arrival: 4, End: 4}}, 1},
	} {
		if got := mostAtOnce(c.records); got != c.want {
			t.Errorf("%s: %d at once, want %d", c.what, got, c.want)
		}
	}
}

func TestCrowdWithin(t *testing.T) {
	for limit, want := range map[uint64]crowd{
		0: {50_000, 1, 1}, 50_300: {50_000, 1, 1}, 1 << 63: {50_000, 1, 1},
		50_299: {50_000, 2, 2}, 25_400: {50_000, 2, 3}, 20_000: {50_000, 3, 3}, 4096: {50_000, 14, 15},
		1024: {9_616, 14, 16}, 300: {}, 10: {},
	} {
		if got := crowdWithin(limit); got.connections != want.connections || got.connections > 0 && got != want {
			t.Errorf("under a limit of %d files: %+v, want %+v", limit, got, want)
		}
	}
}

func TestOnTime(t *testing.T) {
	f := figures{}
	var records []simulate.Record
	for i, late := range []int64{300, 0, 100, 200} { // of a schedule of 1,000/s that began at 7 s
		records = append(records, simulate.Record{Arrival: 7e9 + int64(i)*1e6 + late})
	}
	f.onTime(records, 1000)
	if f["schedule_error_max_s"] != 300e-9 || f["schedule_error_p50_s"] != 100e-9 {
		t.Errorf("%v", f)
	}
}

func aResult() *result {
	r := &result{Name: "x", Title: "y", tools: []string{"stampede", "vegeta"},
		columns: []column{hundredths("cpu_s", "CPU s"), micros("ttft_error_p50_s", "ttft")}}
	for i, cpu := range []float64{2, 3} {
		r.Runs = append(r.Runs,
			outcome{Tool: "stampede", Run: i + 1, Figures: figures{"cpu_s": cpu, "ttft_error_p50_s": 26e-6, "unmatched": float64(i)}},
			outcome{Tool: "vegeta", Run: i + 1, Figures: figures{"cpu_s": 2}})
	}
	r.Runs = append(r.Runs, outcome{Tool: "stampede", Run: 3, Problem: "it broke"})
	return r
}

func TestTableAndJSON(t *testing.T) {
	r := aResult()
	r.judge([]goal{
		{figure: "cpu_s", over: "vegeta", most: 0.8},
		{figure: "ttft_error_p50_s", most: 50e-6},
		{figure: "cpu_s", least: 2},
		{figure: "nothing", least: 1},
	})
	var b bytes.Buffer
	r.table(&b)
	for _, want := range []string{"2.50", "26", "–",
		"cpu_s, stampede over vegeta: at most 0.8: MISSED, 1.25 (1 to 1.5)",
		"ttft_error_p50_s: at most 5e-05: reached", "cpu_s: at least 2: reached, 2.5 (2 to 3)", "nothing: at least 1: not measured",
		"run 2 of stampede: 1 rows unmatched", "run 3 of stampede: it broke"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
	path, err := (&results{StartedAt: time.Unix(0, 0).UTC(), Machine: "a machine", Workloads: []result{*r}}).keep(filepath.Join(t.TempDir(), "new"))
	if err != nil {
		t.Fatal(err)
	}
	var again results
	if text, err := os.ReadFile(path); err != nil || json.Unmarshal(text, &again) != nil || len(again.Workloads[0].Runs) != 5 || len(again.Workloads[0].Goals) != 4 {
		t.Errorf("%v, %+v", err, again)
	}
}

func TestSpecsAreAccepted(t *testing.T) {
	for name, l := range map[string]load{"open": acceptance(), "closed": {Concurrency: 2, Requests: 2, Prompt: 1, Tokens: 1}} {
		text, err := l.spec("http://127.0.0.1:1/v1")
		if err != nil {
			t.Fatal(err)
		}
		if _, notices, err := specs.Parse(text); err != nil || len(notices) != 0 {
			t.Errorf("%s: %v, %v", name, err, notices)
		}
	}
}

// TestOtherToolsDoTheSame: what others are told is the load, and they trust the
// simulator as Stampede does.
func TestOtherToolsDoTheSame(t *testing.T) {
	open, shut, secure := acceptance(), load{Concurrency: 32, Duration: 6 * time.Second, Tokens: 64}, acceptance()
	secure.TLS, secure.HTTP2 = true, true
	for name, c := range map[string]struct {
		l    load
		want []string
	}{
		"open": {open, []string{`"executor":"constant-arrival-rate"`, `"rate":200`, `"timeUnit":"1s"`, `"duration":"15s"`, `"preAllocatedVUs":149`, `"maxVUs":596`, `"http://a/v1/chat/completions"`, `\"max_tokens\":64`}},
		"shut": {shut, []string{`"executor":"constant-vus"`, `"vus":32`, `"duration":"6s"`, `"insecureSkipTLSVerify":false`}},
		"tls":  {secure, []string{`"insecureSkipTLSVerify":true`}},
	} {
		script, err := c.l.k6Script("http://a/v1")
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range c.want {
			if !strings.Contains(string(script), want) {
				t.Errorf("%s: no %s in %s", name, want, script)
			}
		}
	}
	args := strings.Join(secure.simulator("127.0.0.1:0", filepath.Join("dir", "account")), " ")
	if !strings.Contains(args, "--tls-ca-out "+caFile("dir")) || !strings.Contains(args, "--http2 only") {
		t.Errorf("the simulator is told %s", args)
	}
	if args := strings.Join(open.simulator("127.0.0.1:0", "account"), " "); strings.Contains(args, "tls") || strings.Contains(args, "http2") {
		t.Errorf("the simulator is told %s", args)
	}
}

func TestArguments(t *testing.T) {
	for _, args := range []string{"--runs 0", "--time 0", "more", "--nonsense"} {
		if _, err := parse(strings.Fields(args), io.Discard); err == nil {
			t.Errorf("%q is accepted", args)
		}
	}
}

func TestChosen(t *testing.T) {
	all := []workload{{name: "a"}, {name: "b", long: true}, {name: "c"}}
	for only, want := range map[string]string{"": "ac", "b": "b", "c, a": "ca"} {
		got := ""
		list, err := chosen(all, only)
		for _, w := range list {
			got += w.name
		}
		if err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", only, got, err, want)
		}
	}
	if _, err := chosen(all, "d"); err == nil || !strings.Contains(err.Error(), `"d"`) {
		t.Errorf("an unknown name: %v", err)
	}
}

func TestEveryWorkloadIsWhole(t *testing.T) {
	seen := map[string]bool{}
	for _, w := range workloads() {
		if w.name == "" || seen[w.name] || w.title == "" || len(w.tools) == 0 || len(w.columns) == 0 || len(w.goals) == 0 {
			t.Errorf("workload %q lacks something, or its name is taken", w.name)
		}
		seen[w.name] = true
		for _, g := range w.goals {
			if (g.most == 0) == (g.least == 0) {
				t.Errorf("%s: the goal of %s needs one bound", w.name, g.figure)
			}
		}
	}
}

func TestSearchHalves(t *testing.T) {
	for limit, want := range map[int]int{12_345: 12_000, 500: 500, 40_000: 40_000, 10: 0} {
		tries := map[int]int{} // the machine is away at the first of each rate
		with := func(l load) tool {
			return tool{"fake", func(context.Context, *bench, string) (figures, error) {
				f := figures{"served": float64(l.Rate)}
				if tries[l.Rate]++; l.Rate > limit || tries[l.Rate] == 1 {
					f["schedule_error_p99_s"] = 1
				}
				return f, nil
			}}
		}
		b := &bench{options: options{time: 1}, stderr: io.Discard}
		f, err := search(load{Duration: time.Second}, with)(t.Context(), b, t.TempDir())
		if want == 0 {
			if err == nil {
				t.Errorf("limit %d: %v", limit, f)
			}
			continue
		}
		if got := int(f["highest_rate_per_s"]); err != nil || got > limit || float64(got) < 0.9*float64(want) {
			t.Errorf("limit %d: %d, %v", limit, got, err)
		}
	}
}

func TestMeasureGoesOn(t *testing.T) {
	n := 0
	w := workload{name: "w", tools: []tool{
		{"stampede", func(context.Context, *bench, string) (figures, error) {
			if n++; n == 1 {
				return nil, errors.New("it broke")
			}
			return figures{"x": 1}, nil
		}},
		{"absent", func(context.Context, *bench, string) (figures, error) { return nil, errMissing }},
	}, goals: []goal{{figure: "x", least: 1}}}
	b := &bench{options: options{runs: 2, time: 1}, stderr: io.Discard}
	r, err := b.measure(t.Context(), t.TempDir(), w)
	if err != nil || len(r.Runs) != 2 || r.Runs[0].Problem != "it broke" || !r.Goals[0].Reached {
		t.Errorf("%+v, %v", r, err)
	}
}
