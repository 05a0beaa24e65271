package e2e

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/measure"
	"github.com/stampede-bench/stampede/report"
)

func grpcurl(t *testing.T, c cluster, method, body string) string {
	t.Helper()
	r := command(t, body, grpcurlBinary, "-plaintext", "-d", "@", c.grpc, "stampede.v1.TestService/"+method)
	return r.must(t, 0).out
}

func TestThreeAgentsThroughGrpcurlGiveOneReport(t *testing.T) {
	t.Parallel()
	sim := startSimulator(t, "--ttft", "lognormal:30ms:15ms", "--itl", "normal:3ms:1ms")
	c := startCluster(t, 3)
	spec := fmt.Sprintf(`{"spec": {"endpoint": {"url": %q}, "dataset": {"input_tokens": "uniform:20:60", "output_tokens": "uniform:5:30"},
		"load": {"warmup": {"duration": "1s"}, "stages": [{"rate": 80, "arrival": "poisson", "duration": "5s"}, {"concurrency": 6, "requests": 90}]},
		"slo": {"ttft": "1s"}, "seed": 7}}`, sim.url())
	var registered struct{ TestID string }
	decode(t, grpcurl(t, c, "RegisterTest", spec), &registered)
	if len(registered.TestID) != 36 {
		t.Fatalf("testId %q, want a UUID in its 36-character form", registered.TestID)
	}
	var started struct{ RunID string }
	decode(t, grpcurl(t, c, "StartTest", fmt.Sprintf(`{"test_id": %q}`, registered.TestID)), &started)
	if started.RunID != registered.TestID+".1" {
		t.Fatalf("runId %q, want %s.1", started.RunID, registered.TestID)
	}
	if w := stampede(t, "watch", registered.TestID, "--controller", c.grpc); w.code != 0 && w.code != 3 {
		t.Fatalf("watch ended with %d: %s%s", w.code, w.out, w.err)
	}
	out := t.TempDir()
	stampede(t, "report", registered.TestID, "--controller", c.grpc, "--out", out)
	a := readRun(t, out, started.RunID)

	matchAccount(t, a.rows, sim.account(t))
	if a.report.FailRate == nil || *a.report.FailRate != 0 {
		t.Errorf("fail_rate %v, want 0", a.report.FailRate)
	}
	if sum := a.report.Accounting; sum.Planned != sum.Succeeded || int(sum.Planned) != count(a.rows, measured) {
		t.Errorf("accounting %+v beside %d measured rows", sum, count(a.rows, measured))
	}
	agents := map[string]int{}
	for _, r := range a.rows {
		agents[r.Agent]++
	}
	if len(agents) != 3 {
		t.Errorf("rows by agent: %v, want all three", agents)
	}
	for _, figure := range []string{"ttft", "e2e", "tpot", "lateness"} {
		checkPercentiles(t, figure, a)
	}
}

func decode(t *testing.T, text string, to any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), to); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
}

func measured(r report.Row) bool { return r.Phase == "measure" }

func count(rows []report.Row, match func(report.Row) bool) int {
	n := 0
	for _, r := range rows {
		if match(r) {
			n++
		}
	}
	return n
}

// seconds of one figure of a row, by the formula of docs/metrics.md.
func seconds(figure string, r report.Row) (float64, bool) {
	between := func(from, to *int64) (float64, bool) {
		if from == nil || to == nil {
			return 0, false
		}
		return float64(*to-*from) / 1e9, true
	}
	switch figure {
	case "ttft":
		return between(r.SentUnixNS, r.FirstTokenUnixNS)
	case "e2e":
		return between(r.SentUnixNS, r.LastTokenUnixNS)
	case "lateness":
		return between(r.IntendedUnixNS, r.SentUnixNS)
	case "tpot":
		d, ok := between(r.FirstTokenUnixNS, r.LastTokenUnixNS)
		first := int32(1)
		if len(r.ChunkTokens) > 0 {
			first = r.ChunkTokens[0]
		}
		if !ok || len(r.ChunkOffsetsNS) < 2 || *r.OutputTokens <= first {
			return 0, false
		}
		return d / float64(*r.OutputTokens-first), true
	}
	return 0, false
}

// checkPercentiles holds merged percentiles against those of the pooled rows:
// within the histogram's precision of three digits.
func checkPercentiles(t *testing.T, figure string, a artefacts) {
	t.Helper()
	var pooled []float64
	for _, r := range a.rows {
		if v, ok := seconds(figure, r); ok && measured(r) && r.Status == "succeeded" {
			pooled = append(pooled, v)
		}
	}
	slices.Sort(pooled)
	d := a.report.Metrics[measure.Figure(figure)]
	if d == nil || int(d.Count) != len(pooled) {
		t.Errorf("%s: %+v, want %d values", figure, d, len(pooled))
		return
	}
	for q, got := range map[float64]*float64{0.5: d.P50, 0.9: d.P90, 0.99: d.P99} {
		want := pooled[int(math.Ceil(q*float64(len(pooled))))-1]
		if got == nil || math.Abs(*got-want) > want*0.001+2e-6 {
			t.Errorf("%s p%g: report %v, rows %v", figure, q*100, got, want)
		}
	}
}

func TestSameBodiesAtSameOffsetsOnAnyNumberOfAgents(t *testing.T) {
	t.Parallel()
	type sent struct {
		body   string
		offset int64
	}
	var hashes []string
	var runs []map[string]sent
	for n := 1; n <= 3; n++ {
		sim := startSimulator(t, "--ttft", "5ms")
		out := t.TempDir()
		spec := writeSpec(t, "endpoint: {url: "+sim.url()+", model: stampede-sim}\ndataset: {input_tokens: 'normal:60:20', output_tokens: 'uniform:2:9'}\n"+
			"load: {warmup: {requests: 10}, stages: [{rate: 50, arrival: gamma, burstiness: 0.5, duration: 2s}, {rate: 20, end_rate: 60, arrival: constant, duration: 1s}]}\nseed: 42\n")
		r := stampede(t, "run", "-f", spec, "--agents", fmt.Sprint(n), "--out", out, "--no-progress")
		if r.code != 0 && r.code != 3 {
			t.Fatalf("%d agents: exit %d\n%s%s", n, r.code, r.out, r.err)
		}
		a := readArtefacts(t, out)
		hashes = append(hashes, a.hash)
		account := sim.account(t)
		run := map[string]sent{}
		for _, row := range a.rows {
			index := row.ID[strings.LastIndex(row.ID, "-"):]
			run[index] = sent{account[row.ID][0].BodyHash, *row.IntendedOffsetNS}
		}
		runs = append(runs, run)
		if got := len(a.report.Agents); got != n {
			t.Errorf("%d agents in the report, want %d", got, n)
		}
	}
	for n := 1; n < 3; n++ {
		if hashes[n] != hashes[0] {
			t.Errorf("workload hash with %d agents %s, with one %s", n+1, hashes[n], hashes[0])
		}
		if len(runs[n]) != len(runs[0]) {
			t.Errorf("%d agents sent %d requests, one sent %d", n+1, len(runs[n]), len(runs[0]))
		}
		for index, s := range runs[0] {
			if runs[n][index] != s {
				t.Errorf("request %s with %d agents: %+v, with one: %+v", index, n+1, runs[n][index], s)
			}
		}
	}
}

func TestSeedBodyGives591(t *testing.T) {
	t.Parallel()
	sim := startSimulator(t, "--ttft", "20ms", "--itl", "2ms", "--eos", "uniform:5:40")
	out := t.TempDir()
	began := time.Now()
	r := stampede(t, "run", "-f", "../examples/seed.json", "--url", sim.url(), "--out", out, "--no-progress")
	if r.code != 0 && r.code != 3 {
		t.Fatalf("exit %d\n%s%s", r.code, r.out, r.err)
	}
	if took := time.Since(began); took < 58*time.Second {
		t.Errorf("it took %s, the schedule has its last request at 59 s", took)
	}
	a := readArtefacts(t, out)
	if a.report.RequestNum != 591 || *a.report.FailRate != 0 || len(a.rows) != 591 {
		t.Errorf("request_num %d, fail_rate %v, %d rows; want 591, 0, 591", a.report.RequestNum, *a.report.FailRate, len(a.rows))
	}
	matchAccount(t, a.rows, sim.account(t))
}
