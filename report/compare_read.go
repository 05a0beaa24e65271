package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/stampede-bench/stampede/measure"
)

// ComparedRun is one result of a comparison.
type ComparedRun struct {
	File string `json:"file"`
	// Tool that measured it: stampede or vllm.
	Tool  string `json:"tool"`
	ID    string `json:"id,omitempty"`
	Name  string `json:"name,omitempty"`
	Model string `json:"model,omitempty"`
	Load  string `json:"load,omitempty"` // in words
	// Verdict is empty where the tool gives none.
	Verdict      State     `json:"verdict,omitempty"`
	WorkloadHash string    `json:"workload_hash,omitempty"`
	StartedAt    time.Time `json:"started_at,omitzero"` // vLLM gives it without a zone; left out

	report  *Report // nil for other tools'
	figures figureSet
}

// figureSet are values by path.
type figureSet map[string]figureValue

type figureValue struct {
	value *float64
	ci    *[2]float64
}

func (s figureSet) set(path string, v *float64, ci *[2]float64) {
	if v != nil && !math.IsNaN(*v) && !math.IsInf(*v, 0) {
		s[path] = figureValue{v, ci}
	}
}

// ReadCompared reads a report of this program or a result that
// `vllm bench serve --save-result` wrote. Other files are refused.
func ReadCompared(file string, data []byte) (ComparedRun, error) {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), &keys); err != nil {
		if looksLikeRows(data) {
			return ComparedRun{}, fmt.Errorf("%s: holds rows, not a report; give report_ID.json of the same run", file)
		}
		return ComparedRun{}, fmt.Errorf("%s: not a report: must be one JSON object", file)
	}
	has := func(names ...string) bool {
		for _, n := range names {
			if _, ok := keys[n]; !ok {
				return false
			}
		}
		return true
	}
	switch {
	case has("stampede_version", "verdict"):
		r, err := Parse(data)
		if err != nil {
			return ComparedRun{}, fmt.Errorf("%s: %w", file, err)
		}
		return comparedReport(file, r), nil
	case has("completed", "request_throughput", "duration") && (has("mean_ttft_ms") || has("mean_e2el_ms") || has("mean_tpot_ms")):
		return comparedVLLM(file, data)
	}
	return ComparedRun{}, fmt.Errorf("%s: %w", file, foreign(has))
}

func looksLikeRows(data []byte) bool {
	first, _, _ := bytes.Cut(data, []byte("\n"))
	_, err := parseRow(first)
	return err == nil
}

func foreign(has func(...string) bool) error {
	what := ""
	switch {
	case has("aiperf_version"):
		what = "this is a profile of AIPerf; "
	case has("benchmarks", "metadata"):
		what = "this is a result of GuideLLM; "
	case has("load_summary", "successes"):
		what = "this is a result of inference-perf; "
	}
	return errors.New(what + "only a report_ID.json of Stampede and a result of vllm bench serve --save-result can be compared")
}

func comparedReport(file string, r *Report) ComparedRun {
	loads := make([]string, len(r.Stages))
	for i := range r.Stages {
		loads[i] = r.Stages[i].Description
	}
	run := ComparedRun{
		File: file, Tool: "stampede", ID: r.ID, Name: r.Name, Model: r.Model, Verdict: r.Verdict.State,
		WorkloadHash: r.sent(), StartedAt: r.StartedAt, report: r, Load: strings.Join(loads, "; "),
	}
	if len(loads) > 2 {
		run.Load = fmt.Sprintf("%d stages, %s to %s", len(loads), r.Stages[0].Name, r.Stages[len(loads)-1].Name)
	}
	run.figures = makeFigureSet(r.Metrics, &r.Throughput, &r.SLO, r.FailRate, r.betweenTrials(""))
	return run
}

// sent is the workload hash, of trials those of all; empty when one is not known.
func (r *Report) sent() string {
	if r.Trials == nil {
		return string(r.WorkloadHash)
	}
	if slices.Contains(r.Trials.WorkloadHashes, "") {
		return ""
	}
	var hashes []string
	for _, h := range r.Trials.WorkloadHashes {
		hashes = append(hashes, string(h))
	}
	return strings.Join(hashes, " ")
}

func (r *Report) stageFigureSet(i int) figureSet {
	s := &r.Stages[i]
	return makeFigureSet(s.Metrics, &s.Throughput, &s.SLO, s.FailRate, r.betweenTrials(fmt.Sprintf("stages[%d].", i)))
}

// betweenTrials finds the intervals of figures that are no distribution, which only
// a report of trials has.
func (r *Report) betweenTrials(prefix string) func(path string) *[2]float64 {
	return func(path string) *[2]float64 {
		if r.Trials == nil {
			return nil
		}
		if ends, there := r.Trials.CI95[prefix+path]; there {
			return &ends
		}
		return nil
	}
}

func makeFigureSet(m Metrics, t *measure.Throughput, slo *SLO, failRate *float64, interval func(path string) *[2]float64) figureSet {
	s := figureSet{}
	s.set("request_throughput", t.RequestThroughput, interval("throughput.request_throughput"))
	s.set("output_throughput", t.OutputThroughput, interval("throughput.output_throughput"))
	s.set("total_token_throughput", t.TotalTokenThroughput, interval("throughput.total_token_throughput"))
	s.set("slo.goodput_rps", slo.GoodputRPS, interval("slo.goodput_rps"))
	s.set("slo.attainment", slo.Attainment, interval("slo.attainment"))
	s.set("fail_rate", failRate, interval("fail_rate"))
	for f, d := range m {
		if d == nil {
			continue
		}
		for _, v := range []struct {
			name  string
			value *float64
		}{{"mean", d.Mean}, {"p50", d.P50}, {"p90", d.P90}, {"p99", d.P99}} {
			var ci *[2]float64
			if interval, ok := d.CI95[v.name]; ok {
				ci = &interval
			}
			s.set(string(f)+"."+v.name, v.value, ci)
		}
	}
	return s
}

// vllmFigures are our figures by vLLM's names: its itl is the gap between chunks.
var vllmFigures = map[string]measure.Figure{"ttft": measure.TTFT, "tpot": measure.TPOT, "itl": measure.ICL, "e2el": measure.E2E}

func comparedVLLM(file string, data []byte) (ComparedRun, error) {
	var v map[string]any
	if err := json.Unmarshal(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")), &v); err != nil {
		return ComparedRun{}, fmt.Errorf("%s: %w", file, err)
	}
	number := func(key string) *float64 {
		if n, ok := v[key].(float64); ok {
			return &n
		}
		return nil
	}
	text := func(key string) string { s, _ := v[key].(string); return s }
	run := ComparedRun{File: file, Tool: "vllm", Name: text("label"), Model: text("model_id"), Load: vllmLoad(v), figures: figureSet{}}
	s := run.figures
	s.set("request_throughput", number("request_throughput"), nil)
	s.set("output_throughput", number("output_throughput"), nil)
	s.set("total_token_throughput", number("total_token_throughput"), nil)
	s.set("slo.goodput_rps", number("request_goodput"), nil)
	completed, failed := number("completed"), number("failed")
	if completed != nil && failed != nil {
		s.set("fail_rate", share(*failed, *completed+*failed), nil)
	}
	if completed != nil && *completed > 0 {
		for key, path := range map[string]string{"total_input_tokens": "input_tokens.mean", "total_output_tokens": "output_tokens.mean"} {
			if n := number(key); n != nil {
				s.set(path, share(*n, *completed), nil)
			}
		}
		vllmLatencies(s, number)
	}
	return run, nil
}

func vllmLatencies(s figureSet, number func(string) *float64) {
	for name, figure := range vllmFigures {
		for ours, theirs := range map[string]string{"mean": "mean_%s_ms", "p50": "median_%s_ms", "p90": "p90_%s_ms", "p99": "p99_%s_ms"} {
			if n := number(fmt.Sprintf(theirs, name)); n != nil {
				seconds := *n / 1e3
				s.set(string(figure)+"."+ours, &seconds, nil)
			}
		}
	}
}

// vllmLoad says in words what vLLM was told to send.
func vllmLoad(v map[string]any) string {
	var parts []string
	if limit, ok := v["max_concurrency"].(float64); ok {
		parts = append(parts, fmt.Sprintf("at most %.0f in flight", limit))
	}
	if rate, ok := v["request_rate"].(float64); ok {
		parts = append([]string{number3(rate) + "/s"}, parts...)
	} else if len(parts) == 0 {
		parts = append(parts, "all at once")
	}
	if n, ok := v["num_prompts"].(float64); ok {
		parts = append(parts, integer(int64(n))+" requests")
	}
	return strings.Join(parts, ", ")
}

// title names a run for people: by its name, else its labels, else its file.
func (r *ComparedRun) title() string {
	if r.Name != "" {
		return r.Name
	}
	if r.report != nil && len(r.report.Labels) > 0 {
		var labels []string
		for _, k := range slices.Sorted(maps.Keys(r.report.Labels)) {
			labels = append(labels, k+"="+r.report.Labels[k])
		}
		return strings.Join(labels, " ")
	}
	return filepath.Base(r.File)
}
