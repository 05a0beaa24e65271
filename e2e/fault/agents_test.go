//go:build linux

package fault

import (
	"context"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/stampede-bench/stampede/e2e/harness"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/report"
)

func TestKilledAgentsWorkGoesToTheOthers(t *testing.T) {
	t.Parallel()
	sim := harness.StartSimulator(t, "--ttft", "30ms", "--itl", "5ms")
	c := harness.StartCluster(t, 3, terms...)
	r := begin(t, c, sim, load(sim, 45, 11*time.Second))
	sim.Await(t, 60)
	killed := time.Now()
	c.Agents[1].Kill()
	a := r.ended(t)
	r.hold(t, a)
	sum := a.Report.Accounting
	if sum.Planned != 495 {
		t.Errorf("%d planned, want 495", sum.Planned)
	}
	// A third of the load, from the last batch before the kill until the takeover.
	wantLost(t, a, 15, 15*8)
	if !degradedFor(a, "agents_lost") || !degradedFor(a, "lost") {
		t.Errorf("verdict %+v, want it degraded for the lost agent and its requests", a.Report.Verdict)
	}
	if lost := agentOf(t, a, "agent-b").Lost; lost == nil || lost.Returned || lost.Requests != sum.Lost || lost.At.Before(killed) {
		t.Errorf("agent-b lost: %+v, want %d requests after %v", lost, sum.Lost, killed)
	}
	if n := intendedAfter(a, "agent-b", killed.Add(100*time.Millisecond)); n > 0 {
		t.Errorf("%d rows of the killed agent were sent after its end", n)
	}
}

// degradedFor reports whether a verdict gives a figure as a reason; a machine that
// is busy may give worse ones, too.
func degradedFor(a harness.Artefacts, figure string) bool {
	for _, reason := range a.Report.Verdict.Reasons {
		if reason.State == report.Degraded && reason.Figure == figure {
			return true
		}
	}
	return false
}

func TestStoppedAgentSendsNothingBeyondItsPermit(t *testing.T) {
	t.Parallel()
	sim := harness.StartSimulator(t, "--ttft", "30ms", "--itl", "5ms")
	c := harness.StartCluster(t, 3, terms...)
	r := begin(t, c, sim, load(sim, 45, 11*time.Second))
	sim.Await(t, 60)
	stopped := time.Now()
	c.Agents[2].Signal(syscall.SIGSTOP)
	t.Cleanup(func() { _ = c.Agents[2].Cmd.Process.Signal(syscall.SIGCONT) })
	pause(2 * lease)
	c.Agents[2].Signal(syscall.SIGCONT)
	a := r.ended(t)
	r.hold(t, a)
	if n := intendedAfter(a, "agent-c", stopped.Add(ahead+100*time.Millisecond)); n > 0 {
		t.Errorf("%d rows of the stopped agent were due beyond its permit", n)
	}
	if lost := agentOf(t, a, "agent-c").Lost; lost == nil || !lost.Returned {
		t.Errorf("agent-c lost: %+v, want lost and returned", lost)
	}
	// What is lost was due between its permit and the takeover.
	wantLost(t, a, 0, 15*3)
}

func TestAgentCutOffFromTheController(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		how  state
		long time.Duration
		lost bool
	}{
		"severed for less than the lease": {severed, lease / 2, false},
		"silent for less than the lease":  {silent, lease / 2, false},
		"severed for more than the lease": {severed, 2 * lease, true},
		"silent for more than the lease":  {silent, 2 * lease, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sim := harness.StartSimulator(t, "--ttft", "30ms", "--itl", "5ms")
			c := harness.StartCluster(t, 1, terms...)
			way := newProxy(t, c.GRPC)
			c.StartAgent(t, "cut-off", way.addr())
			c.AwaitAgents(t, 2)
			r := begin(t, c, sim, load(sim, 30, 10*time.Second))
			sim.Await(t, 45)
			cut := time.Now()
			way.set(test.how)
			pause(test.long)
			way.set(open)
			a := r.ended(t)
			r.hold(t, a)
			lost := agentOf(t, a, "cut-off").Lost
			if !test.lost {
				wantLost(t, a, 0, 0)
				if lost != nil {
					t.Errorf("the agent counts as lost: %+v\n%s", lost, c.Controller.Stderr())
				}
				return
			}
			wantLost(t, a, 0, 15*3)
			if lost == nil || !lost.Returned {
				t.Errorf("the agent's loss: %+v, want it lost and returned", lost)
			}
			during := 0
			for _, row := range a.Rows {
				if row.Agent == "cut-off" && row.SentUnixNS != nil && *row.SentUnixNS > cut.UnixNano() && *row.SentUnixNS < cut.Add(lease).UnixNano() {
					during++
				}
			}
			if during < 10 {
				t.Errorf("%d rows of the agent were sent while it was cut off, want what it was permitted: about 15", during)
			}
		})
	}
}

func TestClosedLoopSlotsMove(t *testing.T) {
	t.Parallel()
	sim := harness.StartSimulator(t, "--ttft", "40ms", "--itl", "5ms")
	c := harness.StartCluster(t, 3, terms...)
	spec := "endpoint: {url: " + sim.URL() + ", model: stampede-sim}\ndataset: {input_tokens: 20, output_tokens: 5}\n" +
		"load: {stages: [{concurrency: 6, requests: 1500}]}\n"
	r := begin(t, c, sim, spec)
	sim.Await(t, 90)
	c.Agents[0].Kill()
	a := r.ended(t)
	r.hold(t, a)
	if sum := a.Report.Accounting; sum.Planned != 1500 || sum.Succeeded+sum.Lost != 1500 {
		t.Errorf("accounting %+v, want 1500 planned, succeeded or lost", sum)
	}
}

func TestAllAgentsDie(t *testing.T) {
	t.Parallel()
	sim := harness.StartSimulator(t, "--ttft", "30ms", "--itl", "5ms")
	c := harness.StartCluster(t, 2, terms...)
	r := begin(t, c, sim, load(sim, 40, 20*time.Second))
	sim.Await(t, 60)
	for _, p := range c.Agents {
		p.Kill()
	}
	a := r.ended(t)
	r.hold(t, a)
	sum := a.Report.Accounting
	if sum.Planned != 800 || sum.Lost+sum.Unsent < 600 || a.Report.Verdict.State == "valid" {
		t.Errorf("accounting %+v, verdict %s; want 800 planned, most of them lost or unsent", sum, a.Report.Verdict.State)
	}
}

func TestAgentTakesOverFromAllThatDied(t *testing.T) {
	t.Parallel()
	sim := harness.StartSimulator(t, "--ttft", "10ms")
	c := harness.StartCluster(t, 1, terms...)
	r := begin(t, c, sim, load(sim, 40, 3*time.Second))
	sim.Await(t, 20)
	c.Agents[0].Signal(syscall.SIGTERM)
	if code := c.Agents[0].Wait(20 * time.Second); code != 0 {
		t.Errorf("the agent ended with %d", code)
	}
	a := r.ended(t)
	r.hold(t, a)
}

func TestLeavingAgentLosesNothing(t *testing.T) {
	t.Parallel()
	sim := harness.StartSimulator(t, "--ttft", "50ms", "--itl", "40ms")
	c := harness.StartCluster(t, 3, terms...)
	r := begin(t, c, sim, load(sim, 45, 8*time.Second))
	sim.Await(t, 60)
	c.Agents[1].Signal(syscall.SIGTERM)
	if code := c.Agents[1].Wait(20 * time.Second); code != 0 {
		t.Errorf("the agent ended with %d:\n%s", code, c.Agents[1].Stderr())
	}
	a := r.ended(t)
	r.hold(t, a)
	wantLost(t, a, 0, 15*4) // due between its goodbye and the takeover
	if sum := a.Report.Accounting; sum.Cancelled != 0 {
		t.Errorf("%d cancelled although there was time to drain", sum.Cancelled)
	}
}

func TestLateJoinerWaitsForTheNextRun(t *testing.T) {
	t.Parallel()
	sim := harness.StartSimulator(t, "--ttft", "10ms")
	c := harness.StartCluster(t, 1, terms...)
	r := begin(t, c, sim, load(sim, 30, 4*time.Second))
	sim.Await(t, 20)
	c.StartAgent(t, "late", c.GRPC)
	c.AwaitAgents(t, 2)
	a := r.ended(t)
	r.hold(t, a)
	if len(a.Report.Agents) != 1 || a.Report.Accounting.Succeeded != 120 {
		t.Errorf("%d agents, %+v; want one agent and 120 succeeded", len(a.Report.Agents), a.Report.Accounting)
	}
}

func TestSecondAgentWithALiveIDIsRefused(t *testing.T) {
	t.Parallel()
	sim := harness.StartSimulator(t, "--ttft", "10ms")
	c := harness.StartCluster(t, 1, terms...)
	r := begin(t, c, sim, load(sim, 30, 4*time.Second))
	sim.Await(t, 20)
	conn, err := grpc.NewClient(c.GRPC, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	list, err := stampedev1.NewTestServiceClient(conn).ListAgents(t.Context(), &stampedev1.ListAgentsRequest{})
	if err != nil || len(list.GetAgents()) != 1 {
		t.Fatalf("agents: %v, %v", list, err)
	}
	for name, hello := range map[string]*stampedev1.Hello{
		"no secret":    {AgentId: list.GetAgents()[0].GetAgentId(), Version: "dev"},
		"wrong secret": {AgentId: list.GetAgents()[0].GetAgentId(), Version: "dev", ResumeSecret: []byte("0123456789abcdef")},
	} {
		err := knock(t, conn, hello)
		if code := status.Code(err); code == codes.OK || !strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v, want a refusal that names the secret", name, err)
		}
	}
	a := r.ended(t)
	r.hold(t, a)
	if a.Report.Accounting.Succeeded != 120 {
		t.Errorf("accounting %+v, want 120 succeeded", a.Report.Accounting)
	}
}

// An agent of another series is refused by a sentence that names both versions and
// says what to do; one that differs in the patch alone takes part.
func TestAgentOfAnotherVersionIsRefused(t *testing.T) {
	t.Parallel()
	old, newer, patched := harness.BinaryOf(t, "v1.2.3"), harness.BinaryOf(t, "v1.3.0"), harness.BinaryOf(t, "v1.2.9")
	controller := harness.StartCommand(t, "controller", exec.Command(old, "controller", "--grpc-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0", "--data-dir", t.TempDir()))
	addr := controller.After("grpc listening on ")
	got := harness.Command(t, "", newer, "agent", "--controller", addr)
	for _, part := range []string{"v1.3.0", "v1.2.3", "hint: install the same version"} {
		if got.Code != 1 || !strings.Contains(got.Err, part) {
			t.Errorf("exit %d, want 1 and a sentence with %q:\n%s", got.Code, part, got.Err)
		}
	}
	harness.StartCommand(t, "agent", exec.Command(patched, "agent", "--controller", addr, "--name", "patched"))
	for range 200 {
		if strings.Contains(harness.Stampede(t, "agents", "--controller", addr).Out, "patched") {
			return
		}
		pause(50 * time.Millisecond)
	}
	t.Errorf("the agent of the same series is not connected:\n%s", controller.Stderr())
}

// knock opens a session and returns why it is ended.
func knock(t *testing.T, conn *grpc.ClientConn, hello *stampedev1.Hello) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	s, err := stampedev1.NewAgentServiceClient(conn).Session(ctx)
	if err != nil {
		return err
	}
	if err := s.Send(&stampedev1.SessionRequest{Message: &stampedev1.SessionRequest_Hello{Hello: hello}}); err != nil {
		return err
	}
	_, err = s.Recv()
	return err
}
