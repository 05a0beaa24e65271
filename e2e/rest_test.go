package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/e2e/harness"
)

// object gets a path and decodes what comes.
func (s site) object(method, path, body string, status int) map[string]any {
	s.t.Helper()
	a := s.do(method, path, body)
	var v map[string]any
	if err := json.Unmarshal([]byte(a.body), &v); err != nil || a.status != status {
		s.t.Fatalf("%s %s: %d %s: %v, want %d", method, path, a.status, a.body, err, status)
	}
	return v
}

// Everything that can be done by gRPC can be done by HTTP.
func TestRESTCanDoEverything(t *testing.T) {
	t.Parallel()
	sim := harness.StartSimulator(t, "--ttft", "10ms", "--itl", "1ms", "--tokens", "8")
	c := harness.StartCluster(t, 1)
	s := site{t, "http://" + c.HTTP}
	spec := fmt.Sprintf(`{"spec": {"name": "chat", "endpoint": {"url": %q, "api_key": "sk-MARKed-secret"}, "load": {"stages": [{"rate": 20, "arrival": "constant", "duration": "1500ms"}]}}, "requestId": "r-1"}`, sim.URL())
	id := s.object("POST", "/v1/tests", spec, 200)["testId"].(string)
	if again := s.object("POST", "/v1/tests", spec, 200)["testId"]; again != id {
		t.Errorf("the same request_id gave %v, want %s", again, id)
	}
	if run := s.object("POST", "/v1/tests/"+id+"/start", "", 200)["runId"]; run != id+".1" {
		t.Errorf("run %v", run)
	}
	if p := s.object("POST", "/v1/tests/"+id+"/start", "", 409); p["code"] != "FAILED_PRECONDITION" || p["hint"] == "" {
		t.Errorf("started twice: %v", p)
	}
	if p := s.object("DELETE", "/v1/tests/"+id, "", 409); p["hint"] != "cancel it first" {
		t.Errorf("deleted while it runs: %v", p)
	}
	if a := s.get("/v1/tests/" + id + "/samples"); a.status != 409 {
		t.Errorf("samples while it runs: %d %s", a.status, a.body)
	}
	if last := watched(s, id); last["state"] != "STATE_SUCCEEDED" {
		t.Errorf("the watch ended with %v", last)
	}
	if n := s.object("GET", "/v1/tests/"+id+"/report", "", 200)["request_num"]; n != 30.0 {
		t.Errorf("request_num %v, want 30", n)
	}
	if rows := countSamples(s, id); rows != 30 {
		t.Errorf("%d samples, want 30", rows)
	}
	if tests := s.object("GET", "/v1/tests?page_size=10", "", 200)["tests"].([]any); len(tests) != 1 {
		t.Errorf("%d tests, want 1", len(tests))
	}
	if a := s.get("/v1/tests/" + id); strings.Contains(a.body, "MARKed") {
		t.Errorf("the key shows: %s", a.body)
	}
	if agents := s.object("GET", "/v1/agents", "", 200)["agents"].([]any); len(agents) != 1 || agents[0].(map[string]any)["name"] != "agent-a" {
		t.Errorf("agents %v", agents)
	}
	if files := s.object("DELETE", "/v1/tests/"+id, "", 200)["deletedFiles"].([]any); len(files) < 4 {
		t.Errorf("deleted %v", files)
	}
	s.object("GET", "/v1/tests/"+id, "", 404)
}

// watched follows a test to its end and returns the last message.
func watched(s site, id string) map[string]any {
	s.t.Helper()
	resp, err := http.Get(s.base + "/v1/tests/" + id + "/watch")
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	var last map[string]any
	revision := ""
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		var m struct{ Test map[string]any }
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil || m.Test == nil {
			s.t.Fatalf("%s: %v", lines.Text(), err)
		}
		last = m.Test
		if next := last["revision"].(string); len(next) < len(revision) || len(next) == len(revision) && next <= revision {
			s.t.Errorf("revision %s after %s", next, revision)
		} else {
			revision = next
		}
	}
	if err := lines.Err(); err != nil {
		s.t.Fatal(err)
	}
	return last
}

func countSamples(s site, id string) (rows int) {
	s.t.Helper()
	for line := range strings.Lines(s.get("/v1/tests/" + id + "/samples").body) {
		var m struct{ Samples []any }
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			s.t.Fatal(err)
		}
		rows += len(m.Samples)
	}
	return rows
}

func TestCancelAndUploadByREST(t *testing.T) {
	t.Parallel()
	sim := harness.StartSimulator(t, "--ttft", "10ms", "--itl", "1ms", "--tokens", "8")
	c := harness.StartCluster(t, 1)
	s := site{t, "http://" + c.HTTP}
	data := `{"prompt": "one two three"}` + "\n" + `{"prompt": "four five six"}` + "\n"
	hash := s.object("POST", "/v1/datasets?file_name=prompts.jsonl", data, 200)["corpusHash"].(string)
	spec := fmt.Sprintf(`{"spec": {"endpoint": {"url": %q}, "dataset": {"corpus_hash": %q}, "load": {"stages": [{"concurrency": 2, "duration": "60s"}]}}, "testId": "by-hand"}`, sim.URL(), hash)
	if id := s.object("POST", "/v1/tests", spec, 200)["testId"]; id != "by-hand" {
		t.Errorf("id %v", id)
	}
	s.object("POST", "/v1/tests", spec, 409)
	s.object("POST", "/v1/tests/by-hand/start", "{}", 200)
	for range 400 {
		if strings.Contains(s.get("/trace/status/by-hand").body, `"number":0,"status":"finish"`) {
			time.Sleep(25 * time.Millisecond)
			continue
		}
		break
	}
	s.object("POST", "/v1/tests/by-hand/cancel", "", 200)
	if last := watched(s, "by-hand"); last["state"] != "STATE_CANCELLED" {
		t.Errorf("the watch ended with %v", last)
	}
	s.want("/test_status/by-hand", `"error"`)
}

// Hostile requests are turned away on the real port.
func TestHTTPPortTurnsAway(t *testing.T) {
	t.Parallel()
	c := harness.StartController(t, "--allow-host", "bench.example.org,*.dash.example", "--allow-origin", "https://dash.example")
	s := site{t, "http://" + c.HTTP}
	for _, tt := range []struct {
		name   string
		path   string
		header []string
		want   int
	}{
		{"another name for this host", "/id_list", []string{"Host", "evil.example"}, 403},
		{"health by another name", "/healthz", []string{"Host", "evil.example"}, 403},
		{"an allowed name", "/id_list", []string{"Host", "bench.example.org:8000"}, 200},
		{"an allowed domain", "/id_list", []string{"Host", "a.dash.example"}, 200},
		{"another site's page", "/id_list", []string{"Origin", "https://evil.example"}, 403},
		{"another site's image", "/start_test/x", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"another port's image", "/delete_test/x", []string{"Sec-Fetch-Site", "same-site"}, 403},
		{"an allowed page", "/id_list", []string{"Origin", "https://dash.example", "Sec-Fetch-Site", "cross-site"}, 200},
		{"a path that leads up", "/report/json/..%2f..%2f..%2fetc%2fpasswd", nil, 404},
		{"a path that leads up, plainly", "/report/download/../../../etc/passwd", nil, 404},
		{"a huge id", "/config/" + strings.Repeat("x", 30<<10), nil, 200},
		{"a header that is too large", "/id_list", []string{"X-Large", strings.Repeat("x", 100<<10)}, 431},
	} {
		if a := s.do(http.MethodGet, tt.path, "", tt.header...); a.status != tt.want || len(a.body) > 1000 {
			t.Errorf("%s: %d %.200s, want %d", tt.name, a.status, a.body, tt.want)
		}
	}
	for name, body := range map[string]string{
		"large":             `{"url":"` + strings.Repeat("x", 9<<20) + `"}`,
		"deep":              strings.Repeat(`[`, 1<<20),
		"wide":              `[` + strings.Repeat(`0,`, 1<<20) + `0]`,
		"a large number":    `{"url":1` + strings.Repeat("0", 1<<20) + `}`,
		"a large exponent":  `{"random_seed":1e999999999}`,
		"deep in a spec":    `{"spec":{"endpoint":{"url":"http://h"},"sampling":{"extra_body":{"a":` + strings.Repeat(`[`, 100_000) + strings.Repeat(`]`, 100_000) + `}}}}`,
		"deep in a body":    `{"url":"http://h","model":"m","endpoint_type":"vllm","dataset_name":"synthesizer","kwargs":{"a":` + strings.Repeat(`{"a":`, 100_000) + `1` + strings.Repeat(`}`, 100_000) + `}}`,
		"wide in a spec":    `{"spec":{"endpoint":{"url":"http://h"},"sampling":{"extra_body":{"a":[` + strings.Repeat(`0,`, 300_000) + `0]}}}}`,
		"numbers in a spec": `{"spec":{"endpoint":{"url":"http://h"},"sampling":{"extra_body":{"a":1e999999999,"b":` + strings.Repeat("9", 100_000) + `}}}}`,
		"numbers in a body": `{"url":"http://h","model":"m","endpoint_type":"vllm","dataset_name":"synthesizer","kwargs":{"a":1e999999999,"max_tokens":1e30,"b":` + strings.Repeat("9", 100_000) + `}}`,
		"many faults":       `{"spec":{"endpoint":{"url":"http://h"},` + strings.Repeat(`"x":1,`, 100_000) + `"y":1}}`,
		"aliases of a bomb": "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\ng: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f]\nurl: *g\n",
	} {
		for _, path := range []string{"/register_test", "/v1/tests"} {
			begun := time.Now()
			if a := s.do(http.MethodPost, path, body); a.status != 422 && a.status != 413 && a.status != 400 || len(a.body) > 100_000 {
				t.Errorf("%s, %s: %d %.200s", path, name, a.status, a.body)
			}
			if took := time.Since(begun); took > 10*time.Second {
				t.Errorf("%s, %s: took %v", path, name, took)
			}
		}
	}
	s.want("/id_list", "[]")
}

// A body that does not come holds up nobody else; package guard's tests see it cut.
func TestSlowBodyHoldsUpNobody(t *testing.T) {
	t.Parallel()
	c := harness.StartController(t)
	conn, err := net.Dial("tcp", c.HTTP)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "POST /register_test HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{"); err != nil {
		t.Fatal(err)
	}
	site{t, "http://" + c.HTTP}.want("/id_list", "[]")
}
