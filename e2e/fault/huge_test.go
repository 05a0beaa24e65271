//go:build linux

package fault

import (
	"encoding/json"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/e2e/harness"
	"github.com/stampede-bench/stampede/report"
)

// TestAHugePlan: a billion requests of which few are sent. When the only agent is
// killed, or the controller is told to end, the report is there soon, takes little
// space and accounts for all of them.
func TestAHugePlan(t *testing.T) {
	t.Parallel()
	const billion = 1_000_000_000
	sim := harness.StartSimulator(t, "--ttft", "30ms", "--itl", "5ms")
	c := harness.StartCluster(t, 1, terms...)
	spec := strings.Replace(load(sim, 40, 0), "duration: 0s", "requests: 1000000000", 1)

	r := begin(t, c, sim, spec)
	sim.Await(t, 60)
	c.Agents[0].Kill()
	killed := time.Now()
	harness.Stampede(t, "watch", r.id, "--controller", c.GRPC)
	if took := time.Since(killed); took > 40*time.Second {
		t.Errorf("the run ended %v after its agent", took)
	}
	rep := r.account(t)
	a := rep.Accounting
	harness.AddsUp(t, rep)
	if a.Planned != billion || a.Succeeded < 50 || a.Lost != billion-a.Succeeded || rep.Agents[0].Lost == nil || rep.Agents[0].Lost.Requests != a.Lost {
		t.Errorf("accounting %+v, agents %+v", a, rep.Agents)
	}
	if w := a.LostWithoutRow; w == nil || w.Count >= a.Lost || w.Count < a.Lost-1_000_000 {
		t.Errorf("without a row are %+v of %d", w, a.Lost)
	}
	if size := bytesUnder(t, c.DataDir); size > 300<<20 {
		t.Errorf("the controller keeps %d MiB", size>>20)
	}

	c.StartAgent(t, "another", c.GRPC)
	c.AwaitAgents(t, 1)
	r = begin(t, c, sim, spec)
	sim.Await(t, int64(len(sim.Account(t)))+60)
	c.Controller.Signal(syscall.SIGTERM)
	asked := time.Now()
	if code := c.Controller.Wait(time.Minute); code != 0 {
		t.Errorf("the controller ended with %d", code)
	}
	if took := time.Since(asked); took > 20*time.Second {
		t.Errorf("the controller took %v to end", took)
	}
	c.Restart(t)
	a = r.account(t).Accounting
	if a.Planned != billion || a.Succeeded < 50 || a.Succeeded+a.Cancelled+a.Unsent+a.Lost != billion {
		t.Errorf("after the end of the controller: %+v", a)
	}
	c.AwaitAgents(t, 1) // what it holds of the run is of no use any more
	c.Agents[1].Signal(syscall.SIGTERM)
	if code := c.Agents[1].Wait(10 * time.Second); code != 0 {
		t.Errorf("the agent ended with %d", code)
	}
}

// account is a run's report, without its rows.
func (r running) account(t *testing.T) *report.Report {
	t.Helper()
	out := harness.Stampede(t, "report", r.id, "--controller", r.c.GRPC, "--format", "json").Out
	var rep report.Report
	if err := json.Unmarshal([]byte(out), &rep); err != nil {
		t.Fatalf("%v: %.1000s\ncontroller:\n%s", err, out, r.c.Controller.Stderr())
	}
	return &rep
}

// bytesUnder adds up the files of a folder.
func bytesUnder(t *testing.T, dir string) (sum int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			sum += info.Size()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return sum
}
