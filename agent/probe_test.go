package agent

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/target"
)

// endpoint is a small model server whose answers a test can change.
type endpoint struct {
	mu      sync.Mutex
	models  string
	status  int
	body    string
	version string
	calls   []string
	asked   map[string]any
	id      string
	starts  int // answers 503 so often first
	// busy are the first statuses of the small request, each with a Retry-After.
	busy     []int
	after    string
	attempts []string
	took     time.Duration // the probe, once it has ended
}

func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.calls = append(e.calls, r.Method+" "+r.URL.Path)
	if e.starts > 0 {
		e.starts--
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	switch r.URL.Path {
	case "/v1/models":
		if e.models == "" {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write([]byte(e.models))
	case "/version":
		_, _ = w.Write([]byte(e.version))
	case "/v1/chat/completions":
		e.id = r.Header.Get("X-Request-Id")
		e.attempts = append(e.attempts, r.Header.Get("X-Request-Attempt"))
		if len(e.busy) > 0 {
			w.Header().Set("Retry-After", e.after)
			w.WriteHeader(e.busy[0])
			e.busy = e.busy[1:]
			return
		}
		_ = json.NewDecoder(r.Body).Decode(&e.asked)
		if e.status != 0 {
			w.WriteHeader(e.status)
		}
		if strings.HasPrefix(e.body, "data:") {
			w.Header().Set("Content-Type", "text/event-stream")
		}
		_, _ = w.Write([]byte(e.body))
	case "/flush_cache":
		w.WriteHeader(http.StatusOK)
	default:
		http.NotFound(w, r)
	}
}

const (
	twoModels = `{"data":[{"id":"big","owned_by":"vllm"},{"id":"small","owned_by":"vllm"}]}`
	oneToken  = "data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"}}]}\n\ndata: [DONE]\n\n"
	noToken   = "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\"},\"finish_reason\":\"length\"}]}\n\ndata: [DONE]\n\n"
)

func TestProbe(t *testing.T) {
	tests := []struct {
		name  string
		spec  string // beside the URL
		e     *endpoint
		check func(t *testing.T, e *endpoint, r *stampedev1.ProbeResult)
	}{
		{"all is well", ", model: small", &endpoint{models: twoModels, body: oneToken, version: `{"version":"0.11.0"}`}, func(t *testing.T, e *endpoint, r *stampedev1.ProbeResult) {
			want := &stampedev1.ProbeResult{RunId: "run", Model: "small", Models: []string{"big", "small"}, Engine: "vllm", ServerVersion: "0.11.0"}
			if !proto.Equal(r, want) {
				t.Errorf("got %v, want %v", r, want)
			}
			if e.id != "run-preflight" || e.asked["stream"] != true || e.asked["model"] != "small" {
				t.Errorf("it asked %q %v", e.id, e.asked)
			}
		}},
		{"the first model is taken", "", &endpoint{models: twoModels, body: oneToken}, func(t *testing.T, e *endpoint, r *stampedev1.ProbeResult) {
			if r.GetErrorKind() != "" || r.GetModel() != "big" || e.asked["model"] != "big" {
				t.Errorf("got %v", r)
			}
		}},
		{"no model to take", "", &endpoint{body: oneToken}, func(t *testing.T, _ *endpoint, r *stampedev1.ProbeResult) {
			if r.GetErrorKind() != "http_404" || r.GetHint() == "" {
				t.Errorf("got %v", r)
			}
		}},
		{"a model that is not listed is a remark", ", model: other", &endpoint{models: twoModels, body: oneToken}, func(t *testing.T, _ *endpoint, r *stampedev1.ProbeResult) {
			if r.GetErrorKind() != "" || len(r.GetNotices()) != 1 || !strings.Contains(r.GetNotices()[0], `"other"`) {
				t.Errorf("got %v", r)
			}
		}},
		{"a wrong model", ", model: other", &endpoint{models: twoModels, status: 404, body: `{"error":{"message":"no such model"}}`}, func(t *testing.T, _ *endpoint, r *stampedev1.ProbeResult) {
			if r.GetErrorKind() != "http_404" || !strings.Contains(r.GetHint(), "big, small") || !strings.Contains(r.GetErrorMessage(), "no such model") {
				t.Errorf("got %v", r)
			}
		}},
		{"no key", ", model: big", &endpoint{models: twoModels, status: 401, body: "{}"}, func(t *testing.T, _ *endpoint, r *stampedev1.ProbeResult) {
			if r.GetErrorKind() != "http_401" || !strings.Contains(r.GetHint(), "--api-key-env") {
				t.Errorf("got %v", r)
			}
		}},
		{"a wrong key", ", model: big, api_key_env: MY_KEY, api_key: s3cr3t-value", &endpoint{models: twoModels, status: 403, body: `{"error":"s3cr3t-value is not a key"}`}, func(t *testing.T, _ *endpoint, r *stampedev1.ProbeResult) {
			if r.GetErrorKind() != "http_403" || !strings.Contains(r.GetHint(), "MY_KEY") || strings.Contains(r.String(), "s3cr3t") {
				t.Errorf("got %v", r)
			}
		}},
		{"one token without text", ", model: big", &endpoint{models: twoModels, body: noToken}, func(t *testing.T, _ *endpoint, r *stampedev1.ProbeResult) {
			if r.GetErrorKind() != "" || len(r.GetNotices()) != 1 {
				t.Errorf("got %v", r)
			}
		}},
		{"busy for a moment", ", model: big", &endpoint{models: twoModels, body: oneToken, busy: []int{429, 503}}, func(t *testing.T, e *endpoint, r *stampedev1.ProbeResult) {
			if r.GetErrorKind() != "" || len(r.GetNotices()) != 1 || r.GetNotices()[0] != "preflight: the endpoint answered HTTP 503 before, and took it at the 3rd try" {
				t.Errorf("got %v", r)
			}
			if !slices.Equal(e.attempts, []string{"", "2", "3"}) || e.id != "run-preflight" {
				t.Errorf("attempts %q of %s", e.attempts, e.id)
			}
		}},
		{"busy, and it says for how long", ", model: big", &endpoint{models: twoModels, body: oneToken, busy: []int{429}, after: "1"}, func(t *testing.T, e *endpoint, r *stampedev1.ProbeResult) {
			if r.GetErrorKind() != "" || len(e.attempts) != 2 || e.took < time.Second {
				t.Errorf("got %v after %v", r, e.took)
			}
		}},
		{"busy for too long", ", model: big", &endpoint{models: twoModels, body: oneToken, busy: []int{429, 200}, after: "3600"}, func(t *testing.T, e *endpoint, r *stampedev1.ProbeResult) {
			want := "asked once and is to wait 1h0m0s (Retry-After), longer than the 20s that a probe may take; the last answer was HTTP 429"
			if r.GetErrorKind() != "http_429" || r.GetErrorMessage() != want || !strings.Contains(r.GetHint(), "limits the rate") || len(e.attempts) != 1 {
				t.Errorf("got %v", r)
			}
		}},
		{"no model named while it is busy", "", &endpoint{models: twoModels, body: oneToken, starts: 2}, func(t *testing.T, e *endpoint, r *stampedev1.ProbeResult) {
			if r.GetErrorKind() != "" || r.GetModel() != "big" || len(r.GetNotices()) != 1 || !strings.HasPrefix(r.GetNotices()[0], "the list of models: ") {
				t.Errorf("got %v", r)
			}
		}},
		{"what does not pass is not asked again", ", model: big", &endpoint{models: twoModels, body: oneToken, busy: []int{501, 200}}, func(t *testing.T, e *endpoint, r *stampedev1.ProbeResult) {
			if r.GetErrorKind() != "http_501" || len(e.attempts) != 1 || !strings.HasPrefix(r.GetErrorMessage(), "HTTP 501") {
				t.Errorf("got %v", r)
			}
		}},
		{"a page", ", model: big", &endpoint{models: twoModels, body: "<!DOCTYPE html><html></html>"}, func(t *testing.T, _ *endpoint, r *stampedev1.ProbeResult) {
			if r.GetErrorKind() == "" || r.GetHint() == "" {
				t.Errorf("got %v", r)
			}
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			server := httptest.NewServer(test.e)
			defer server.Close()
			began := time.Now()
			result := ask(t, server.URL, test.spec, false)
			test.e.mu.Lock()
			defer test.e.mu.Unlock()
			test.e.took = time.Since(began)
			test.check(t, test.e, result)
		})
	}
}

// ask probes a real server with a real client.
func ask(t *testing.T, url, more string, flush bool) *stampedev1.ProbeResult {
	t.Helper()
	s, m := spec(t, "endpoint: {url: \""+url+"/v1\""+more+"}\nload: {stages: [{rate: 1, duration: 1s}]}")
	m.Endpoint.ApiKey = s.Endpoint.APIKey.Reveal()
	a := &Agent{cfg: Config{}.withDefaults()}
	return a.probe(context.Background(), &stampedev1.Probe{RunId: "run", Spec: m, FlushCache: flush})
}

func TestProbeRefusedConnection(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	url := server.URL
	server.Close()
	if r := ask(t, url, ", model: m", false); r.GetErrorKind() != target.KindRefused || !strings.Contains(r.GetHint(), "--wait-ready") {
		t.Errorf("got %v", r)
	}
}

func TestProbeFlushesTheCache(t *testing.T) {
	e := &endpoint{}
	server := httptest.NewServer(e)
	defer server.Close()
	r := ask(t, server.URL, ", model: m", true)
	e.mu.Lock()
	if r.GetErrorKind() != "" || e.calls[len(e.calls)-1] != "POST /flush_cache" {
		t.Errorf("got %v after %v", r, e.calls)
	}
	e.mu.Unlock()
	if r := ask(t, server.URL, ", model: m, type: vllm", true); r.GetErrorKind() != "http_404" || !strings.Contains(r.GetErrorMessage(), "tried POST /reset_prefix_cache") || !strings.Contains(r.GetHint(), "VLLM_SERVER_DEV_MODE") {
		t.Errorf("got %v, want that vLLM's route is not there", r)
	}
}

func TestProbeWaitsUntilReady(t *testing.T) {
	e := &endpoint{models: twoModels, body: oneToken, starts: 1}
	server := httptest.NewServer(e)
	defer server.Close()
	if r := ask(t, server.URL, "}\nwait_ready: 30s\nlabels: {a: b", false); r.GetErrorKind() != "" {
		t.Errorf("got %v", r)
	}
}

// An answer is told again until the controller is known to have it.
func TestProbeResultSurvivesABrokenSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.close()
		_, end := b.agent()
		time.Sleep(time.Second)
		_, m := spec(t, constant)
		ask := func() {
			b.c.tell(&stampedev1.SessionResponse{Message: &stampedev1.SessionResponse_Probe{Probe: &stampedev1.Probe{RunId: "run", Spec: m}}})
			time.Sleep(time.Millisecond)
			synctest.Wait()
		}
		ask()
		b.c.mu.Lock()
		b.c.cut()
		b.c.mu.Unlock()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if len(b.c.probes) != 2 {
			t.Errorf("%d results, want the one again", len(b.c.probes))
		}
		time.Sleep(2 * time.Second)
		b.c.mu.Lock()
		b.c.cut()
		b.c.mu.Unlock()
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if len(b.c.probes) != 2 {
			t.Errorf("%d results, want no more: the controller has it", len(b.c.probes))
		}
		if err := end(); err != nil {
			t.Error(err)
		}
	})
}
