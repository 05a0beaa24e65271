//go:build linux

package fault

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/e2e/harness"
	"github.com/stampede-bench/stampede/report"
	"github.com/stampede-bench/stampede/simulate"
)

// TestMain lets all tests run beside one another: they wait rather than compute.
func TestMain(m *testing.M) {
	flag.Parse()
	_ = flag.Set("test.parallel", "12")
	os.Exit(harness.Main(m))
}

// Terms that make a death quick to notice. What an agent may send reaches a lease
// and a heartbeat ahead.
const (
	lease     = 2 * time.Second
	heartbeat = 400 * time.Millisecond
	ahead     = lease + heartbeat
)

var terms = []string{"--lease", lease.String(), "--heartbeat", heartbeat.String(), "--rejoin-grace", "3s"}

// running is a run on a cluster.
type running struct {
	c   *harness.Cluster
	sim harness.Simulator
	id  string
}

// load is an open loop of rate requests a second for some seconds.
func load(sim harness.Simulator, rate int, length time.Duration) string {
	return fmt.Sprintf("endpoint: {url: %s, model: stampede-sim}\ndataset: {input_tokens: 20, output_tokens: 5}\n"+
		"load: {stages: [{rate: %d, arrival: constant, duration: %s}]}\nseed: 5\n", sim.URL(), rate, length)
}

// begin starts a run of a spec.
func begin(t *testing.T, c *harness.Cluster, sim harness.Simulator, spec string) running {
	t.Helper()
	test := harness.Stampede(t, "register", "--controller", c.GRPC, "-f", harness.WriteSpec(t, spec)).Must(t, 0).Out
	id := harness.Stampede(t, "start", strings.TrimSpace(test), "--controller", c.GRPC).Must(t, 0).Out
	return running{c: c, sim: sim, id: strings.TrimSpace(id)}
}

// ended waits for the run's end and reads what it left.
func (r running) ended(t *testing.T) harness.Artefacts {
	t.Helper()
	w := harness.Stampede(t, "watch", r.id, "--controller", r.c.GRPC)
	if strings.Contains(w.Err, "stampede: rpc") {
		t.Fatalf("watch ended with %d: %s%s", w.Code, w.Out, w.Err)
	}
	return r.read(t)
}

func (r running) read(t *testing.T) harness.Artefacts {
	t.Helper()
	out := t.TempDir()
	if got := harness.Stampede(t, "report", r.id, "--controller", r.c.GRPC, "--out", out); !slices.Contains([]int{0, 1, 3, 130}, got.Code) {
		t.Fatalf("report ended with %d: %s%s", got.Code, got.Out, got.Err)
	}
	a := harness.ReadRun(t, out, r.id)
	harness.AddsUp(t, a.Report)
	if t.Failed() {
		t.Logf("controller:\n%s", r.c.Controller.Stderr())
	}
	return a
}

// hold checks rows against what was served.
func (r running) hold(t *testing.T, a harness.Artefacts) {
	t.Helper()
	served := r.sim.Account(t)
	harness.MatchAccount(t, a.Rows, served)
	onlyTheDeadLost(t, a, served)
	if t.Failed() {
		t.Logf("accounting %+v\ncontroller:\n%s", a.Report.Accounting, r.c.Controller.Stderr())
	}
}

// onlyTheDeadLost holds that what was served and has no outcome was sent by an
// agent that died: the others told of everything they sent, sooner or later.
func onlyTheDeadLost(t *testing.T, a harness.Artefacts, served map[string][]simulate.Record) {
	t.Helper()
	dead := map[string]bool{}
	for _, g := range a.Report.Agents {
		dead[g.Name] = g.Lost != nil && !g.Lost.Returned
	}
	for _, row := range a.Rows {
		if row.Status == "lost" && len(served[row.ID]) > 0 && !dead[row.Agent] {
			t.Errorf("%s of %s is lost although it was served and its agent lived or came back", row.ID, row.Agent)
		}
	}
}

// agentOf returns an agent's entry of a report.
func agentOf(t *testing.T, a harness.Artefacts, name string) report.AgentReport {
	t.Helper()
	for _, g := range a.Report.Agents {
		if g.Name == name {
			return g
		}
	}
	t.Fatalf("the report has no agent %s among %d", name, len(a.Report.Agents))
	return report.AgentReport{}
}

// wantLost checks that exactly so many entries are lost, or with most > 0 at
// least one and at most that many.
func wantLost(t *testing.T, a harness.Artefacts, least, most int64) {
	t.Helper()
	if lost := a.Report.Accounting.Lost; lost < least || lost > most {
		t.Errorf("%d lost, want %d to %d: %+v", lost, least, most, a.Report.Accounting)
	}
}

// intendedAfter counts the rows of an agent that were due after an instant and
// were sent.
func intendedAfter(a harness.Artefacts, agent string, after time.Time) int {
	n := 0
	for _, r := range a.Rows {
		if r.Agent == agent && r.SentUnixNS != nil && r.IntendedUnixNS != nil && *r.IntendedUnixNS > after.UnixNano() {
			n++
		}
	}
	return n
}

// sentInOrder lists when requests were sent, Unix nanoseconds.
func sentInOrder(a harness.Artefacts) []int64 {
	var at []int64
	for _, r := range a.Rows {
		if r.SentUnixNS != nil {
			at = append(at, *r.SentUnixNS)
		}
	}
	slices.Sort(at)
	return at
}
