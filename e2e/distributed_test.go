package e2e

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/e2e/harness"
	"github.com/stampede-bench/stampede/measure"
	"github.com/stampede-bench/stampede/report"
)

func grpcurl(t *testing.T, c *harness.Cluster, method, body string) string {
	t.Helper()
	r := harness.Command(t, body, harness.Grpcurl(), "-plaintext", "-d", "@", c.GRPC, "stampede.v1.TestService/"+method)
	return r.Must(t, 0).Out
}

func TestThreeAgentsThroughGrpcurlGiveOneReport(t *testing.T) {
	t.Parallel()
	sim := harness.StartSimulator(t, "--ttft", "lognormal:30ms:15ms", "--itl", "normal:3ms:1ms")
	c := harness.StartCluster(t, 3)
	spec := fmt.Sprintf(`{"spec": {"endpoint": {"url": %q}, "dataset": {"input_tokens": "uniform:20:60", "output_tokens": "uniform:5:30"},
		"load": {"warmup": {"duration": "1s"}, "stages": [{"rate": 80, "arrival": "poisson", "duration": "5s"}, {"concurrency": 6, "requests": 90}]},
		"slo": {"ttft": "1s"}, "seed": 7}}`, sim.URL())
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
	if w := harness.Stampede(t, "watch", registered.TestID, "--controller", c.GRPC); w.Code != 0 && w.Code != 3 {
		t.Fatalf("watch ended with %d: %s%s", w.Code, w.Out, w.Err)
	}
	out := t.TempDir()
	harness.Stampede(t, "report", registered.TestID, "--controller", c.GRPC, "--out", out)
	a := harness.ReadRun(t, out, started.RunID)

	harness.MatchAccount(t, a.Rows, sim.Account(t))
	if a.Report.FailRate == nil || *a.Report.FailRate != 0 {
		t.Errorf("fail_rate %v, want 0", a.Report.FailRate)
	}
	if sum := a.Report.Accounting; sum.Planned != sum.Succeeded || int(sum.Planned) != count(a.Rows, measured) {
		t.Errorf("accounting %+v beside %d measured rows", sum, count(a.Rows, measured))
	}
	agents := map[string]int{}
	for _, r := range a.Rows {
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
func checkPercentiles(t *testing.T, figure string, a harness.Artefacts) {
	t.Helper()
	var pooled []float64
	for _, r := range a.Rows {
		if v, ok := seconds(figure, r); ok && measured(r) && r.Status == "succeeded" {
			pooled = append(pooled, v)
		}
	}
	slices.Sort(pooled)
	d := a.Report.Metrics[measure.Figure(figure)]
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
		sim := harness.StartSimulator(t, "--ttft", "5ms")
		out := t.TempDir()
		spec := harness.WriteSpec(t, "endpoint: {url: "+sim.URL()+", model: stampede-sim}\ndataset: {input_tokens: 'normal:60:20', output_tokens: 'uniform:2:9'}\n"+
			"load: {warmup: {requests: 10}, stages: [{rate: 50, arrival: gamma, burstiness: 0.5, duration: 2s}, {rate: 20, end_rate: 60, arrival: constant, duration: 1s}]}\nseed: 42\n")
		r := harness.Stampede(t, "run", "-f", spec, "--agents", fmt.Sprint(n), "--out", out, "--no-progress")
		if r.Code != 0 && r.Code != 3 {
			t.Fatalf("%d agents: exit %d\n%s%s", n, r.Code, r.Out, r.Err)
		}
		a := harness.ReadArtefacts(t, out)
		hashes = append(hashes, a.Hash)
		account := sim.Account(t)
		run := map[string]sent{}
		for _, row := range a.Rows {
			index := row.ID[strings.LastIndex(row.ID, "-"):]
			run[index] = sent{account[row.ID][0].BodyHash, *row.IntendedOffsetNS}
		}
		runs = append(runs, run)
		if got := len(a.Report.Agents); got != n {
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
	sim := harness.StartSimulator(t, "--ttft", "20ms", "--itl", "2ms", "--eos", "uniform:5:40")
	out := t.TempDir()
	began := time.Now()
	r := harness.Stampede(t, "run", "-f", "../examples/seed.json", "--url", sim.URL(), "--out", out, "--no-progress")
	if r.Code != 0 && r.Code != 3 {
		t.Fatalf("exit %d\n%s%s", r.Code, r.Out, r.Err)
	}
	if took := time.Since(began); took < 58*time.Second {
		t.Errorf("it took %s, the schedule has its last request at 59 s", took)
	}
	a := harness.ReadArtefacts(t, out)
	if a.Report.RequestNum != 591 || *a.Report.FailRate != 0 || len(a.Rows) != 591 {
		t.Errorf("request_num %d, fail_rate %v, %d rows; want 591, 0, 591", a.Report.RequestNum, *a.Report.FailRate, len(a.Rows))
	}
	harness.MatchAccount(t, a.Rows, sim.Account(t))
}

func TestSeveralTestsAtATimeOnOneController(t *testing.T) {
	t.Parallel()
	sim := harness.StartSimulator(t, "--ttft", "20ms", "--itl", "2ms")
	c := harness.StartCluster(t, 2)
	var runs []*harness.Process
	var outs []string
	for i := range 3 {
		out := t.TempDir()
		outs = append(outs, out)
		runs = append(runs, harness.Start(t, "run", "--controller", c.GRPC, "--url", sim.URL(), "--rate", fmt.Sprint(10*(i+1)), "--arrival", "constant",
			"--duration", "3s", "--output-tokens", "8", "--out", out, "--no-progress"))
	}
	var rows []report.Row
	for i, r := range runs {
		if code := r.Wait(60 * time.Second); code != 0 && code != 3 {
			t.Fatalf("run %d: exit %d\n%s%s", i, code, r.Stdout(), r.Stderr())
		}
		a := harness.ReadArtefacts(t, outs[i])
		if want := int64(30 * (i + 1)); a.Report.Accounting.Planned != want || a.Report.Accounting.Succeeded != want {
			t.Errorf("run %d: %+v, want %d planned and succeeded", i, a.Report.Accounting, want)
		}
		rows = append(rows, a.Rows...)
	}
	harness.MatchAccount(t, rows, sim.Account(t))
}
