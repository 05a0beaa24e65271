package export

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"iter"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/stampede-bench/stampede/ledger"
	"github.com/stampede-bench/stampede/report"
	"github.com/stampede-bench/stampede/workload"
)

var rewrite = flag.Bool("rewrite", false, "rewrite golden files")

// fixtureRows are six measured requests and a warmup one. In milliseconds from the
// first sending:
//
//	request  sent  chunks at (after sent)   tokens       in  status
//	0           0  100 110 130              1 1 1        10  succeeded
//	1          50  200 240                  1 2          20  succeeded
//	2         100  300                      1            30  succeeded
//	3         150  120 130 140 150 160      1 1 1 1 1    40  succeeded, the first two are reasoning
//	4         200                                            failed, 429
//	5         250                                            cancelled
func fixtureRows() []report.Row {
	base := time.Date(2026, 11, 23, 18, 0, 0, 0, time.UTC).UnixNano()
	row := func(index int64, sent int64, input int32, chunks ...int64) report.Row {
		at := func(ms int64) *int64 { v := base + ms*1e6; return &v }
		stage, status := int32(0), "succeeded"
		r := report.Row{
			ID: "run.1-" + string(rune('0'+index)), Index: index, Session: index, Stage: &stage, Phase: "measure", Agent: "a",
			Model: "m", URL: "http://h/v1", Attempt: 1, Status: status, InputTokens: &input,
			IntendedUnixNS: at(sent - 2), IntendedOffsetNS: at(0), SentUnixNS: at(sent), HeadersUnixNS: at(sent + 5), EndUnixNS: at(sent + 20),
		}
		if len(chunks) > 0 {
			r.FirstTokenUnixNS, r.FirstOutputUnixNS = at(sent+chunks[0]), at(sent+chunks[0])
			r.LastTokenUnixNS, r.EndUnixNS = at(sent+chunks[len(chunks)-1]), at(sent+chunks[len(chunks)-1]+1)
			for _, c := range chunks {
				r.ChunkOffsetsNS, r.ChunkTokens = append(r.ChunkOffsetsNS, c*1e6), append(r.ChunkTokens, 1)
			}
			n := int32(len(chunks))
			r.OutputTokens = &n
		}
		return r
	}
	rows := []report.Row{
		row(0, 0, 10, 100, 110, 130), row(1, 50, 20, 200, 240), row(2, 100, 30, 300),
		row(3, 150, 40, 120, 130, 140, 150, 160), row(4, 200, 50), row(5, 250, 60), row(6, 400, 10, 9, 9),
	}
	three, two, status := int32(3), int32(2), int32(429)
	rows[1].ChunkTokens[1], rows[1].OutputTokens = 2, &three
	rows[3].ReasoningTokens = &two
	output := *rows[3].FirstTokenUnixNS + 20e6
	rows[3].FirstOutputUnixNS = &output
	rows[4].Status, rows[4].HTTPStatus, rows[4].Error = "failed", &status, &report.RowError{Kind: "http_status", Message: "slow down"}
	rows[5].Status, rows[5].Error = "cancelled", &report.RowError{Kind: "cancelled"}
	rows[6].Stage, rows[6].Phase = nil, "warmup"
	rows[0], rows[3] = rows[3], rows[0] // rows come in no order
	return rows
}

func fixtureReport() *report.Report {
	rate := workload.Rate(20)
	started := time.Date(2026, 11, 23, 18, 0, 0, 0, time.UTC)
	return &report.Report{
		ID: "run.1", TestID: "run", Name: "chat", Model: "m", State: "SUCCEEDED", StampedeVersion: "v1",
		Labels:    map[string]string{"gpu": "H100", "completed": "never"},
		StartedAt: started, EndedAt: started.Add(450 * time.Millisecond), WorkloadHash: "abc",
		Accounting: report.Accounting{Accounting: ledger.Accounting{Planned: 6, Succeeded: 4, Failed: 1, Cancelled: 1}},
		Verdict:    report.Verdict{State: report.Valid},
		Spec: &workload.Spec{
			Endpoint: workload.Endpoint{Type: "vllm", URL: "http://h/v1", Model: "m", API: "chat"},
			Load:     workload.Load{Stages: []workload.Stage{{Rate: &rate, Arrival: "poisson"}}},
			SLO:      workload.SLO{TTFT: workload.Duration(250 * time.Millisecond), TPOT: workload.Duration(16 * time.Millisecond)},
		},
	}
}

func rowsFrom(rows []report.Row) Rows {
	return func() iter.Seq2[report.Row, error] {
		return func(yield func(report.Row, error) bool) {
			for _, r := range rows {
				if !yield(r, nil) {
					return
				}
			}
		}
	}
}

// written is what an export writes, by file name.
func written(t *testing.T, r *report.Report, rows Rows, names ...string) map[string][]byte {
	t.Helper()
	files, err := Files(names, r, rows)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	for _, f := range files {
		var b bytes.Buffer
		w := bufio.NewWriter(&b)
		if err := errors.Join(f.Write(w), w.Flush()); err != nil {
			t.Fatalf("%s: %v", f.Name, err)
		}
		out[f.Name] = b.Bytes()
	}
	return out
}

func fixture(t *testing.T, name, file string) map[string]any {
	t.Helper()
	var doc map[string]any
	data := written(t, fixtureReport(), rowsFrom(fixtureRows()), name)[file]
	if err := json.Unmarshal(data, &doc); err != nil {
		t.Fatalf("%v\n%s", err, data)
	}
	return doc
}

// at is the number at a path of keys.
func at(t *testing.T, doc map[string]any, path ...string) float64 {
	t.Helper()
	var v any = doc
	for _, k := range path {
		m, ok := v.(map[string]any)
		if !ok {
			t.Fatalf("%v: %q is no object", path, k)
		}
		v = m[k]
	}
	n, ok := v.(float64)
	if !ok {
		t.Fatalf("%v is %v, want a number", path, v)
	}
	return n
}

func want(t *testing.T, doc map[string]any, value float64, path ...string) {
	t.Helper()
	if got := at(t, doc, path...); math.Abs(got-value) > 1e-9*math.Max(1, math.Abs(value)) {
		t.Errorf("%s is %v, want %v", strings.Join(path, "."), got, value)
	}
}

// TestVLLMParity applies the formulas of vllm/benchmarks/serve.py to the fixture
// by hand: tpot = (latency - ttft) / (output tokens - 1) of those with more than
// one, itl = gaps between chunks, percentiles by linear interpolation, std of the
// population, everything over 0.4 s from the first sending to the last token.
func TestVLLMParity(t *testing.T) {
	doc := fixture(t, "vllm", "vllm_run.1.json")
	for key, value := range map[string]float64{
		"duration": 0.4, "num_prompts": 6, "completed": 4, "failed": 2,
		"total_input_tokens": 100, "total_output_tokens": 12,
		"request_throughput": 10, "output_throughput": 30, "total_token_throughput": 280,
		"request_goodput":         5, // 0 and 3 of 0.4 s: 1 has tpot 20 ms, 2 ttft 300 ms
		"max_output_tokens_per_s": 11, "max_concurrent_requests": 4, "request_rate": 20, "burstiness": 1,
		// 100 120 200 300
		"mean_ttft_ms": 180, "median_ttft_ms": 160, "std_ttft_ms": math.Sqrt(6200), "p90_ttft_ms": 270, "p99_ttft_ms": 297, "p99.9_ttft_ms": 299.7,
		// 10 15 20
		"mean_tpot_ms": 15, "median_tpot_ms": 15, "std_tpot_ms": math.Sqrt(50. / 3), "p99_tpot_ms": 19.9,
		// 10 10 10 10 10 20 40
		"mean_itl_ms": 110. / 7, "median_itl_ms": 10, "p99_itl_ms": 38.8, "std_itl_ms": math.Sqrt((5*100+400+1600)/7. - (110./7)*(110./7)),
		// 130 160 240 300
		"mean_e2el_ms": 207.5, "median_e2el_ms": 200, "p90_e2el_ms": 282,
		"mean_client_queue_time_ms": 2, "mean_e2el_including_client_queue_ms": 209.5,
	} {
		want(t, doc, value, key)
	}
	for key, value := range map[string]any{
		"date": "20261123-180000", "endpoint_type": "openai-chat", "model_id": "m", "label": "chat", "gpu": "H100", "max_concurrency": nil,
	} {
		if doc[key] != value {
			t.Errorf("%s is %v, want %v", key, doc[key], value)
		}
	}
	for key, text := range map[string]string{
		"input_lens": "[10,20,30,40,50,60]", "output_lens": "[3,3,1,5,0,0]", "ttfts": "[0.1,0.2,0.3,0.12,0,0]",
		"itls":        "[[0.01,0.02],[0.04],[],[0.01,0.01,0.01,0.01],[],[]]",
		"start_times": "[0,0.05,0.1,0.15,0.2,0.25]", "latencies": "[0.13,0.24,0.3,0.16,0,0]",
		"generated_texts": `["","","","","",""]`, "errors": `["","","","","http_status: slow down","cancelled"]`,
	} {
		got, err := json.Marshal(doc[key])
		if err != nil || string(got) != text {
			t.Errorf("%s is %s, want %s", key, got, text)
		}
	}
}

// TestAIPerfParity applies AIPerf's published formulas: request_latency ends with
// the last content, inter_token_latency = (latency - ttft) / (output tokens - 1),
// inter_chunk_latency pools the gaps.
func TestAIPerfParity(t *testing.T) {
	doc := fixture(t, "aiperf", "aiperf_run.1.json")
	for path, value := range map[string]float64{
		"time_to_first_token.avg": 180, "time_to_first_token.p50": 160, "time_to_first_token.std": math.Sqrt(6200), "time_to_first_token.p99": 297,
		"time_to_first_token.min": 100, "time_to_first_token.max": 300, "time_to_first_token.count": 4, "time_to_first_token.sum": 720,
		"time_to_second_token.avg": 20, "time_to_first_output_token.avg": 185,
		"inter_token_latency.avg": 15, "inter_token_latency.p99": 19.9, "inter_token_latency.count": 3,
		"inter_chunk_latency.avg": 110. / 7, "inter_chunk_latency.count": 7,
		"output_token_throughput_per_user.avg": (1000./15 + 50 + 100) / 3,
		"request_latency.avg":                  207.5, "request_latency.p90": 282,
		"output_sequence_length.avg": 3, "output_token_count.sum": 3, "reasoning_token_count.avg": 2, "input_sequence_length.avg": 25,
		"request_throughput.avg": 10, "output_token_throughput.avg": 30, "total_token_throughput.avg": 280,
		"request_count.avg": 4, "error_request_count.avg": 2, "good_request_count.avg": 2, "good_request_fraction.avg": 1. / 3, "goodput.avg": 5,
		"benchmark_duration.avg": 0.4,
	} {
		if path == "output_token_count.sum" {
			value = 3 + 3 + 1 + 3
		}
		want(t, doc, value, strings.Split(path, ".")...)
	}
	ttft, _ := doc["time_to_first_token"].(map[string]any)
	if doc["schema_version"] != "1.5" || ttft["unit"] != "ms" || doc["was_cancelled"] != false {
		t.Errorf("%v %v", doc["schema_version"], ttft)
	}
}

func TestAIPerfLines(t *testing.T) {
	data := written(t, fixtureReport(), rowsFrom(fixtureRows()), "aiperf")["aiperf_run.1.jsonl"]
	lines := bytes.Split(bytes.TrimSpace(data), []byte("\n"))
	if len(lines) != 6 {
		t.Fatalf("%d lines, want 6", len(lines))
	}
	records := map[string]map[string]any{}
	for _, l := range lines {
		var r map[string]any
		if err := json.Unmarshal(l, &r); err != nil {
			t.Fatalf("%v: %s", err, l)
		}
		id, _ := r["metadata"].(map[string]any)["x_request_id"].(string)
		records[id] = r
	}
	want(t, records["run.1-1"], 20, "metrics", "inter_token_latency", "value")
	want(t, records["run.1-1"], 200, "metrics", "time_to_first_token", "value")
	want(t, records["run.1-4"], 429, "error", "code")
	want(t, records["run.1-5"], 499, "error", "code")
	if records["run.1-0"]["error"] != nil || records["run.1-5"]["metadata"].(map[string]any)["was_cancelled"] != true {
		t.Errorf("%v", records["run.1-5"])
	}
}

// TestGuideLLMParity: inter_token_latency is weighted by tokens after the first,
// time_per_output_token holds the first token's time and is weighted by tokens.
func TestGuideLLMParity(t *testing.T) {
	doc := fixture(t, "guidellm", "guidellm_run.1.json")
	b, _ := doc["benchmarks"].([]any)[0].(map[string]any)
	for path, value := range map[string]float64{
		"metrics.inter_token_latency_ms.successful.mean":   110. / 8,
		"metrics.inter_token_latency_ms.successful.median": 10,
		"metrics.inter_token_latency_ms.successful.count":  8,
		"metrics.time_per_output_token_ms.successful.mean": 830. / 12,
		"metrics.time_to_first_token_ms.successful.mean":   180,
		"metrics.time_to_first_token_ms.errored.mean":      0,
		"metrics.request_latency.successful.mean":          0.2085,
		"metrics.request_latency.errored.mean":             0.02,
		"metrics.request_latency.total.count":              6,
		"metrics.output_token_count.successful.total_sum":  12,
		"metrics.requests_per_second.successful.mean":      4 / 0.401,
		"metrics.request_concurrency.successful.max":       3, // the first has ended when the fourth is sent
		"scheduler_metrics.requests_made.errored":          1,
		"scheduler_metrics.requests_made.incomplete":       1,
		"scheduler_metrics.requests_made.total":            6,
		"duration":                                         0.401,
	} {
		want(t, b, value, strings.Split(path, ".")...)
	}
	requests, _ := b["requests"].(map[string]any)
	if n := len(requests["successful"].([]any)); n != 4 {
		t.Errorf("%d successful requests", n)
	}
}

// TestInferencePerfParity: seconds, request latency to the end of the response,
// TTFT to the first content of answers of two tokens or more.
func TestInferencePerfParity(t *testing.T) {
	doc := fixture(t, "inference-perf", "inference-perf_run.1.json")
	latency := doc["successes"].(map[string]any)["latency"].(map[string]any)
	for path, value := range map[string]float64{
		"request_latency.mean": 0.2085, "time_to_first_token.mean": (0.1 + 0.2 + 0.14) / 3, "time_per_output_token.mean": 0.015,
		"time_per_output_token.median": 0.015, "inter_token_latency.mean": 0.11 / 7,
		"normalized_time_per_output_token.mean": (0.131/3 + 0.241/3 + 0.301 + 0.161/5) / 4,
	} {
		want(t, latency, value, strings.Split(path, ".")...)
	}
	if _, ok := latency["request_latency"].(map[string]any)["p99.9"]; !ok {
		t.Error("no p99.9")
	}
	want(t, doc, 4/0.401, "successes", "throughput", "requests_per_sec")
	want(t, doc, 20, "load_summary", "requested_rate")
	want(t, doc, 2, "failures", "count")
	want(t, doc, 1, "failures", "by_label", "http_status", "count")
	want(t, doc, 0.002, "load_summary", "schedule_delay", "mean") // of all that were sent
}

func TestLLMD(t *testing.T) {
	data := written(t, fixtureReport(), rowsFrom(fixtureRows()), "llm-d")["llm-d_run.1.yaml"]
	var doc map[string]any
	if err := yaml.Unmarshal(data, &doc); err != nil {
		t.Fatalf("%v\n%s", err, data)
	}
	if doc["version"] != "0.2" {
		t.Errorf("version %v must be a text", doc["version"])
	}
	raw, err := json.Marshal(doc)
	if err != nil || json.Unmarshal(raw, &doc) != nil {
		t.Fatal(err)
	}
	for path, value := range map[string]float64{
		"latency.time_to_first_token.mean": 0.18, "latency.time_to_first_token.p99": 0.297, "latency.time_per_output_token.mean": 0.015,
		"latency.inter_token_latency.mean": 0.11 / 7, "latency.request_latency.max": 0.3,
		"throughput.output_token_rate.mean": 30, "throughput.request_rate.mean": 10,
		"requests.total": 6, "requests.failures": 1, "requests.incomplete": 1, "requests.output_length.mean": 3,
	} {
		want(t, doc, value, append([]string{"results", "request_performance", "aggregate"}, strings.Split(path, ".")...)...)
	}
}

// TestGolden holds the files as a whole, so that a change of shape is seen.
func TestGolden(t *testing.T) {
	for name, data := range written(t, fixtureReport(), rowsFrom(fixtureRows()), Names()...) {
		path := filepath.Join("testdata", name)
		if *rewrite {
			if err := os.WriteFile(path, data, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		golden, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(data, golden) {
			t.Errorf("%s differs; run with -rewrite and look at the change", path)
		}
	}
}

// TestNothingSucceeded: files of a hopeless run can still be read.
func TestNothingSucceeded(t *testing.T) {
	for _, rows := range [][]report.Row{nil, {fixtureRows()[4]}} {
		for name, data := range written(t, fixtureReport(), rowsFrom(rows), Names()...) {
			var doc any
			if filepath.Ext(name) == ".json" {
				if err := json.Unmarshal(data, &doc); err != nil {
					t.Errorf("%s of %d rows: %v\n%s", name, len(rows), err, data)
				}
			}
		}
	}
}

// TestWithoutStreaming: there is no first token, and none is made up.
func TestWithoutStreaming(t *testing.T) {
	r, no := fixtureReport(), false
	r.Spec.Endpoint.Stream = &no
	var doc map[string]any
	if err := json.Unmarshal(written(t, r, rowsFrom(fixtureRows()), "aiperf")["aiperf_run.1.json"], &doc); err != nil {
		t.Fatal(err)
	}
	if doc["time_to_first_token"] != nil || doc["inter_chunk_latency"] != nil || doc["request_latency"] == nil {
		t.Errorf("%v", doc)
	}
}

func TestUnknownName(t *testing.T) {
	_, err := Files([]string{"vllm", "locust"}, fixtureReport(), rowsFrom(nil))
	if err == nil || err.Error() != `must be of vllm, aiperf, guidellm, inference-perf, llm-d, got "locust"` {
		t.Errorf("got %v", err)
	}
	broken := func() iter.Seq2[report.Row, error] {
		return func(yield func(report.Row, error) bool) { yield(report.Row{}, errors.New("line 3: no")) }
	}
	if _, err := Files([]string{"vllm"}, fixtureReport(), broken); err == nil || !strings.Contains(err.Error(), "line 3") {
		t.Errorf("got %v", err)
	}
}
