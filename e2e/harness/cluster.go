package harness

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/report"
	"github.com/stampede-bench/stampede/simulate"
)

// Simulator is a model server in a process of its own.
type Simulator struct {
	*Process
	Addr string
}

// StartSimulator starts one on a port of its own unless args name one.
func StartSimulator(t *testing.T, args ...string) Simulator {
	t.Helper()
	p := Start(t, append([]string{"simulate", "--addr", "127.0.0.1:0"}, args...)...)
	return Simulator{Process: p, Addr: p.After("simulator listening on ")}
}

// URL is the base URL of its API.
func (s Simulator) URL() string { return "http://" + s.Addr + "/v1" }

// Account is what the simulator served, by request id; the preflight probe is
// left out. It waits until nothing is in flight there.
func (s Simulator) Account(t *testing.T) map[string][]simulate.Record {
	t.Helper()
	s.settle(t)
	resp, err := http.Get("http://" + s.Addr + "/account")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	return records(t, resp.Body)
}

// AccountFile is the same of a simulator that was told to keep a file and has
// ended.
func AccountFile(t *testing.T, path string) map[string][]simulate.Record {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return records(t, f)
}

func records(t *testing.T, from io.Reader) map[string][]simulate.Record {
	t.Helper()
	served := map[string][]simulate.Record{}
	scanner := bufio.NewScanner(from)
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

func (s Simulator) settle(t *testing.T) {
	t.Helper()
	for range 200 {
		if s.summary(t).InFlight == 0 {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("the simulator still has requests in flight after 10 s")
}

func (s Simulator) summary(t *testing.T) simulate.Summary {
	t.Helper()
	resp, err := http.Get("http://" + s.Addr + "/account/summary")
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

// Await waits until so many requests have come.
func (s Simulator) Await(t *testing.T, n int64) {
	t.Helper()
	for range 600 {
		if s.summary(t).Requests >= n {
			return
		}
		time.Sleep(25 * time.Millisecond)
	}
	t.Fatalf("the simulator has not seen %d requests in 15 s: %+v", n, s.summary(t))
}

// Cluster is a controller with agents, each a process.
type Cluster struct {
	Controller *Process
	Agents     []*Process
	GRPC, HTTP string
	DataDir    string
	args       []string
}

// StartCluster starts a controller with args and agents agent-a, agent-b and so
// on, and waits until they are connected.
func StartCluster(t *testing.T, agents int, args ...string) *Cluster {
	t.Helper()
	c := StartController(t, args...)
	for i := range agents {
		c.StartAgent(t, "agent-"+string(rune('a'+i)), c.GRPC)
	}
	c.AwaitAgents(t, agents)
	return c
}

// StartController starts a controller alone.
func StartController(t *testing.T, args ...string) *Cluster {
	t.Helper()
	c := &Cluster{DataDir: t.TempDir(), GRPC: "127.0.0.1:0", HTTP: "127.0.0.1:0", args: args}
	c.Restart(t)
	return c
}

// Restart starts the controller again, on the same ports and data.
func (c *Cluster) Restart(t *testing.T) {
	t.Helper()
	args := append([]string{"controller", "--grpc-addr", c.GRPC, "--http-addr", c.HTTP, "--data-dir", c.DataDir}, c.args...)
	c.Controller = Start(t, args...)
	c.GRPC = c.Controller.After("grpc listening on ")
	c.HTTP = c.Controller.After("http listening on ")
}

// StartAgent adds an agent that reaches the controller at addr.
func (c *Cluster) StartAgent(t *testing.T, name, addr string) *Process {
	t.Helper()
	p := Start(t, "agent", "--controller", addr, "--name", name)
	c.Agents = append(c.Agents, p)
	return p
}

// AwaitAgents waits until n agents are connected.
func (c *Cluster) AwaitAgents(t *testing.T, n int) {
	t.Helper()
	for range 200 {
		out := Stampede(t, "agents", "--controller", c.GRPC).Out
		if strings.Count(out, "\n") == n+1 {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("not %d agents within 10 s; controller says:\n%s", n, c.Controller.Stderr())
}

// Artefacts are the files of one run.
type Artefacts struct {
	Report *report.Report
	Rows   []report.Row
	Hash   string
}

// ReadArtefacts reads the one run in dir.
func ReadArtefacts(t *testing.T, dir string) Artefacts {
	t.Helper()
	names, _ := filepath.Glob(filepath.Join(dir, "report_*.*.json"))
	if len(names) != 1 {
		entries, _ := os.ReadDir(dir)
		t.Fatalf("want one report of a run in %s, got %v among %v", dir, names, entries)
	}
	id := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(names[0]), "report_"), ".json")
	return ReadRun(t, dir, id)
}

// ReadRun reads the run with an id in dir.
func ReadRun(t *testing.T, dir, id string) Artefacts {
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
	a := Artefacts{Report: rep}
	for row, err := range report.ReadRows(f) {
		if err != nil {
			t.Fatal(err)
		}
		a.Rows = append(a.Rows, row)
	}
	hash, err := os.ReadFile(filepath.Join(dir, "workload_hash_"+id+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	a.Hash = strings.TrimSpace(string(hash))
	return a
}

// MatchAccount holds rows against what the endpoint served, request by request:
// none missing, none twice.
func MatchAccount(t *testing.T, rows []report.Row, served map[string][]simulate.Record) {
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

// checkServed: each attempt came once, and the row is of the last one. A lost
// entry may have been served, and never twice.
func checkServed(t *testing.T, row report.Row, records []simulate.Record) {
	t.Helper()
	attempts := map[int]int{}
	for _, r := range records {
		attempts[r.Attempt]++
	}
	for attempt, n := range attempts {
		if n != 1 || attempt > int(row.Attempt) && row.Status != "lost" {
			t.Errorf("%s (%s, attempt %d) was served %d times with attempt %d", row.ID, row.Status, row.Attempt, n, attempt)
		}
	}
	if row.Status != "lost" && attempts[int(row.Attempt)] != 1 {
		t.Errorf("%s (%s) was not served with attempt %d: %v", row.ID, row.Status, row.Attempt, attempts)
	}
}

// WriteSpec keeps a spec in a file and returns its name.
func WriteSpec(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "spec.yaml")
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

// AddsUp holds a report's account to the unit: every planned entry has one
// outcome.
func AddsUp(t *testing.T, rep *report.Report) {
	t.Helper()
	a := rep.Accounting
	if sum := a.Succeeded + a.Failed + a.TimedOut + a.Cancelled + a.Unsent + a.Lost; a.Planned != sum {
		t.Errorf("planned %d is not the sum %d of %+v", a.Planned, sum, a)
	}
}
