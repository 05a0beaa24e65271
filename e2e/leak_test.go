package e2e

import (
	"archive/zip"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/e2e/harness"
)

// marks are the secrets of TestSecretsNeverLeave, each in a value of its own, so
// that a leak tells where it came from.
var marks = map[string]string{
	"api key":      "sk-MARKapikey7f3a91c2",
	"header":       "MARKheader55d1e0aa42",
	"extra body":   "MARKextrabody90b7c1d3",
	"hub token":    "hf_MARKhub4410fe2299",
	"client token": "MARKclienttoken-18c2d4e6f8",
	"agent token":  "MARKagenttoken-97b5d3f1a0",
}

// echo answers with failures that tell all they were sent, as some gateways do,
// and every fourth time, or also when it is probed, as a model would.
func echo(t *testing.T, probeGoesWell bool) (url string) {
	var n atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		dump := fmt.Sprintf("%v %s", r.Header, body)
		quoted, _ := json.Marshal(dump)
		turn := n.Add(1) % 4
		if probeGoesWell && strings.HasSuffix(r.Header.Get("X-Request-Id"), "-preflight") {
			turn = 0
		}
		switch turn {
		case 1:
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprintf(w, `{"error": {"message": "Incorrect API key provided: %s. You sent %s.", "type": "invalid_request_error"}}`, marks["api key"], r.Header.Get("X-Auth-Token"))
		case 2:
			w.WriteHeader(http.StatusInternalServerError)
			fmt.Fprintf(w, "Authorization: %s; token %s", r.Header.Get("Authorization"), marks["extra body"])
		case 3:
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprintf(w, "data: {\"error\": {\"message\": %s}}\n\n", quoted)
		default:
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprintf(w, "data: {\"choices\": [{\"delta\": {\"content\": %s}}]}\n\ndata: {\"choices\": [{\"delta\": {}, \"finish_reason\": \"stop\"}]}\n\ndata: [DONE]\n\n", quoted)
		}
	}))
	t.Cleanup(s.Close)
	return s.URL + "/v1"
}

// tokenFile writes a token file.
func tokenFile(t *testing.T, lines ...string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(name, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// leaks collects what was shown and where.
type leaks struct{ t *testing.T }

func (l leaks) check(where, shown string) {
	l.t.Helper()
	for name, mark := range marks {
		if i := strings.Index(shown, mark); i >= 0 {
			l.t.Errorf("%s shows the %s: …%s…", where, name, shown[max(0, i-80):min(len(shown), i+60)])
		}
	}
}

func (l leaks) folder(dir string) {
	l.t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		l.check(path, string(data))
		return err
	})
	if err != nil {
		l.t.Error(err)
	}
}

func TestSecretsNeverLeave(t *testing.T) {
	t.Setenv("STAMPEDE_TEST_KEY", marks["api key"])
	clients, agents := tokenFile(t, marks["client token"]), tokenFile(t, marks["agent token"])
	c := harness.StartController(t, "--client-token-file", clients, "--agent-token-file", agents, "--log-level", "debug")
	agent := harness.Start(t, "agent", "--controller", c.GRPC, "--name", "a", "--token-file", agents, "--log-level", "debug")
	remote := []string{"--controller", c.GRPC, "--token-file", clients}
	l := leaks{t}
	do := func(args ...string) harness.Result {
		t.Helper()
		r := harness.Stampede(t, append(args, remote...)...)
		l.check(args[0]+" (stdout)", r.Out)
		l.check(args[0]+" (stderr)", r.Err)
		return r
	}
	spec := harness.WriteSpec(t, fmt.Sprintf(`
endpoint: {url: %q, model: m, api_key_env: STAMPEDE_TEST_KEY, headers: {X-Auth-Token: %q, X-Plain: "Bearer %s"}}
dataset: {input_tokens: "20", output_tokens: "8", hub_token: %q}
sampling: {extra_body: {api_token: %q, deep: {list: [{password: %q}]}}}
load: {stages: [{rate: 40, duration: 1s}]}
preflight: false
`, echo(t, false), marks["header"], marks["header"], marks["hub token"], marks["extra body"], marks["extra body"]))
	id := strings.TrimSpace(do("register", "-f", spec).Must(t, 0).Out)
	awaitAgent(t, do)
	do("start", id).Must(t, 0)
	if w := do("watch", id); w.Code != 0 && w.Code != 3 {
		t.Fatalf("watch: exit %d\n%s%s", w.Code, w.Out, w.Err)
	}
	out := t.TempDir()
	if r := do("report", id, "--out", out, "--export", "vllm,aiperf,guidellm,inference-perf,llm-d"); r.Code != 0 && r.Code != 3 {
		t.Fatalf("report: exit %d\n%s%s", r.Code, r.Out, r.Err)
	}
	for _, format := range []string{"text", "json", "markdown", "junit"} {
		do("report", id, "--format", format)
	}
	do("list")
	r := do("run", "-f", probing(t, spec), "--no-progress", "--out", out)
	if r.Code != 1 || !strings.Contains(r.Err, "***") {
		t.Errorf("a run whose probe is refused: exit %d\n%s%s", r.Code, r.Out, r.Err)
	}
	do("run", "-f", spec, "--print-spec")
	if a := harness.ReadRun(t, out, id+".1"); a.Report.Accounting.Failed == 0 || a.Report.Accounting.Succeeded == 0 || len(a.Report.Errors) < 3 {
		t.Errorf("%+v with errors %v; the run should have failures of all three kinds and successes", a.Report.Accounting, a.Report.Errors)
	}
	for _, method := range []string{"GetTest", "ListTests", "GetReport", "StreamSamples", "WatchTest", "ListAgents"} {
		body := fmt.Sprintf(`{"test_id": %q}`, id)
		if strings.HasPrefix(method, "List") {
			body = "{}"
		}
		r := harness.Command(t, body, harness.Grpcurl(), "-plaintext", "-H", "authorization: Bearer "+marks["client token"], "-d", "@", c.GRPC, "stampede.v1.TestService/"+method)
		l.check("grpcurl "+method, r.Out+r.Err)
	}
	for _, path := range []string{"/config/", "/error_info/", "/report/json/", "/v1/tests/"} {
		answer := get(t, "http://"+c.HTTP+path+id, marks["client token"])
		if l.check("GET "+path, answer); !strings.HasPrefix(answer, "200") {
			t.Errorf("GET %s: %s", path, answer)
		}
	}
	l.check("GET /metrics", get(t, "http://"+c.HTTP+"/metrics", marks["client token"]))
	l.leftBehind(c, agent, out)
}

// The original's body has secrets of its own; no route, in either spelling, no
// file and no log shows them, though the endpoint repeats what it was sent.
func TestSecretsOfTheOriginalsBodyNeverLeave(t *testing.T) {
	t.Parallel()
	c := harness.StartController(t, "--log-level", "debug")
	agent := harness.Start(t, "agent", "--controller", c.GRPC, "--name", "a", "--log-level", "debug")
	c.AwaitAgents(t, 1)
	s, l := site{t, "http://" + c.HTTP}, leaks{t}
	body := fmt.Sprintf(`{"url": %q, "model": "m", "endpoint_type": "vllm", "key": %q, "test_id": "seeds", "dataset_name": "synthesizer",
		"dataset_config": {"func": "lambda t: 20 * (t + 1) if t < 2 else None", "prompt_source": "synthetic"},
		"kwargs": {"max_tokens": 8, "hf_auth_key": %q, "api_token": %q, "deep": {"list": [{"password": %q}]}}}`,
		echo(t, true), marks["api key"], marks["hub token"], marks["extra body"], marks["extra body"])
	if a := s.do("POST", "/register_and_start_test", body); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	seen := s.finished("/test_status/seeds")
	if a := s.do("POST", "/register_test", strings.Replace(body, `"max_tokens": 8`, `"max_tokens": "eight"`, 1)); a.status != 422 {
		t.Errorf("a wrong body: %d", a.status)
	} else {
		l.check("the answer to a wrong body", a.body)
	}
	for _, path := range []string{"config", "error_info", "test_model", "report/json", "report/download", "tests/config", "tests/error_info", "tests/model", "tests/report/json", "tests/report/download", "trace/status", "v1/tests"} {
		a := s.get("/" + path + "/seeds")
		if a.status != 200 {
			t.Errorf("GET %s: %d %s (the run ended %v)", path, a.status, a.body, seen)
		}
		l.check("GET "+path, a.body)
		if a.media == "application/zip" {
			l.archive(a.body)
		}
	}
	for _, path := range []string{"/v1/tests", "/v1/tests/seeds/watch", "/v1/tests/seeds/report", "/v1/tests/seeds/samples", "/id_list", "/metrics", "/openapi.json"} {
		l.check("GET "+path, s.get(path).body)
	}
	out := t.TempDir()
	r := harness.Stampede(t, "report", "seeds", "--controller", c.GRPC, "--out", out, "--plots", "--export", "vllm,aiperf,guidellm,inference-perf,llm-d")
	l.check("report", r.Out+r.Err)
	if a := harness.ReadRun(t, out, "seeds.1"); a.Report.Accounting.Failed == 0 || a.Report.Accounting.Succeeded == 0 {
		t.Errorf("%+v: the run should have failures and successes", a.Report.Accounting)
	}
	l.leftBehind(c, agent, out)
}

// leftBehind ends agent and controller, and looks into their logs and folders.
func (l leaks) leftBehind(c *harness.Cluster, agent *harness.Process, out string) {
	l.t.Helper()
	agent.Signal(os.Interrupt)
	agent.Wait(40 * time.Second)
	c.Controller.Signal(os.Interrupt)
	c.Controller.Wait(20 * time.Second)
	l.check("agent's log", agent.Stderr()+agent.Stdout())
	l.check("controller's log", c.Controller.Stderr()+c.Controller.Stdout())
	l.folder(c.DataDir)
	l.folder(out)
}

// archive looks into the files of a zip.
func (l leaks) archive(data string) {
	l.t.Helper()
	z, err := zip.NewReader(strings.NewReader(data), int64(len(data)))
	if err != nil {
		l.t.Fatal(err)
	}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			l.t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			l.t.Fatal(err)
		}
		l.check("the download's "+f.Name, string(text))
	}
}

// probing is the same spec with the probe before it.
func probing(t *testing.T, spec string) string {
	t.Helper()
	text, err := os.ReadFile(spec)
	if err != nil {
		t.Fatal(err)
	}
	return harness.WriteSpec(t, strings.Replace(string(text), "preflight: false", "preflight: true", 1))
}

// awaitAgent waits until an agent is connected.
func awaitAgent(t *testing.T, do func(args ...string) harness.Result) {
	t.Helper()
	for range 200 {
		if strings.Count(do("agents").Out, "\n") == 2 {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("no agent within 10 s")
}

func get(t *testing.T, url, token string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.Status + "\n" + fmt.Sprint(resp.Header) + "\n" + string(body)
}

// TestSlowPeersAreCutOff: a peer that says half a greeting and no more does not
// keep a connection of either port.
func TestSlowPeersAreCutOff(t *testing.T) {
	t.Parallel()
	c := harness.StartController(t)
	for addr, greeting := range map[string]string{
		c.HTTP: "POST /v1/tests HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ",
		c.GRPC: "PRI * HTTP/2.0\r\n",
	} {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.WriteString(conn, greeting); err != nil {
			t.Fatal(err)
		}
		_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		if _, err := io.Copy(io.Discard, conn); err != nil && os.IsTimeout(err) {
			t.Errorf("%s still waits for the rest of %q after 20 s", addr, greeting)
		}
	}
}
