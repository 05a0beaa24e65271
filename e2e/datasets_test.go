package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stampede-bench/stampede/e2e/harness"
	"github.com/stampede-bench/stampede/internal/hub/hubtest"
)

// sources holds excerpts of the datasets that are known by name.
func sources() string { return filepath.Join(harness.Root(), "workload", "source", "testdata") }

// startHub serves those datasets as the hub does, to this test's processes.
func startHub(t *testing.T) *hubtest.Hub {
	t.Helper()
	repos, err := hubtest.Datasets(sources())
	if err != nil {
		t.Fatal(err)
	}
	h := hubtest.New(repos)
	t.Cleanup(h.Close)
	t.Setenv("HF_ENDPOINT", h.URL)
	t.Setenv("HF_HOME", t.TempDir())
	t.Setenv("HF_TOKEN", "")
	t.Setenv("HF_HUB_OFFLINE", "")
	return h
}

// listener is a model server that keeps what it is sent.
type listener struct {
	*httptest.Server
	mu     sync.Mutex
	bodies []string // the texts of a request's messages, one a line, by role
}

func listen(t *testing.T) *listener {
	t.Helper()
	l := &listener{}
	l.Server = httptest.NewServer(l)
	t.Cleanup(l.Close)
	return l
}

// ServeHTTP implements http.Handler: the preflight's answer is short, too.
func (l *listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !strings.HasSuffix(r.URL.Path, "/chat/completions") {
		fmt.Fprint(w, `{"data": [{"id": "m"}]}`)
		return
	}
	var body struct {
		Messages []struct{ Role, Content string } `json:"messages"`
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	var text strings.Builder
	for _, m := range body.Messages {
		fmt.Fprintf(&text, "%s: %s\n", m.Role, m.Content)
	}
	if !strings.HasSuffix(r.Header.Get("X-Request-Id"), "-preflight") {
		l.mu.Lock()
		l.bodies = append(l.bodies, text.String())
		l.mu.Unlock()
	}
	w.Header().Set("Content-Type", "text/event-stream")
	for _, event := range []string{
		`{"choices":[{"index":0,"delta":{"role":"assistant","content":"well"}}]}`,
		`{"choices":[{"index":0,"delta":{"content":" said"}}]}`,
		`{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`,
		`{"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9}}`, `[DONE]`,
	} {
		fmt.Fprintf(w, "data: %s\n\n", event)
	}
}

func (l *listener) url() string { return l.URL + "/v1" }

// heard returns what came since it was last asked.
func (l *listener) heard() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := l.bodies
	l.bodies = nil
	return out
}

// firstPrompts are in the first rows of each dataset that is known by name.
var firstPrompts = map[string][]string{
	"arena":    {"Is a tomato a fruit?", "Name a river in Spain."},
	"oasst1":   {"Who invented the honeycomb?", "what is the speed of an unladen swallow ?"},
	"dolly":    {"When did the ferry sink?\nThe ferry was built in 1901.", "Give me three words that rhyme with sun."},
	"openorca": {"You are a patient teacher.", "Translate to French: good morning"},
	"sharegpt": {"What is the tallest mountain?", "Go on."},
}

func TestDatasetsByName(t *testing.T) {
	h := startHub(t)
	for name, want := range firstPrompts {
		t.Run(name, func(t *testing.T) {
			if name == "arena" {
				refused := harness.Stampede(t, "run", "--url", "http://127.0.0.1:1/v1", "--dataset", name, "--requests", "2", "--out", "", "--no-progress").Must(t, 1)
				if !strings.Contains(refused.Err, "401 Unauthorized: Access to dataset") || !strings.Contains(refused.Err, "hint: the repository is gated: accept its conditions at "+h.URL) {
					t.Errorf("without a token: %s", refused.Err)
				}
				t.Setenv("HF_TOKEN", h.Token)
			}
			server := listen(t)
			harness.Stampede(t, "run", "--url", server.url(), "--dataset", name, "--concurrency", "1", "--requests", "2", "--agents", "2", "--out", "", "--no-progress").Judged(t)
			seen := strings.Join(server.heard(), "")
			for _, w := range want {
				if !strings.Contains(seen, w) {
					t.Errorf("%q was not sent: %s", w, seen)
				}
			}
		})
	}
	for _, q := range h.Requests() {
		if q.Authorization != "" && (q.Host != "hub" || q.Authorization != "Bearer "+h.Token) {
			t.Errorf("a token went astray: %+v", q)
		}
	}
}

func TestAnyDatasetOfTheHubByItsColumns(t *testing.T) {
	startHub(t)
	server := listen(t)
	run := func(name string, code int) harness.Result {
		return harness.Stampede(t, "run", "--url", server.url(), "--dataset", name, "--columns", "prompt=ask,answer=reply",
			"--concurrency", "1", "--requests", "2", "--out", "", "--no-progress").Must(t, code)
	}
	run("hf://owner/tables", 0)
	run("hf://owner/tables@main/sums/test", 0)
	if seen := strings.Join(server.heard(), ""); !strings.Contains(seen, "1 + 1?") || !strings.Contains(seen, "2 + 2?") || !strings.Contains(seen, "3 + 3?") {
		t.Errorf("sent %s", seen)
	}
	if r := run("hf://owner/tables/sums/dev", 1); !strings.Contains(r.Err, "configuration sums has no split dev; there are test, train") {
		t.Errorf("%s", r.Err)
	}
	if r := run("hf://owner/none", 1); !strings.Contains(r.Err, "owner/none: the hub answers 401") || !strings.Contains(r.Err, "hint: it does not exist, or is private or gated") {
		t.Errorf("%s", r.Err)
	}
	harness.Stampede(t, "run", "--url", server.url(), "--dataset", "hf://owner/script", "--concurrency", "1", "--requests", "2", "--out", "", "--no-progress").Judged(t)
	if seen := strings.Join(server.heard(), ""); !strings.Contains(seen, "Why is the sky blue?") {
		t.Errorf("the hub's own conversion was not taken: %s", seen)
	}
}

// ended waits for a test's end and returns how the original's routes call it.
func (s site) ended(id string) string {
	seen := s.finished("/test_status/" + id)
	return seen[len(seen)-1]
}

// The controller fetches for callers that can't: those of the original's routes.
func TestOriginalsDatasetsByName(t *testing.T) {
	h := startHub(t)
	c := harness.StartCluster(t, 2)
	s := site{t: t, base: "http://" + c.HTTP}
	server := listen(t)
	body := func(source, token string) string {
		return `{"url": "` + server.url() + `", "model": "m", "dataset_name": "synthesizer", "endpoint_type": "vllm",
			"dataset_config": {"func": "lambda t: 4 if t < 1 else None", "prompt_source": "` + source + `"}, "kwargs": {"max_tokens": 5, "hf_auth_key": "` + token + `"}}`
	}
	for name, want := range firstPrompts {
		if name == "sharegpt" {
			continue
		}
		id := strings.Trim(s.do(http.MethodPost, "/register_and_start_test", body(name, h.Token)).body, "\"\n")
		if got := s.ended(id); got != "finish" {
			t.Errorf("%s: %s, %s", name, got, s.do(http.MethodGet, "/error_info/"+id, "").body)
		}
		seen := strings.Join(server.heard(), "")
		for _, w := range want {
			if !strings.Contains(seen, w) {
				t.Errorf("%s: %q was not sent: %s", name, w, seen)
			}
		}
	}
	id := strings.Trim(s.do(http.MethodPost, "/register_and_start_test", body("arena", "")).body, "\"\n")
	if got := s.ended(id); got != "error" {
		t.Errorf("without a token the test is %q", got)
	}
	said := s.do(http.MethodGet, "/error_info/"+id, "").body
	if !strings.Contains(said, "lmsys/chatbot_arena_conversations: the hub answers 401") || !strings.Contains(said, "the repository is gated") {
		t.Errorf("error_info %s", said)
	}
	if strings.Contains(said, h.Token) {
		t.Error("the token is in an answer")
	}
	list := s.do(http.MethodGet, "/dataset_list", "").body
	for name := range firstPrompts {
		if name != "sharegpt" && !strings.Contains(list, `"id":"`+name+`"`) {
			t.Errorf("dataset_list lacks %s: %s", name, list)
		}
	}
}

// The original's visits: turns follow one another with the answers that came, at
// the recorded times, brought together.
func TestOriginalsVisits(t *testing.T) {
	h := startHub(t)
	c := harness.StartCluster(t, 2)
	s := site{t: t, base: "http://" + c.HTTP}
	server := listen(t)
	for name, turns := range map[string]int{"arena": 4, "oasst1": 14, "dolly": 2, "openorca": 4} {
		body := `{"url": "` + server.url() + `", "model": "m", "dataset_name": "` + name + `", "endpoint_type": "vllm",
			"dataset_config": {"compression_ratio": 20}, "kwargs": {"human_input_wps": 1000, "max_tokens": 5, "skip_idle_min": 0.2, "hf_auth_key": "` + h.Token + `"}}`
		if name == "oasst1" {
			body = strings.Replace(body, `"compression_ratio": 20`, `"compression_ratio": 20, "separate_req_in_one_visit": true`, 1)
		}
		id := strings.Trim(s.do(http.MethodPost, "/register_and_start_test", body).body, "\"\n")
		if got := s.ended(id); got != "finish" {
			t.Errorf("%s: %s, %s", name, got, s.do(http.MethodGet, "/error_info/"+id, "").body)
		}
		heard := server.heard()
		if len(heard) != turns {
			t.Errorf("%s: %d requests, the data has %d turns: %q", name, len(heard), turns, heard)
		}
		live := "user: Name a river in Spain.\nassistant: well said\nuser: How long is it?\n"
		if all := strings.Join(heard, ""); name == "arena" && !strings.Contains(all, live) {
			t.Errorf("the second turn does not carry the answer that came: %s", all)
		}
	}
}

// A file of the caller goes to the controller and from there to its agents.
func TestCallersFileOnAController(t *testing.T) {
	c := harness.StartCluster(t, 2)
	server := listen(t)
	hashes := map[string]bool{}
	for _, agents := range []string{"1", "2"} {
		out := t.TempDir()
		harness.Stampede(t, "run", "--controller", c.GRPC, "--agents", agents, "--url", server.url(), "--dataset", filepath.Join(sources(), "arena_hard.jsonl"),
			"--concurrency", "2", "--requests", "16", "--max-tokens", "4", "--out", out, "--no-progress").Judged(t)
		found, err := filepath.Glob(filepath.Join(out, "workload_hash_*.txt"))
		if err != nil || len(found) == 0 {
			t.Fatalf("%v, %v", found, err)
		}
		hash, err := os.ReadFile(found[0])
		if err != nil {
			t.Fatal(err)
		}
		hashes[string(hash)] = true
	}
	if len(hashes) != 1 {
		t.Errorf("hashes of 1 and 2 agents differ: %v", hashes)
	}
	seen := server.heard()
	slices.Sort(seen)
	if n := len(slices.Compact(seen)); n != 8 {
		t.Errorf("%d different prompts were sent, the file has 8", n)
	}
	missing := harness.Stampede(t, "run", "--controller", c.GRPC, "--url", server.url(), "--dataset", "nowhere.jsonl", "--requests", "1", "--out", "").Must(t, 2)
	if !strings.Contains(missing.Err, "nowhere.jsonl") {
		t.Errorf("%s", missing.Err)
	}
}
