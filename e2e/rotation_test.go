package e2e

import (
	"crypto/tls"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/e2e/harness"
)

// eventually repeats something until it holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for range 200 {
		if holds() {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("not within 10 s: %s", what)
}

func rewrite(t *testing.T, file string, lines ...string) {
	t.Helper()
	next := file + ".next"
	if err := os.WriteFile(next, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, file); err != nil {
		t.Fatal(err)
	}
}

// Tokens are rotated while a run goes on: nobody is cut off, the old ones are
// refused once they are gone, and who comes back does so with the new one.
func TestTokensRotateLive(t *testing.T) {
	t.Parallel()
	const oldRun, newRun, oldJoin, newJoin = "old-run-token-0123456789", "new-run-token-0123456789", "old-join-token-0123456789", "new-join-token-0123456789"
	sim := harness.StartSimulator(t, "--ttft", "10ms", "--itl", "1ms", "--tokens", "4")
	clients, agents, mine := tokenFile(t, oldRun), tokenFile(t, oldJoin), tokenFile(t, oldJoin)
	c := harness.StartController(t, "--client-token-file", clients, "--agent-token-file", agents)
	agent := harness.Start(t, "agent", "--controller", c.GRPC, "--name", "a", "--token-file", mine)
	by := func(token string) func(...string) harness.Result {
		file := tokenFile(t, token)
		return func(args ...string) harness.Result {
			return harness.Stampede(t, append(args, "--controller", c.GRPC, "--token-file", file)...)
		}
	}
	before, after := by(oldRun), by(newRun)
	awaitAgent(t, before)
	spec := harness.WriteSpec(t, fmt.Sprintf("endpoint: {url: %q}\nload: {stages: [{rate: 10, arrival: constant, duration: 6s}]}\n", sim.URL()))
	id := strings.TrimSpace(before("register", "-f", spec).Must(t, 0).Out)
	before("start", id).Must(t, 0)
	if r := after("list"); r.Code != 1 {
		t.Fatalf("the new token is known already: %s", r.Out)
	}

	rewrite(t, clients, "# both", oldRun, newRun)
	rewrite(t, agents, oldJoin, newJoin)
	eventually(t, "the new token is taken", func() bool { return after("list").Code == 0 })
	before("list").Must(t, 0)
	rewrite(t, mine, newJoin)
	rewrite(t, clients, newRun)
	rewrite(t, agents, newJoin)
	eventually(t, "the old token is refused", func() bool { return before("list").Code == 1 })
	if r := before("list"); !strings.Contains(r.Err, "not one of this controller's") || !strings.Contains(r.Err, "after a rotation") {
		t.Errorf("the old token: %s", r.Err)
	}
	for token, want := range map[string]string{oldRun: "401", newRun: "200"} {
		if got := get(t, "http://"+c.HTTP+"/id_list", token); !strings.HasPrefix(got, want) {
			t.Errorf("HTTP with %s: %s", token, got)
		}
	}
	if late := harness.Stampede(t, "agent", "--controller", c.GRPC, "--name", "late", "--token-file", tokenFile(t, oldJoin)); late.Code != 1 || !strings.Contains(late.Err, "refuses this agent") {
		t.Errorf("an agent with the old token: exit status %d, %s", late.Code, late.Err)
	}
	if w := after("watch", id); !strings.Contains(w.Out, "succeeded") {
		t.Errorf("the run that went on meanwhile: exit status %d\n%s%s", w.Code, w.Out, w.Err)
	}

	rewrite(t, clients, "broken")
	eventually(t, "the log says that the file can't be read", func() bool {
		after("list").Must(t, 0) // the tokens stay as they were
		return strings.Contains(c.Controller.Stderr(), "tokens not reloaded")
	})
	rewrite(t, clients, newRun)
	c.Controller.Signal(os.Interrupt)
	c.Controller.Wait(20 * time.Second)
	c.Restart(t)
	awaitAgent(t, after) // it came back by the token that its file holds now
	if agent.Ended() {
		t.Errorf("the agent has ended: %s", agent.Stderr())
	}
	shown := agent.Stderr() + c.Controller.Stderr()
	for _, token := range []string{oldRun, newRun, oldJoin, newJoin} {
		if strings.Contains(shown, token) {
			t.Errorf("a log shows %s", token)
		}
	}
}

// serial is that of the certificate which a port shows to somebody without one of
// his own.
func serial(t *testing.T, addr string, a *authority, protocol string) string {
	t.Helper()
	conn, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: poolOf(t, a.file("ca.pem")), NextProtos: []string{protocol}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	state := conn.ConnectionState()
	if state.Version < tls.VersionTLS12 || state.NegotiatedProtocol != protocol {
		t.Errorf("%s: %s, %q", addr, tls.VersionName(state.Version), state.NegotiatedProtocol)
	}
	return state.PeerCertificates[0].SerialNumber.String()
}

// TLS without client certificates: on both ports, tokens say who it is; plain
// text, old versions and other authorities are refused, and a renewed certificate
// is shown without a restart.
func TestTLSWithoutClientCertificates(t *testing.T) {
	t.Parallel()
	ours, others := newAuthority(t), newAuthority(t)
	ours.server("server")
	token := tokenFile(t, "run-token-0123456789")
	c := harness.StartController(t, "--grpc-addr", "127.0.0.1:0", "--tls-cert", ours.file("server.pem"), "--tls-key", ours.file("server.key"), "--client-token-file", token)
	list := func(flags ...string) harness.Result {
		return harness.Stampede(t, append([]string{"list", "--controller", c.GRPC}, flags...)...)
	}
	list("--tls-ca", ours.file("ca.pem"), "--token-file", token).Must(t, 0)
	for name, tt := range map[string]struct {
		flags []string
		says  string
	}{
		"no token":          {[]string{"--tls-ca", ours.file("ca.pem")}, "none was sent"},
		"plain text":        {[]string{"--token-file", token}, "hint: the controller may ask for TLS"},
		"another authority": {[]string{"--tls-ca", others.file("ca.pem"), "--token-file", token}, "hint: give the CA that signed"},
	} {
		if r := list(tt.flags...); r.Code != 1 || !strings.Contains(r.Err, tt.says) {
			t.Errorf("%s: exit status %d, %s", name, r.Code, r.Err)
		}
	}
	for _, addr := range []string{c.GRPC, c.HTTP} {
		if conn, err := tls.Dial("tcp", addr, &tls.Config{RootCAs: poolOf(t, ours.file("ca.pem")), MaxVersion: tls.VersionTLS11}); err == nil {
			conn.Close()
			t.Errorf("%s speaks TLS 1.1", addr)
		}
	}
	if got := get(t, "http://"+c.HTTP+"/healthz", ""); !strings.HasPrefix(got, "400") {
		t.Errorf("plain text to HTTPS: %s", got)
	}

	first := serial(t, c.GRPC, ours, "h2")
	if serial(t, c.HTTP, ours, "http/1.1") != first {
		t.Error("the two ports show different certificates")
	}
	ours.server("server") // renewed in place
	eventually(t, "both ports show the renewed certificate", func() bool {
		return serial(t, c.GRPC, ours, "h2") != first && serial(t, c.HTTP, ours, "http/1.1") != first
	})
	list("--tls-ca", ours.file("ca.pem"), "--token-file", token).Must(t, 0)
}

// Tokens of the environment do what those of files do.
func TestTokensFromTheEnvironment(t *testing.T) {
	const run, look, join = "run-token-0123456789", "read-token-0123456789", "join-token-0123456789"
	t.Setenv("STAMPEDE_CLIENT_TOKENS", run+",read "+look)
	t.Setenv("STAMPEDE_AGENT_TOKENS", join)
	c := harness.StartController(t, "--insecure")
	t.Setenv("STAMPEDE_AGENT_TOKEN", join)
	harness.Start(t, "agent", "--controller", c.GRPC, "--name", "a")
	for token, code := range map[string]int{"": 1, run: 0, look: 0, join: 1} {
		t.Setenv("STAMPEDE_TOKEN", token)
		if r := harness.Stampede(t, "list", "--controller", c.GRPC); r.Code != code {
			t.Errorf("with %q: exit status %d, %s", token, r.Code, r.Err)
		}
	}
	t.Setenv("STAMPEDE_TOKEN", look)
	awaitAgent(t, func(args ...string) harness.Result {
		return harness.Stampede(t, append(args, "--controller", c.GRPC)...)
	})
}

// A call that is repeated does nothing twice, also when the controller was killed
// between.
func TestRequestsAreSafeToRepeatOverARestart(t *testing.T) {
	t.Parallel()
	sim := harness.StartSimulator(t, "--ttft", "10ms", "--itl", "1ms", "--tokens", "4")
	c := harness.StartCluster(t, 1)
	s := func() site { return site{t, "http://" + c.HTTP} }
	register := fmt.Sprintf(`{"requestId": "register-1", "spec": {"endpoint": {"url": %q}, "load": {"stages": [{"concurrency": 1, "requests": 3}]}}}`, sim.URL())
	id := s().object("POST", "/v1/tests", register, 200)["testId"].(string)
	begin := func(request string, status int) string {
		run, _ := s().object("POST", "/v1/tests/"+id+"/start", fmt.Sprintf(`{"requestId": %q}`, request), status)["runId"].(string)
		return run
	}
	if run := begin("start-1", 200); run != id+".1" {
		t.Fatalf("run %q", run)
	}
	if last := watched(s(), id); last["state"] != "STATE_SUCCEEDED" {
		t.Fatalf("the watch ended with %v", last)
	}
	for range 2 {
		if again := s().object("POST", "/v1/tests", register, 200)["testId"]; again != id {
			t.Errorf("registered again: %v, want %s", again, id)
		}
		if run := begin("start-1", 200); run != id+".1" {
			t.Errorf("started again: %q, want %s.1", run, id)
		}
		c.Controller.Kill()
		c.Restart(t)
	}
	if tests := s().object("GET", "/v1/tests", "", 200)["tests"].([]any); len(tests) != 1 {
		t.Errorf("%d tests, want 1", len(tests))
	}
	c.AwaitAgents(t, 1)
	if run := begin("start-2", 200); run != id+".2" {
		t.Errorf("another request: run %q, want %s.2", run, id)
	}
	if run := begin("start-1", 200); run != id+".1" {
		t.Errorf("the first request once more: %q", run)
	}
	watched(s(), id)
	served := sim.Account(t)
	if len(served) != 6 {
		t.Errorf("%d requests were served, want 3 of each run", len(served))
	}
	for _, long := range []string{strings.Repeat("r", 129), "a\nb"} {
		s().object("POST", "/v1/tests/"+id+"/start", fmt.Sprintf(`{"requestId": %q}`, long), 400)
	}
}
