package gateway

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stampede-bench/stampede/workload"
)

var rewrite = flag.Bool("rewrite", false, "rewrite golden files")

// golden compares text with a file of testdata, or rewrites the file.
func golden(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *rewrite {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if text != string(want) {
		t.Errorf("%s differs; run with -rewrite and look at the change\ngot:\n%s", path, text)
	}
}

// transcript asks and writes down.
type transcript struct {
	r   *rig
	out bytes.Buffer
}

func (s *transcript) ask(method, target, body string) {
	s.r.t.Helper()
	fmt.Fprintf(&s.out, "> %s %s\n", method, target)
	if body != "" {
		fmt.Fprintf(&s.out, "%s\n", oneLine(body))
	}
	w := s.r.ask(method, target, body)
	fmt.Fprintf(&s.out, "< %d %s\n", w.Code, w.Header().Get("Content-Type"))
	for _, name := range []string{"Allow", "Content-Disposition"} {
		if v := w.Header().Get(name); v != "" {
			fmt.Fprintf(&s.out, "< %s: %s\n", name, v)
		}
	}
	switch w.Header().Get("Content-Type") {
	case typePNG, typeZIP:
		fmt.Fprintf(&s.out, "%q…\n\n", w.Body.Bytes()[:4])
	default:
		fmt.Fprintf(&s.out, "%s\n\n", strings.TrimSuffix(w.Body.String(), "\n"))
	}
}

// oneLine is a body as the transcript shows it.
func oneLine(body string) string {
	var out bytes.Buffer
	if strings.Contains(body, "}\n{") || json.Compact(&out, []byte(body)) != nil {
		return body
	}
	return out.String()
}

// readmeBody is the original's example, with prompts that need no download and a
// shorter load.
const readmeBody = `{
    "url": "http://10.0.0.42:8000/v1",
    "model": "mistralai/Mistral-7B-Instruct-v0.1",
    "dataset_name": "synthesizer",
    "endpoint_type": "vllm",
    "dataset_config": {
        "func": "lambda t: int(t / 0.1 + 1) if t < 60 else None",
        "random_seed": 1234,
        "prompt_source": "synthetic"
    },
    "kwargs": {
        "temperature": 0.9,
        "top_p": 1,
        "max_tokens": 512,
        "skip_idle_min": 20,
        "time_step": 0.01,
        "request_timeout": 3600,
        "hf_auth_key": "hf_1234567890qwertyuiop"
    }
}`

// ids are one test in each state, a run, and names of nothing.
var ids = []string{"registered", "waiting", "running", "draining", "failed", "cancelled", "done", "done.1", "unknown", "done.2", "%20", "..%2F..%2Fetc%2Fpasswd", "a%00b%0Ac%3Cscript%3E"}

var wrongBodies = []string{
	``,
	`{`,
	`[]`,
	`"text"`,
	`{}`,
	`{"url":1,"model":null,"dataset_name":"synthesizer","endpoint_type":"vllm","dataset_config":[]}`,
	`{"url":"http://h/v1","model":"m","dataset_name":"nonsense","endpoint_type":"nonsense","key":5,"workload_range":[1],"test_id":"a b","kwargs":{"temperature":"hot","max_tokens":1.5,"request_timeout":"soon","hf_auth_key":7}}`,
	`{"url":"http://h/v1","model":"m","dataset_name":"synthesizer","endpoint_type":"vllm","random_seed":1,"dataset_config":{"func":"lambda t: 1","prompt_source":"synthetic","random_seed":2}}`,
	strings.Replace(readmeBody, `"synthetic"`, `"arena"`, 1),
	strings.Replace(readmeBody, `"url"`, `"test_id":"done","url"`, 1),
	strings.Repeat(`{"a":`, 70),
}

func TestSeedAnswers(t *testing.T) {
	spellings := map[string]int{"earlier": 0, "later": 1}
	for name, spelling := range spellings {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(r *rig) {
				s := &transcript{r: r}
				askAll(s, spelling)
				golden(t, name+".txt", s.out.String())
			})
		})
	}
}

// askAll asks every route: what only looks of every id, then what changes.
func askAll(s *transcript, spelling int) {
	for _, route := range seedRoutes {
		if route.changes || spelling >= len(route.paths) {
			continue
		}
		path := route.paths[spelling]
		if !strings.Contains(path, "{id}") {
			s.ask(route.method, path, "")
			continue
		}
		for _, id := range ids {
			s.ask(route.method, strings.Replace(path, "{id}", id, 1), "")
		}
	}
	for _, route := range seedRoutes {
		if strings.Contains(route.paths[0], "delete") {
			s.r.end("running")
		}
		if route.changes && spelling < len(route.paths) {
			askToChange(s, route, route.paths[spelling])
		}
	}
}

func askToChange(s *transcript, route seedRoute, path string) {
	switch {
	case route.method == http.MethodPost:
		s.ask(route.method, path, readmeBody)
		for _, body := range wrongBodies {
			s.ask(route.method, path, body)
		}
		s.ask(http.MethodGet, path, "")
	case len(route.query) > 0:
		for _, query := range []string{"?nickname=first+try", "?nickname=%E5%90%8D%22", "?nickname=", "", "?nickname=a%0Ab", "?nickname=" + strings.Repeat("x", 201)} {
			s.ask(route.method, strings.Replace(path, "{id}", "done", 1)+query, "")
		}
		s.ask(route.method, strings.Replace(path, "{id}", "unknown", 1)+"?nickname=x", "")
		s.ask(http.MethodGet, seedRoutes[7].paths[0], "")
	case strings.Contains(path, "{id}"):
		for _, id := range append(ids, "done", "registered") {
			s.ask(route.method, strings.Replace(path, "{id}", id, 1), "")
		}
		s.ask(http.MethodHead, strings.Replace(path, "{id}", "registered", 1), "")
		s.ask(http.MethodPost, strings.Replace(path, "{id}", "registered", 1), "{}")
	default:
		s.ask(route.method, path, "")
		s.ask(route.method, path, "")
	}
}

// What belongs to neither spelling, or is asked in a way that only one has.
func TestOtherAnswers(t *testing.T) {
	inBubble(t, func(r *rig) {
		s := &transcript{r: r}
		for _, target := range []string{
			"/", "/nothing", "/tests", "/tests/", "/config", "/config/", "/config/a/b", "//config/done", "/config/../healthz", "/report/json/..", "/register_test/",
			"/healthz", "/readyz", "/workers/agent-1", "/workers/agent-2", "/workers/agent-3",
			"/trace/tps/running?sample_len=10&model=m", "/trace/tps/running?sample_len=0", "/trace/tps/running?sample_len=61", "/trace/tps/running?sample_len=x", "/trace/tps/running?sample_len=99999999999999999999",
		} {
			s.ask(http.MethodGet, target, "")
		}
		r.insert("spec", nil)
		s.ask(http.MethodGet, "/config/spec", "")
		r.control.refuse = workload.Errors{{Path: "endpoint.type", Message: "is out of order", Hint: "try another"}, {Message: "and so is the rest"}}
		s.ask(http.MethodPost, "/register_test", readmeBody)
		golden(t, "other.txt", s.out.String())
	})
}
