package target

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/stampede-bench/stampede/internal/secret"
	"github.com/stampede-bench/stampede/workload"
	"github.com/stampede-bench/stampede/workload/dataset"
	"pgregory.net/rapid"
)

// requestOf prepares a request and reads it as a server would.
func requestOf(t *testing.T, cfg Config, in Input) (*http.Request, map[string]any) {
	t.Helper()
	cl := newClient(t, cfg)
	c, err := cl.Prepare(in)
	if err != nil {
		t.Fatal(err)
	}
	req := readRequest(bufio.NewReader(bytes.NewReader(c.req)))
	if req == nil {
		t.Fatalf("not a request: %q", c.req)
	}
	var body map[string]any
	if err := json.NewDecoder(req.Body).Decode(&body); err != nil {
		t.Fatal(err)
	}
	return req, body
}

func ptr[T any](v T) *T { return &v }

func TestBody(t *testing.T) {
	user := []dataset.Message{{Role: "user", Content: "Hi"}}
	messages := `"messages":[{"role":"user","content":"Hi"}]`
	for _, tt := range []struct {
		name     string
		endpoint workload.Endpoint
		sampling workload.Sampling
		in       Input
		path     string
		want     string
	}{
		{"chat", workload.Endpoint{}, workload.Sampling{}, Input{Messages: user}, "/v1/chat/completions",
			`{"model":"m",` + messages + `,"stream":true,"stream_options":{"include_usage":true}}`},
		{"without streaming", workload.Endpoint{Stream: ptr(false)}, workload.Sampling{}, Input{Messages: user}, "/v1/chat/completions",
			`{"model":"m",` + messages + `,"stream":false}`},
		{"completions of one message", workload.Endpoint{API: "completions"}, workload.Sampling{}, Input{Messages: user}, "/v1/completions",
			`{"model":"m","prompt":"Hi","stream":true,"stream_options":{"include_usage":true}}`},
		{"completions of several", workload.Endpoint{API: "completions"}, workload.Sampling{},
			Input{Messages: []dataset.Message{{Role: "system", Content: "Be"}, {Role: "user", Content: "Hi"}}}, "/v1/completions",
			`{"model":"m","prompt":"system: Be\nuser: Hi","stream":true,"stream_options":{"include_usage":true}}`},
		{"sampling", workload.Endpoint{}, workload.Sampling{Temperature: ptr(0.0), TopP: ptr(0.9), N: ptr(2), MaxTokens: ptr(64), IgnoreEOS: ptr(true)},
			Input{Messages: user}, "/v1/chat/completions",
			`{"model":"m",` + messages + `,"stream":true,"stream_options":{"include_usage":true},"temperature":0,"top_p":0.9,"n":2,"max_tokens":64,"ignore_eos":true}`},
		{"an exact length on vllm", workload.Endpoint{Type: "vllm"}, workload.Sampling{}, Input{Messages: user, OutputTokens: 20}, "/v1/chat/completions",
			`{"model":"m",` + messages + `,"stream":true,"stream_options":{"include_usage":true,"continuous_usage_stats":true},"max_tokens":20,"min_tokens":20,"ignore_eos":true}`},
		{"an exact length on sglang", workload.Endpoint{Type: "sglang"}, workload.Sampling{MaxTokens: ptr(10)}, Input{Messages: user, OutputTokens: 20}, "/v1/chat/completions",
			`{"model":"m",` + messages + `,"stream":true,"stream_options":{"include_usage":true},"max_tokens":10,"min_tokens":10,"ignore_eos":true}`},
		{"vllm told to heed the end", workload.Endpoint{Type: "vllm"}, workload.Sampling{IgnoreEOS: ptr(false)}, Input{Messages: user, OutputTokens: 20}, "/v1/chat/completions",
			`{"model":"m",` + messages + `,"stream":true,"stream_options":{"include_usage":true,"continuous_usage_stats":true},"ignore_eos":false,"max_tokens":20}`},
		{"a cap alone is no exact length", workload.Endpoint{Type: "vllm"}, workload.Sampling{MaxTokens: ptr(10)}, Input{Messages: user}, "/v1/chat/completions",
			`{"model":"m",` + messages + `,"stream":true,"stream_options":{"include_usage":true,"continuous_usage_stats":true},"max_tokens":10}`},
		{"extra body replaces", workload.Endpoint{Type: "vllm"},
			workload.Sampling{Temperature: ptr(1.0), ExtraBody: workload.ExtraBody{"temperature": 0.5, "stream_options": nil, "max_tokens": 7, "min_tokens": 3, "ignore_eos": false, "guided_json": map[string]any{"a": []any{1.0}}}},
			Input{Messages: user, OutputTokens: 20}, "/v1/chat/completions",
			`{"model":"m",` + messages + `,"stream":true,"temperature":0.5,"stream_options":null,"max_tokens":7,"min_tokens":3,"ignore_eos":false,"guided_json":{"a":[1]}}`},
		{"extra body replaces everything", workload.Endpoint{API: "completions"},
			workload.Sampling{ExtraBody: workload.ExtraBody{"model": "x", "prompt": []any{1.0, 2.0}, "stream": true, "stream_options": map[string]any{}}},
			Input{Messages: user}, "/v1/completions", `{"model":"x","prompt":[1,2],"stream":true,"stream_options":{}}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.endpoint.URL, tt.endpoint.Model = "http://127.0.0.1:10000/v1/", "m"
			req, got := requestOf(t, Config{Endpoint: tt.endpoint, Sampling: tt.sampling}, tt.in)
			var want map[string]any
			if err := json.Unmarshal([]byte(tt.want), &want); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				b, _ := json.Marshal(got)
				t.Errorf("got  %s\nwant %s", b, tt.want)
			}
			if req.Method != "POST" || req.URL.Path != tt.path {
				t.Errorf("got %s %s, want POST %s", req.Method, req.URL.Path, tt.path)
			}
		})
	}
}

func TestOwnOpenAILengthKey(t *testing.T) {
	e := workload.Endpoint{URL: "https://api.openai.com/v1", Model: "m"}
	_, body := requestOf(t, Config{Endpoint: e}, Input{OutputTokens: 5})
	if body["max_completion_tokens"] != 5.0 || body["max_tokens"] != nil {
		t.Errorf("body is %v", body)
	}
	e.API = "completions"
	_, body = requestOf(t, Config{Endpoint: e}, Input{OutputTokens: 5})
	if body["max_tokens"] != 5.0 {
		t.Errorf("body is %v", body)
	}
}

func TestHead(t *testing.T) {
	e := workload.Endpoint{
		URL: "http://[::1]:8000/v1?api-version=1", Model: "m", APIKey: secret.New("EMPTY"),
		Headers: workload.Headers{"X-Team": " a b ", "user-agent": "mine"},
	}
	req, _ := requestOf(t, Config{Endpoint: e}, Input{ID: "run.1-7"})
	for name, want := range map[string]string{
		"X-Request-Id": "run.1-7", "X-Request-Attempt": "", "Authorization": "Bearer EMPTY", "X-Team": "a b",
		"User-Agent": "mine", "Accept": "text/event-stream", "Accept-Encoding": "identity", "Content-Type": "application/json",
	} {
		if got := strings.Join(req.Header[name], "|"); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if req.Host != "[::1]:8000" || req.RequestURI != "/v1/chat/completions?api-version=1" {
		t.Errorf("host %q, target %q", req.Host, req.RequestURI)
	}
	e.Headers["Authorization"] = "Basic eA=="
	req, _ = requestOf(t, Config{Endpoint: e}, Input{})
	if got := strings.Join(req.Header["Authorization"], "|"); got != "Basic eA==" {
		t.Errorf("Authorization is %q", got)
	}
	cl := newClient(t, Config{Endpoint: e})
	if _, err := cl.Prepare(Input{ID: "a\r\nX: y"}); err == nil {
		t.Error("an id with a line end was taken")
	}
}

// TestSecondAttempt: the second attempt is the first with one more header.
func TestSecondAttempt(t *testing.T) {
	cl := newClient(t, configFor("http://127.0.0.1:10000/v1"))
	c, err := cl.Prepare(hello())
	if err != nil {
		t.Fatal(err)
	}
	first := string(c.req)
	c.again()
	req := readRequest(bufio.NewReader(bytes.NewReader(c.req)))
	if req == nil || req.Header.Get("X-Request-Attempt") != "2" || req.Header.Get("X-Request-Id") != "run.1-0" {
		t.Fatalf("got %q", c.req)
	}
	if strings.Replace(string(c.req), "X-Request-Attempt: 2\r\n", "", 1) != first {
		t.Errorf("got %q\nfrom %q", c.req, first)
	}
}

// TestBodyIsJSON builds bodies of any text and reads them back.
func TestBodyIsJSON(t *testing.T) {
	cl := newClient(t, configFor("http://127.0.0.1:10000/v1"))
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.String().Draw(t, "text")
		body, err := cl.drv.body(nil, Input{Messages: []dataset.Message{{Role: "user", Content: text}}})
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			Messages []dataset.Message `json:"messages"`
		}
		if err := json.Unmarshal(body, &got); err != nil {
			t.Fatalf("%q: %v", body, err)
		}
		if got.Messages[0].Content != text {
			t.Fatalf("%q came back as %q", text, got.Messages[0].Content)
		}
	})
}
