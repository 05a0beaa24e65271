package e2e

import (
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/e2e/harness"
)

// otherHost puts an ssh on the path that runs commands in a home of its own, as
// sshd would on another host.
func otherHost(t *testing.T) (home string) {
	t.Helper()
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("no sh here")
	}
	home = t.TempDir()
	bin := t.TempDir()
	script := "#!/bin/sh\n[ \"$1\" = -tt ] && shift\n[ \"$1\" = load@other ] || exit 9\nshift\ncd '" + home + "' && exec sh -c \"$*\"\n"
	if err := os.WriteFile(filepath.Join(bin, "ssh"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	return home
}

// The line that join-command prints brings all that an agent needs to a host and
// runs it there, with a token and over TLS.
func TestJoinBySSH(t *testing.T) {
	home := otherHost(t)
	ours := newAuthority(t)
	ours.server("server")
	const client, join, old = "client-token-0123456789", "join-token-0123456789", "join-token-9876543210"
	tokens := tokenFile(t, "# rotated in May", join, old)
	protection := []string{"--agent-token-file", tokens, "--client-token-file", tokenFile(t, client), "--tls-cert", ours.file("server.pem"), "--tls-key", ours.file("server.key")}
	c := harness.StartController(t, protection...)

	args := append([]string{"controller", "join-command", "--grpc-addr", c.GRPC, "--tls-ca", ours.file("ca.pem"), "--ssh", "load@other"}, protection...)
	line := harness.Stampede(t, args...).Must(t, 0).Out
	if strings.Count(line, "\n") != 1 || strings.Contains(line, join) {
		t.Errorf("the line holds a token, or is not one line:\n%s", line)
	}
	agent := harness.StartCommand(t, "join", exec.Command("sh", "-c", line))
	leave := func() { // the agent is a child of the shell, in the place of ssh
		out := harness.Command(t, "", "pgrep", "-f", "^.stampede/stampede agent --controller "+c.GRPC)
		for _, pid := range strings.Fields(out.Out) {
			harness.Command(t, "", "kill", pid)
		}
	}
	defer leave()
	ask := []string{"agents", "--controller", c.GRPC, "--tls-ca", ours.file("ca.pem"), "--token-file", tokenFile(t, client)}
	for deadline := time.Now().Add(20 * time.Second); strings.Count(harness.Stampede(t, ask...).Out, "\n") != 2; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("no agent joined:\n%s%s", agent.Stdout(), agent.Stderr())
		}
	}
	for name, mode := range map[string]os.FileMode{"agent.token": 0o600, "ca.pem": 0o600, "stampede": 0o700} {
		info, err := os.Stat(filepath.Join(home, ".stampede", name))
		if err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v %v, want mode %v", name, info, err, mode)
		}
	}
	if token, _ := os.ReadFile(filepath.Join(home, ".stampede", "agent.token")); string(token) != join+"\n" {
		t.Errorf("the token that was brought is %q", token)
	}
	leave()
	agent.Wait(20 * time.Second)

	for _, bad := range []struct {
		name string
		args []string
		says string
	}{
		{"an option for a host", []string{"--ssh", "-oProxyCommand=x"}, "must be a host"},
		{"two words", []string{"--ssh", "a; b"}, "must be a host"},
		{"an address with a quote", []string{"--ssh", "a", "--grpc-addr", "x'y:1"}, "must be a host name"},
		{"no CA", []string{"--ssh", "a", "--tls-cert", "cert.pem"}, "needs the CA"},
		{"certificates of agents", []string{"--ssh", "a", "--tls-client-ca", "ca.pem"}, "does not bring certificates"},
	} {
		r := harness.Stampede(t, append([]string{"controller", "join-command"}, bad.args...)...)
		if r.Code != 2 || !strings.Contains(r.Err, bad.says) {
			t.Errorf("%s: exit %d %s", bad.name, r.Code, r.Err)
		}
	}
}

// Health is asked over TLS, and needs no token but does not mind one.
func TestHealthOfAController(t *testing.T) {
	t.Parallel()
	ours := newAuthority(t)
	ours.server("server")
	tokens := tokenFile(t, "client-token-0123456789")
	c := harness.StartController(t, "--tls-cert", ours.file("server.pem"), "--tls-key", ours.file("server.key"), "--client-token-file", tokens)
	ca := []string{"--tls-ca", ours.file("ca.pem")}
	for _, tt := range []struct {
		args []string
		code int
	}{
		{append([]string{"--controller", c.GRPC}, ca...), 0},
		{append([]string{"--controller", c.GRPC, "--token-file", tokens}, ca...), 0},
		{append([]string{"--url", "https://" + c.HTTP + "/readyz"}, ca...), 0},
		{append([]string{"--url", "https://" + c.HTTP + "/metrics"}, ca...), 1},
		{append([]string{"--url", "https://" + c.HTTP + "/metrics", "--token-file", tokens}, ca...), 0},
		{[]string{"--controller", c.GRPC}, 1},
		{[]string{"--url", "https://" + c.HTTP + "/readyz"}, 1},
		{[]string{"--controller", c.GRPC, "--tls-ca", "nowhere.pem"}, 2},
	} {
		if r := harness.Stampede(t, append([]string{"health"}, tt.args...)...); r.Code != tt.code || (r.Out == "ok\n") != (tt.code == 0) {
			t.Errorf("health %q: exit %d, want %d\n%s%s", tt.args, r.Code, tt.code, r.Out, r.Err)
		}
	}
}

// An agent is ready while its session is open, and says how much it does.
func TestAgentPages(t *testing.T) {
	t.Parallel()
	c := harness.StartController(t)
	agent := harness.Start(t, "agent", "--controller", c.GRPC, "--name", "seven", "--metrics-addr", "127.0.0.1:0")
	base := "http://" + agent.After("metrics listening on ")
	await := func(path, want string) {
		t.Helper()
		var got string
		for range 400 {
			if got = page(t, base+path); strings.Contains(got, want) {
				return
			}
			time.Sleep(25 * time.Millisecond)
		}
		t.Fatalf("GET %s never holds %q:\n%s", path, want, got)
	}
	await("/readyz", "200 ok")
	await("/healthz", "200 ok")
	await("/metrics", "stampede_agent_connected 1")
	await("/metrics", `stampede_agent_build_info{name="seven",version="`)
	await("/metrics", "process_open_fds")
	harness.Stampede(t, "health", "--url", base+"/readyz").Must(t, 0)

	sim := harness.StartSimulator(t, "--itl", "20ms")
	run := harness.Start(t, "run", "--controller", c.GRPC, "--url", sim.URL(), "--concurrency", "3", "--duration", "20s", "--output-tokens", "100", "--no-progress", "--out", t.TempDir())
	await("/metrics", "stampede_agent_in_flight_requests 3")
	run.Signal(os.Interrupt)
	run.Wait(20 * time.Second)
	await("/metrics", "stampede_agent_in_flight_requests 0")

	c.Controller.Kill()
	await("/readyz", "503 not connected")
	await("/healthz", "200 ok")
	if r := harness.Stampede(t, "health", "--url", base+"/readyz"); r.Code != 1 || !strings.Contains(r.Err, "answers HTTP 503") {
		t.Errorf("exit %d %s", r.Code, r.Err)
	}
	c.Restart(t)
	await("/readyz", "200 ok")
}

// page is the status and the body of a page.
func page(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.Status[:4] + string(body)
}
