//go:build linux

package deploy

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/e2e/harness"
)

// stack is the compose file, up.
type stack struct {
	*engine
	t      *testing.T
	client string // file of a token that may do everything
}

func (s stack) composed(args ...string) string {
	s.t.Helper()
	args = append(append(append([]string{}, s.compose...), "-f", root("deploy", "compose.yaml")), args...)
	return s.do(s.t, args[0], args[1:]...)
}

// up starts the stack with agents and waits until all are connected.
func up(t *testing.T, agents int) stack {
	e := need(t)
	if len(e.compose) == 0 {
		t.Skip("NOT RUN: neither docker compose nor docker-compose is installed (make docker-engine)")
	}
	s := stack{engine: e, t: t}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("logs:\n%s", tail(s.composed("logs", "--no-color", "--tail=40")))
		}
		s.composed("down", "-v", "-t", "2")
	})
	s.bench()
	s.composed("up", "-d", "--scale", fmt.Sprint("agent=", agents), "agent", "simulator")
	s.client = filepath.Join(t.TempDir(), "client.tokens")
	s.do(t, "docker", "cp", s.container("controller", 1)+":/secrets/client/client.tokens", s.client)
	text, err := os.ReadFile(s.client)
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	if err := os.WriteFile(s.client, []byte(first+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.await(agents)
	return s
}

// bench is the one command from clone to report.
func (s stack) bench() {
	s.t.Helper()
	args := append(append([]string{}, s.compose...), "-f", root("deploy", "compose.yaml"), "run", "--rm", "bench")
	out, err := s.try(args[0], args[1:]...)
	if err != nil && !strings.Contains(err.Error(), "exit status 3") { // a busy machine
		s.t.Fatal(err)
	}
	if !regexp.MustCompile(`requests +([0-9]+) of ([0-9]+) ok`).MatchString(out) || !strings.Contains(out, "met the SLO") {
		s.t.Errorf("the report is\n%s", out)
	}
}

// await waits until so many agents are connected.
func (s stack) await(agents int) {
	s.t.Helper()
	var r harness.Result
	for range 200 {
		r = harness.Stampede(s.t, s.signed("agents")...)
		if strings.Count(r.Out, "\n") == agents+1 {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	s.t.Fatalf("not %d agents within 20 s: %s%s", agents, r.Out, r.Err)
}

// signed completes a client's command.
func (s stack) signed(args ...string) []string {
	return append(args, "--controller", s.address("controller", 50051), "--token-file", s.client)
}

// container is the name of a service's n-th container, whose form depends on the
// generation of compose.
func (s stack) container(service string, n int) string {
	s.t.Helper()
	names := s.do(s.t, "docker", "ps", "-a", "--format", "{{.Names}}", "--filter", "label=com.docker.compose.service="+service,
		"--filter", fmt.Sprint("label=com.docker.compose.container-number=", n))
	if names == "" || strings.Contains(names, "\n") {
		s.t.Fatalf("containers %d of %s: %q", n, service, names)
	}
	return names
}

// address is where a container listens on its own network, which this host is on.
func (s stack) address(service string, port int) string {
	s.t.Helper()
	ip := ""
	for range 100 {
		if ip = s.do(s.t, "docker", "inspect", "-f", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", s.container(service, 1)); ip != "" {
			break
		}
		time.Sleep(50 * time.Millisecond) // it is being started again
	}
	return fmt.Sprintf("%s:%d", ip, port)
}

func (s stack) simulator() harness.Simulator {
	return harness.Simulator{Addr: s.address("simulator", 8001)}
}

func (s stack) bearer() string {
	token, err := os.ReadFile(s.client)
	if err != nil {
		s.t.Fatal(err)
	}
	return "Authorization: Bearer " + strings.TrimSpace(string(token))
}

// seedBody is the example of the original tool, for some seconds.
func seedBody(t *testing.T, seconds int) map[string]any {
	t.Helper()
	text, err := os.ReadFile(root("examples", "seed.json"))
	if err != nil {
		t.Fatal(err)
	}
	var body map[string]any
	if err := json.Unmarshal(text, &body); err != nil {
		t.Fatal(err)
	}
	body["url"] = "http://simulator:8001/v1"
	body["dataset_config"].(map[string]any)["func"] = fmt.Sprintf("lambda t: int(t / 0.1 + 1) if t < %d else None", seconds)
	body["kwargs"].(map[string]any)["max_tokens"] = 16
	return body
}

// ended waits for a run and holds its report against the simulator's account. The
// account of runs before it is left out.
func (s stack) ended(id string) harness.Artefacts {
	s.t.Helper()
	w := harness.Stampede(s.t, s.signed("watch", id)...)
	if w.Code != 0 && w.Code != 3 {
		s.t.Fatalf("watch %s: exit %d\n%s%s", id, w.Code, w.Out, w.Err)
	}
	dir := s.t.TempDir()
	harness.Stampede(s.t, s.signed("report", id, "--out", dir)...)
	a := harness.ReadRun(s.t, dir, id)
	harness.AddsUp(s.t, a.Report)
	served := s.simulator().Account(s.t)
	for request := range served {
		if !strings.HasPrefix(request, id+"-") {
			delete(served, request)
		}
	}
	harness.MatchAccount(s.t, a.Rows, served)
	return a
}

// The seed's example in containers: four agents of which one is killed, then the
// controller is killed and comes back with its volume while the run goes on.
func TestComposeBearsDeaths(t *testing.T) {
	s := up(t, 4)
	s.agentDies()
	s.controllerDies()
}

func (s stack) agentDies() {
	t := s.t
	body, err := json.Marshal(seedBody(t, 8))
	if err != nil {
		t.Fatal(err)
	}
	before := int64(len(s.simulator().Account(t)))
	answer := s.do(t, "curl", "-sS", "-f", "-H", s.bearer(), "-H", "Content-Type: application/json", "-d", string(body),
		"http://"+s.address("controller", 8000)+"/register_and_start_test")
	id := strings.Trim(answer, `"`)
	s.simulator().Await(t, before+25)
	s.pages()
	s.do(t, "docker", "kill", s.container("agent", 2))
	a := s.ended(id + ".1")
	acc := a.Report.Accounting
	if acc.Planned != 71 || acc.Succeeded < 40 || acc.Failed+acc.TimedOut+acc.Cancelled+acc.Unsent != 0 {
		t.Errorf("one of four agents was killed: %+v", acc)
	}
	if len(a.Report.Agents) != 4 || a.Report.Verdict.State == "valid" {
		t.Errorf("%d agents, verdict %s %v", len(a.Report.Agents), a.Report.Verdict.State, a.Report.Verdict.Reasons)
	}
	s.await(3)
}

func (s stack) controllerDies() {
	t := s.t
	grpcurl := func(call, body string) map[string]any {
		t.Helper()
		out := s.do(t, root(".tmp", "bin", "grpcurl"), "-plaintext", "-H", s.bearer(), "-d", body, s.address("controller", 50051), "stampede.v1.TestService/"+call)
		var v map[string]any
		if err := json.Unmarshal([]byte(out), &v); err != nil {
			t.Fatalf("%s: %v: %s", call, err, out)
		}
		return v
	}
	before := s.container("controller", 1)
	spec := `{"spec": {"endpoint": {"url": "http://simulator:8001/v1", "model": "stampede-sim"}, "dataset": {"input_tokens": "20", "output_tokens": "16"},
		"load": {"stages": [{"rate": 10, "arrival": "constant", "duration": "9s"}]}}}`
	id, _ := grpcurl("RegisterTest", spec)["testId"].(string)
	run, _ := grpcurl("StartTest", fmt.Sprintf(`{"test_id": %q}`, id))["runId"].(string)
	if run != id+".1" {
		t.Fatalf("run %q of %q", run, id)
	}
	seen := s.simulator().Account(t)
	s.simulator().Await(t, int64(len(seen))+25)
	pid := s.do(t, "docker", "inspect", "-f", "{{.State.Pid}}", before)
	harness.Command(t, "", "kill", "-KILL", pid).Must(t, 0) // as the kernel would; docker kill is taken for a wish
	s.await(3)
	if n := s.do(t, "docker", "inspect", "-f", "{{.RestartCount}}", before); n != "1" {
		t.Errorf("the controller was started again %s times, want once", n)
	}
	a := s.ended(run)
	if acc := a.Report.Accounting; acc.Planned != 90 || acc.Succeeded != 90 {
		t.Errorf("the controller was killed and came back: %+v, verdict %s %v", acc, a.Report.Verdict.State, a.Report.Verdict.Reasons)
	}
}

var metric = regexp.MustCompile(`\bstampede_[a-z_]+\b`)

// pages: what Prometheus would scrape, with its own token, has every metric that
// the dashboard asks for.
func (s stack) pages() {
	t := s.t
	file := filepath.Join(t.TempDir(), "metrics.token")
	s.do(t, "docker", "cp", s.container("controller", 1)+":/secrets/client/client.tokens", file)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, look, _ := strings.Cut(strings.TrimSpace(string(text)), "\nread ")
	served := s.do(t, "curl", "-sS", "-f", "-H", "Authorization: Bearer "+look, "-H", "Host: controller:8000", "http://"+s.address("controller", 8000)+"/metrics") +
		s.do(t, "curl", "-sS", "-f", "http://"+s.address("agent", 9090)+"/metrics")
	dashboard, err := os.ReadFile(root("deploy", "grafana", "dashboards", "stampede.json"))
	if err != nil {
		t.Fatal(err)
	}
	asked := metric.FindAllString(string(dashboard), -1)
	if len(asked) < 10 {
		t.Errorf("the dashboard asks for %q", asked)
	}
	for _, name := range asked {
		if !strings.Contains(served, "\n"+name+"{") && !strings.Contains(served, "\n"+name+" ") {
			t.Errorf("the dashboard asks for %s, which nobody serves", name)
		}
	}
}
