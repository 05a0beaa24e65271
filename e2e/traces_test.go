package e2e

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/e2e/harness"
	"github.com/stampede-bench/stampede/report"
	"github.com/stampede-bench/stampede/simulate"
)

// arrival is one row of a trace, as these tests read it by themselves.
type arrival struct {
	at      time.Duration // since the first
	in, out int
	blocks  []int64
}

func traceFile(name string) string {
	return filepath.Join("..", "workload", "source", "testdata", name)
}

func azureTrace(t *testing.T) []arrival {
	t.Helper()
	f, err := os.Open(traceFile("azure_conv.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var all []arrival
	var first time.Time
	for _, row := range rows[1:] {
		at, err := time.Parse("2006-01-02 15:04:05", row[0])
		if err != nil {
			t.Fatal(err)
		}
		if len(all) == 0 {
			first = at
		}
		in, _ := strconv.Atoi(row[1])
		out, _ := strconv.Atoi(row[2])
		all = append(all, arrival{at: at.Sub(first), in: in, out: out})
	}
	return all
}

func mooncakeTrace(t *testing.T) []arrival {
	t.Helper()
	f, err := os.Open(traceFile("mooncake_conversation.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all []arrival
	for s := bufio.NewScanner(f); s.Scan(); {
		var row struct {
			Timestamp     int64   `json:"timestamp"`
			Input, Output int     `json:"-"`
			In            int     `json:"input_length"`
			Out           int     `json:"output_length"`
			Blocks        []int64 `json:"hash_ids"`
		}
		if err := json.Unmarshal(s.Bytes(), &row); err != nil {
			t.Fatal(err)
		}
		all = append(all, arrival{time.Duration(row.Timestamp) * time.Millisecond, row.In, row.Out, row.Blocks})
	}
	return all
}

// served pairs each row of a trace with the request that the server got for it.
func served(t *testing.T, sim harness.Simulator, a harness.Artefacts, trace []arrival) []simulate.Record {
	t.Helper()
	account := sim.Account(t)
	harness.MatchAccount(t, a.Rows, account)
	byIndex := make([]simulate.Record, len(trace))
	for _, row := range a.Rows {
		if row.Index < 0 || int(row.Index) >= len(trace) {
			t.Fatalf("row of index %d, the trace has %d", row.Index, len(trace))
		}
		byIndex[row.Index] = account[row.ID][0]
	}
	if len(a.Rows) != len(trace) {
		t.Fatalf("%d requests for %d rows of the trace", len(a.Rows), len(trace))
	}
	return byIndex
}

// holdArrivals holds the instants at which requests arrived at the server against
// the trace, each by itself: none early, and as late as they left, give or take.
func holdArrivals(t *testing.T, a harness.Artefacts, got []simulate.Record, trace []arrival, scale int64) {
	t.Helper()
	rows := slices.Clone(a.Rows)
	slices.SortFunc(rows, func(x, y report.Row) int { return int(x.Index - y.Index) })
	var late []int64
	for i, row := range rows {
		want := int64(trace[i].at) / scale
		if row.IntendedOffsetNS == nil || *row.IntendedOffsetNS != want {
			t.Fatalf("request %d is scheduled at %+v, the trace says %v", i, row, time.Duration(want))
		}
		left := *row.SentUnixNS - *row.IntendedUnixNS
		over := got[i].Arrival - *row.IntendedUnixNS
		if over < -int64(time.Millisecond) || over > left+int64(200*time.Millisecond) {
			t.Errorf("request %d arrived %v after its time, though it left %v after it", i, time.Duration(over), time.Duration(left))
		}
		// By the server's clock alone, from one request to another.
		late = append(late, got[i].Arrival-want)
	}
	first := slices.Min(late)
	slices.Sort(late)
	if p50 := time.Duration(late[len(late)/2] - first); p50 > 50*time.Millisecond {
		t.Errorf("half of the requests arrived more than %v off the trace", p50)
	}
}

// TestAzureTraceAtTheServer replays real rows at five times their speed, on one
// agent and on three.
func TestAzureTraceAtTheServer(t *testing.T) {
	t.Parallel()
	trace := azureTrace(t)
	args := []string{"--trace", traceFile("azure_conv.csv"), "--time-scale", "5", "--seed", "3", "--endpoint-type", "vllm"}
	plan := harness.Stampede(t, append([]string{"plan", "--url", "http://h/v1"}, args...)...)
	_, planned, found := strings.Cut(plan.Out, "workload hash ")
	if !found {
		t.Fatalf("plan ends with %d\n%s%s", plan.Code, plan.Out, plan.Err)
	}
	hashes := []string{planned}
	for _, agents := range []int{1, 3} {
		sim := harness.StartSimulator(t)
		out := t.TempDir()
		run := append([]string{"run", "--url", sim.URL(), "--no-progress", "--out", out}, args...)
		if agents > 1 {
			run = append(run, "--controller", harness.StartCluster(t, agents).GRPC)
		}
		if r := harness.Stampede(t, run...); r.Code != 0 && r.Code != 3 {
			t.Fatalf("exit status %d\n%s%s", r.Code, r.Out, r.Err)
		}
		a := harness.ReadArtefacts(t, out)
		got := served(t, sim, a, trace)
		holdArrivals(t, a, got, trace, 5)
		for i, r := range got {
			if r.InputTokens != trace[i].in || r.OutputAsked != trace[i].out || r.OutputTokens != trace[i].out {
				t.Errorf("request %d: %d tokens, %d of %d asked for; the trace says %d and %d", i, r.InputTokens, r.OutputTokens, r.OutputAsked, trace[i].in, trace[i].out)
			}
		}
		hashes = append(hashes, a.Hash)
	}
	for _, h := range hashes {
		if strings.TrimSpace(h) != strings.TrimSpace(hashes[1]) {
			t.Errorf("hashes of the plan, of one agent and of three: %q", hashes)
		}
	}
}

// TestMooncakeTraceSharesPrefixes replays real rows and looks at what the server
// got: prompts begin alike exactly as far as their block hashes do.
func TestMooncakeTraceSharesPrefixes(t *testing.T) {
	t.Parallel()
	const block = 512
	trace := mooncakeTrace(t)
	sim := harness.StartSimulator(t, "--account-blocks", strconv.Itoa(block), "--prefix-cache-blocks", "100000")
	out := t.TempDir()
	r := harness.Stampede(t, "run", "--url", sim.URL(), "--trace", traceFile("mooncake_conversation.jsonl"), "--time-scale", "40",
		"--max-tokens", "5", "--agents", "3", "--no-progress", "--out", out)
	if r.Code != 0 && r.Code != 3 {
		t.Fatalf("exit status %d\n%s%s", r.Code, r.Out, r.Err)
	}
	a := harness.ReadArtefacts(t, out)
	got := served(t, sim, a, trace)
	holdArrivals(t, a, got, trace, 40)
	shared := 0
	for i := range trace {
		if got[i].InputTokens != trace[i].in {
			t.Fatalf("request %d has %d tokens, the trace says %d", i, got[i].InputTokens, trace[i].in)
		}
		for j := range i {
			whole := min(trace[i].in, trace[j].in) / block
			want := min(common(trace[i].blocks, trace[j].blocks), whole)
			if n := min(common(got[i].PromptBlocks, got[j].PromptBlocks), whole); n != want {
				t.Fatalf("requests %d and %d begin with %d common blocks at the server, the trace says %d", i, j, n, want)
			}
			shared = max(shared, want)
		}
	}
	if shared < 4 {
		t.Fatalf("no two requests share more than %d blocks, so the test shows little", shared)
	}
	// What the server found in its cache is what a cache of the trace's blocks holds.
	known, want, cached := map[int64]bool{}, 0, 0
	for i := range trace {
		hit := true
		for k, id := range trace[i].blocks {
			if hit = hit && known[id] && (k+1)*block <= trace[i].in; hit {
				want += block
			}
			known[id] = true
		}
		cached += got[i].CachedTokens
	}
	if cached < want*95/100 || cached > want*105/100 {
		t.Errorf("the server found %d tokens in its cache, by the trace it is %d", cached, want)
	}
	for _, n := range a.Report.Verdict.Notices {
		if strings.Contains(n, "prefix cache") && strings.Contains(n, "none were asked for") {
			t.Errorf("the trace asks for shared prefixes, and yet: %s", n)
		}
	}
}

// common is how many elements two lists begin with in common.
func common[T comparable](a, b []T) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}
