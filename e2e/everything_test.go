package e2e

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stampede-bench/stampede/e2e/harness"
	"github.com/stampede-bench/stampede/report"
)

// door is a way to a controller. Each can do everything, and fails the test when
// it can't.
type door interface {
	register(id string, seconds int) // everyRate requests a second
	start(id string) (runID string)
	// startAgain starts a test that is running, and returns what it is told.
	startAgain(id string) string
	// watch returns the state that the run ended in.
	watch(id string) string
	report(id string) *report.Report
	list() []string
	cancel(id string)
	// deleteRunning deletes a test that is running, and returns what it is told.
	deleteRunning(id string) string
	remove(id string)
}

// access is what it takes to get in: nothing, or a CA and a token.
type access struct {
	t     *testing.T
	c     *harness.Cluster
	model string // base URL of the endpoint
	ca    string // empty: plain text
	token string // file; empty: none
}

func (a access) tokenText() string {
	if a.token == "" {
		return ""
	}
	text, err := os.ReadFile(a.token)
	if err != nil {
		a.t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

const everyRate = 20

func (a access) spec(seconds int) string {
	return fmt.Sprintf(`{"endpoint": {"url": %q}, "dataset": {"output_tokens": "4"}, "load": {"stages": [{"rate": %d, "arrival": "constant", "duration": "%ds"}]}}`, a.model, everyRate, seconds)
}

// useDoor does everything by one door, while others come and go by theirs.
func useDoor(t *testing.T, d door, id string) {
	t.Helper()
	d.register(id, 1)
	if ids := d.list(); !slices.Contains(ids, id) {
		t.Errorf("%s is not among %v", id, ids)
	}
	for k := range 2 {
		run := fmt.Sprintf("%s.%d", id, k+1)
		if got := d.start(id); got != run {
			t.Errorf("run %q, want %s", got, run)
		}
		if state := d.watch(id); state != "SUCCEEDED" {
			t.Errorf("it ended %s", state)
		}
		if r := d.report(id); r.ID != run || r.Accounting.Planned != everyRate || r.Accounting.Succeeded != everyRate {
			t.Errorf("report of %s: %+v", r.ID, r.Accounting)
		}
	}
	d.remove(id)
	if ids := d.list(); slices.Contains(ids, id) {
		t.Errorf("%s is still among %v", id, ids)
	}

	id += "-long"
	d.register(id, 600)
	d.start(id)
	if told := d.startAgain(id); !strings.Contains(told, "already running as "+id+".1") || !strings.Contains(told, "cancel it first") {
		t.Errorf("starting it again: %s", told)
	}
	if told := d.deleteRunning(id); !strings.Contains(told, "is running as "+id+".1") || !strings.Contains(told, "cancel it first") {
		t.Errorf("deleting it while it runs: %s", told)
	}
	d.cancel(id)
	if state := endOf(d, id); state != "CANCELLED" {
		t.Errorf("it ended %s", state)
	}
	d.remove(id)
}

// endOf is how a cancelled run ends; the command line's watch has nothing to
// print when no load was sent.
func endOf(d door, id string) string {
	cli, is := d.(byCLI)
	if !is {
		return d.watch(id)
	}
	if r := cli.do("watch", id); !strings.Contains(r.Out, "cancelled") && !strings.Contains(r.Err, "cancelled") {
		cli.t.Errorf("watch: exit status %d\n%s%s", r.Code, r.Out, r.Err)
	}
	for line := range strings.Lines(cli.do("list").Must(cli.t, 0).Out) {
		if words := strings.Fields(line); words[0] == id {
			return words[1]
		}
	}
	return "not listed"
}

// The command line, grpcurl, curl and the SDK can each do everything on the same
// controller, at the same time; with certificates and tokens, too.
func TestEveryDoorCanDoEverything(t *testing.T) {
	t.Parallel()
	sim := harness.StartSimulator(t, "--ttft", "10ms", "--itl", "1ms")
	t.Run("open", func(t *testing.T) {
		t.Parallel()
		everyDoor(t, access{c: harness.StartCluster(t, 1), model: sim.URL()})
	})
	t.Run("with TLS and tokens", func(t *testing.T) {
		t.Parallel()
		ours := newAuthority(t)
		ours.server("server")
		a := access{t: t, model: sim.URL(), ca: ours.file("ca.pem"), token: tokenFile(t, "run-token-0123456789")}
		join := tokenFile(t, "join-token-0123456789")
		a.c = harness.StartController(t, "--tls-cert", ours.file("server.pem"), "--tls-key", ours.file("server.key"),
			"--client-token-file", a.token, "--agent-token-file", join)
		harness.Start(t, "agent", "--controller", a.c.GRPC, "--name", "a", "--tls-ca", a.ca, "--token-file", join)
		awaitAgent(t, byCLI{a}.do)
		everyDoor(t, a)
	})
}

func everyDoor(t *testing.T, a access) {
	for name, make := range map[string]func(access) door{
		"cli":     func(a access) door { return byCLI{a} },
		"grpcurl": func(a access) door { return byGrpcurl{a} },
		"curl":    func(a access) door { return byCurl{a} },
		"sdk":     func(a access) door { return newSDK(a) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name == "curl" {
				needsCurl(t)
			}
			mine := a
			mine.t = t
			useDoor(t, make(mine), "by-"+name)
		})
	}
}
