//go:build linux

package fault

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stampede-bench/stampede/e2e/harness"
	"github.com/stampede-bench/stampede/report"
)

// TestTrialsGoOnAfterARestart: the controller is killed in the second of three
// trials; the test ends with all three, and the report of all outlives another
// restart.
func TestTrialsGoOnAfterARestart(t *testing.T) {
	t.Parallel()
	sim := harness.StartSimulator(t, "--ttft", "10ms", "--itl", "1ms")
	c := harness.StartCluster(t, 2)
	id := strings.TrimSpace(harness.Stampede(t, "register", "--controller", c.GRPC, "--url", sim.URL(), "--rate", "20",
		"--arrival", "constant", "--duration", "4s", "--output-tokens", "3", "--trials", "3").Must(t, 0).Out)
	harness.Stampede(t, "start", id, "--controller", c.GRPC).Must(t, 0)
	sim.Await(t, 100)
	c.Controller.Kill()
	c.Restart(t)
	if w := harness.Stampede(t, "watch", id, "--controller", c.GRPC); w.Code != 0 && w.Code != 3 {
		t.Fatalf("watch ended with %d: %s%s", w.Code, w.Out, w.Err)
	}
	got := combined(t, c, id)
	if got.Trials.N != 3 || got.Accounting.Planned != 240 || got.Accounting.Succeeded+got.Accounting.Lost != 240 {
		t.Errorf("trials %+v, accounting %+v", got.Trials, got.Accounting)
	}
	c.Controller.Kill()
	c.Restart(t)
	after := combined(t, c, id)
	if after.Accounting != got.Accounting || fmt.Sprint(after.Trials.Runs) != fmt.Sprint(got.Trials.Runs) {
		t.Errorf("after another restart: %+v, %+v", after.Trials, after.Accounting)
	}
}

func combined(t *testing.T, c *harness.Cluster, id string) *report.Report {
	t.Helper()
	r := harness.Stampede(t, "report", id, "--controller", c.GRPC, "--format", "json")
	rep, err := report.Parse([]byte(r.Out))
	if err != nil {
		t.Fatalf("%v\n%s%s", err, r.Out, r.Err)
	}
	if rep.Trials == nil {
		t.Fatal("the report is not of several trials")
	}
	return rep
}
