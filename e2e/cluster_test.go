package e2e

import (
	"bufio"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/report"
	"github.com/stampede-bench/stampede/simulate"
)

// simulator is a model server in a process of its own.
type simulator struct {
	*process
	addr string
}

func startSimulator(t *testing.T, args ...string) simulator {
	t.Helper()
	p := start(t, append([]string{"simulate", "--addr", "127.0.0.1:0"}, args...)...)
	return simulator{process: p, addr: p.after("simulator listening on ")}
}

func (s simulator) url() string { return "http://" + s.addr + "/v1" }

// account is what the simulator served, by request id; the preflight probe is
// left out. It waits until nothing is in flight there.
func (s simulator) account(t *testing.T) map[string][]simulate.Record {
	t.Helper()
	s.settle(t)
	resp, err := http.Get("http://" + s.addr + "/account")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	served := map[string][]simulate.Record{}
	scanner := bufio.NewScanner(resp.Body)
	scanner.Buffer(nil, 16<<20)
	for scanner.Scan() {
		var r simulate.Record
		if err := json.Unmarshal(scanner.Bytes(), &r); err != nil {
			t.Fatalf("account: %v in %q", err, scanner.Text())
		}
		if !strings.HasSuffix(r.ID, "-preflight") {
			served[r.ID] = append(served[r.ID], r)
		}
	}
	if err := scanner.Err(); err != nil {
		t.Fatal(err)
	}
	return served
}

func (s simulator) settle(t *testing.T) {
	t.Helper()
	for range 200 {
		if s.summary(t).InFlight == 0 {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("the simulator still has requests in flight after 10 s")
}

func (s simulator) summary(t *testing.T) simulate.Summary {
	t.Helper()
	resp, err := http.Get("http://" + s.addr + "/account/summary")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var sum simulate.Summary
	if err := json.NewDecoder(resp.Body).Decode(&sum); err != nil {
		t.Fatal(err)
	}
	return sum
}

// cluster is a controller with agents, each a process.
type cluster struct {
	controller *process
	agents     []*process
	grpc, http string
	dataDir    string
}

func startCluster(t *testing.T, agents int) cluster {
	t.Helper()
	c := cluster{dataDir: t.TempDir()}
	c.controller = start(t, "controller", "--grpc-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0", "--data-dir", c.dataDir)
	c.grpc = c.controller.after("grpc listening on ")
	c.http = c.controller.after("http listening on ")
	for i := range agents {
		c.agents = append(c.agents, start(t, "agent", "--controller", c.grpc, "--name", "agent-"+string(rune('a'+i))))
	}
	c.awaitAgents(t, agents)
	return c
}

func (c cluster) awaitAgents(t *testing.T, n int) {
	t.Helper()
	for range 200 {
		out := stampede(t, "agents", "--controller", c.grpc).out
		if strings.Count(out, "\n") == n+1 {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("not %d agents within 10 s; controller says:\n%s", n, c.controller.stderr())
}

// artefacts are the files of one run.
type artefacts struct {
	report *report.Report
	rows   []report.Row
	hash   string
}

// readArtefacts reads the one run in dir.
func readArtefacts(t *testing.T, dir string) artefacts {
	t.Helper()
	names, _ := filepath.Glob(filepath.Join(dir, "report_*.*.json"))
	if len(names) != 1 {
		entries, _ := os.ReadDir(dir)
		t.Fatalf("want one report of a run in %s, got %v among %v", dir, names, entries)
	}
	id := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(names[0]), "report_"), ".json")
	return readRun(t, dir, id)
}

func readRun(t *testing.T, dir, id string) artefacts {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "report_"+id+".json"))
	if err != nil {
		t.Fatal(err)
	}
	rep, err := report.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(filepath.Join(dir, "requests_"+id+".jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	a := artefacts{report: rep}
	for row, err := range report.ReadRows(f) {
		if err != nil {
			t.Fatal(err)
		}
		a.rows = append(a.rows, row)
	}
	hash, err := os.ReadFile(filepath.Join(dir, "workload_hash_"+id+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	a.hash = strings.TrimSpace(string(hash))
	return a
}

// matchAccount holds rows against what the endpoint served, request by request:
// none missing, none twice.
func matchAccount(t *testing.T, rows []report.Row, served map[string][]simulate.Record) {
	t.Helper()
	seen := map[string]bool{}
	for _, row := range rows {
		if seen[row.ID] {
			t.Errorf("%s has two rows", row.ID)
		}
		seen[row.ID] = true
		checkServed(t, row, served[row.ID])
	}
	for id, records := range served {
		if !seen[id] {
			t.Errorf("%s was served %d times and has no row", id, len(records))
		}
	}
}

// checkServed: each attempt came once, and the row is of the last one.
func checkServed(t *testing.T, row report.Row, records []simulate.Record) {
	t.Helper()
	attempts := map[int]int{}
	for _, r := range records {
		attempts[r.Attempt]++
	}
	for attempt, n := range attempts {
		if n != 1 || attempt > int(row.Attempt) {
			t.Errorf("%s (%s, attempt %d) was served %d times with attempt %d", row.ID, row.Status, row.Attempt, n, attempt)
		}
	}
	if attempts[int(row.Attempt)] != 1 {
		t.Errorf("%s (%s) was not served with attempt %d: %v", row.ID, row.Status, row.Attempt, attempts)
	}
}

func writeSpec(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "spec.yaml")
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}
