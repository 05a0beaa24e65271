package workload

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
)

func mustParse(t *testing.T, text string) *Spec {
	t.Helper()
	s, _, err := Parse([]byte(text))
	if err != nil {
		t.Fatalf("Parse(%s): %v", text, err)
	}
	return s
}

func ptr[T any](v T) *T { return &v }

const sec = Duration(time.Second)

func TestParseContractExample(t *testing.T) {
	data, err := os.ReadFile("testdata/contract.yaml")
	if err != nil {
		t.Fatal(err)
	}
	got, notices, err := Parse(data)
	if err != nil || len(notices) > 0 {
		t.Fatalf("Parse: %v, notices %q", err, notices)
	}
	ms := Duration(time.Millisecond)
	want := &Spec{
		Name:   "chat, steady",
		Labels: map[string]string{"gpu": "H100", "build": "4f2c1d"},
		Endpoint: Endpoint{Type: "vllm", URL: "http://10.0.0.42:8000/v1", Model: "mistralai/Mistral-7B-Instruct-v0.1",
			API: "chat", Stream: ptr(true), APIKeyEnv: "KEY", Headers: Headers{}},
		Dataset:  Dataset{Name: "sharegpt", Path: "./sharegpt.json"},
		Sampling: Sampling{Temperature: ptr(0.9), TopP: ptr(1.0), MaxTokens: ptr(512), IgnoreEOS: ptr(false), ExtraBody: ExtraBody{}},
		Load: Load{
			Warmup: Warmup{Duration: 10 * sec},
			Stages: []Stage{
				{Rate: ptr(Rate(10)), Arrival: "poisson", Burstiness: ptr(1.0), Duration: 60 * sec},
				{Rate: ptr(Rate(10)), EndRate: ptr(Rate(50)), Arrival: "constant", Duration: 60 * sec},
				{Concurrency: ptr(64), Duration: 60 * sec},
				{Func: ptr("lambda t: int(t / 0.1 + 1) if t < 60 else None")},
				{Replay: &Replay{TimeScale: ptr(1.0)}},
			},
		},
		Sessions:  Sessions{HumanInputWPS: ptr(1.0), CompressionRatio: ptr(1.0), Range: "0:100"},
		SLO:       SLO{TTFT: 500 * ms, TPOT: 50 * ms, E2E: 10 * sec},
		Gates:     []string{"ttft.p99<500ms"},
		Limits:    Limits{RequestTimeout: 3600 * sec, MaxRunTime: 600 * sec, DrainTimeout: ptr(30 * sec), TimeTolerance: ptr(100 * ms), LatenessP99: ptr(10 * ms)},
		Preflight: ptr(true),
		Trials:    1,
		Seed:      1234,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %s\nwant %s", asJSON(t, got), asJSON(t, want))
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestParseNotations(t *testing.T) {
	const url = `"endpoint":{"url":"http://h"},`
	for _, tt := range []struct {
		name, text string
		want       func(*Spec) any
		equal      any
	}{
		{"snake_case in JSON", `{` + url + `"sampling":{"max_tokens":5}}`, func(s *Spec) any { return *s.Sampling.MaxTokens }, 5},
		{"lowerCamel in JSON", `{` + url + `"sampling":{"maxTokens":5}}`, func(s *Spec) any { return *s.Sampling.MaxTokens }, 5},
		{"lowerCamel with digits", `{` + url + `"limits":{"latenessP99":"1s"}}`, func(s *Spec) any { return *s.Limits.LatenessP99 }, sec},
		{"lowerCamel in YAML", "endpoint: {url: 'http://h'}\nwaitReady: 3s", func(s *Spec) any { return s.WaitReady }, 3 * sec},
		{"64-bit numbers as protojson writes them", `{` + url + `"seed":"-9223372036854775808"}`, func(s *Spec) any { return s.Seed }, int64(math.MinInt64)},
		{"64-bit numbers, exactly", `{` + url + `"seed":9007199254740993}`, func(s *Spec) any { return s.Seed }, int64(9007199254740993)},
		{"a whole number with an exponent", `{` + url + `"seed":1e3}`, func(s *Spec) any { return s.Seed }, int64(1000)},
		{"YAML's hexadecimal numbers", "endpoint: {url: 'http://h'}\nseed: 0x1F", func(s *Spec) any { return s.Seed }, int64(31)},
		{"YAML's underscores", "endpoint: {url: 'http://h'}\nseed: 1_000", func(s *Spec) any { return s.Seed }, int64(1000)},
		{"protojson's duration", `{` + url + `"wait_ready":"0.5s"}`, func(s *Spec) any { return s.WaitReady }, sec / 2},
		{"a bare number is seconds", `{` + url + `"wait_ready":1.5}`, func(s *Spec) any { return s.WaitReady }, sec + sec/2},
		{"a bare number in quotes is seconds", `{` + url + `"wait_ready":"90"}`, func(s *Spec) any { return s.WaitReady }, 90 * sec},
		{"hours and minutes", `{` + url + `"wait_ready":"1h30m"}`, func(s *Spec) any { return s.WaitReady }, 5400 * sec},
		{"rate inf", `{` + url + `"load":{"stages":[{"rate":"inf","requests":3}]}}`, func(s *Spec) any { return s.Load.Stages[0].Rate.Inf() }, true},
		{"rate Infinity", `{` + url + `"load":{"stages":[{"rate":"Infinity","requests":"3"}]}}`, func(s *Spec) any { return s.Load.Stages[0].Rate.Inf() }, true},
		{"rate .inf of YAML", "endpoint: {url: 'http://h'}\nload: {stages: [{rate: .inf, requests: 3}]}", func(s *Spec) any { return s.Load.Stages[0].Rate.Inf() }, true},
		{"a number where a distribution stands", `{` + url + `"dataset":{"input_tokens":550}}`, func(s *Spec) any { return s.Dataset.InputTokens }, "550"},
		{"a label that looks like a number", "endpoint: {url: 'http://h'}\nlabels: {build: 4e21}", func(s *Spec) any { return s.Labels["build"] }, "4e21"},
		{"a label with a leading zero", "endpoint: {url: 'http://h'}\nlabels: {build: 0123}", func(s *Spec) any { return s.Labels["build"] }, "0123"},
		{"a label that looks like a truth value", "endpoint: {url: 'http://h'}\nlabels: {a: yes, b: True}", func(s *Spec) any { return s.Labels["a"] + s.Labels["b"] }, "yesTrue"},
		{"one gate without a list", "endpoint: {url: 'http://h'}\ngates: fail_rate<1%", func(s *Spec) any { return s.Gates[0] }, "fail_rate<1%"},
		{"null is not said", `{` + url + `"sampling":null,"trials":null,"load":{"stages":null}}`, func(s *Spec) any { return s.Trials }, 0},
		{"flow notation with a trailing comma", "{endpoint: {url: http://h,},}", func(s *Spec) any { return s.Endpoint.URL }, "http://h"},
		{"a byte order mark", "\xef\xbb\xbf{" + url + `"seed":1}`, func(s *Spec) any { return s.Seed }, int64(1)},
		{"free members", `{` + url + `"sampling":{"extra_body":{"a":[1,{"b":null}],"c":0.1,"d":"x","e":true}}}`, func(s *Spec) any { return s.Sampling.ExtraBody },
			ExtraBody{"a": []any{1.0, map[string]any{"b": nil}}, "c": 0.1, "d": "x", "e": true}},
		{"a RegisterTest request", `{"spec":{` + url + `"seed":5},"request_id":"r"}`, func(s *Spec) any { return s.Seed }, int64(5)},
		{"a report", `{"verdict":{"state":"valid"},"series":{"x":[1,2,3]},"spec":{` + url + `"seed":6}}`, func(s *Spec) any { return s.Seed }, int64(6)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.want(mustParse(t, tt.text)); !reflect.DeepEqual(got, tt.equal) {
				t.Errorf("got %v (%T), want %v", got, got, tt.equal)
			}
		})
	}
}

func TestParseYAMLAliases(t *testing.T) {
	s := mustParse(t, `
endpoint: {url: "http://h"}
load:
  stages:
    - &base {rate: 5, duration: 10s, arrival: constant}
    - *base
    - {<<: *base, rate: 7}
`)
	if len(s.Load.Stages) != 3 || *s.Load.Stages[1].Rate != 5 || *s.Load.Stages[2].Rate != 7 || s.Load.Stages[2].Arrival != "constant" {
		t.Errorf("got %s", asJSON(t, s.Load))
	}
}

// TestParseErrors holds whole sentences: they are what a user sees.
func TestParseErrors(t *testing.T) {
	for _, tt := range []struct{ text, want, hint string }{
		{`{"endpoint":{"url":"http://h"},"load":{"stages":[{"rate":1},{"rate":-3}]}}`, "load.stages[1].rate: must be greater than 0, got -3", ""},
		{`{"endpoint":{"url":"http://h"},"lod":{}}`, "lod: is not a key of a spec", "did you mean load?"},
		{`{"endpoint":{"url":"http://h"},"max_tokens":3}`, "max_tokens: is not a key of a spec", "it belongs in sampling.max_tokens"},
		{`{"endpoint":{"url":"http://h"},"maxtokens":3}`, "maxtokens: is not a key of a spec", "it belongs in sampling.max_tokens"},
		{`{"endpoint":{"url":"http://h"},"load":{"rate":3}}`, "load.rate: is not a key of a spec", "it belongs in load.stages[].rate"},
		{`{"endpoint":{"url":"http://h","headrs":{}}}`, "endpoint.headrs: is not a key of a spec", "did you mean headers?"},
		{`{"endpoint":{"url":"http://h"},"slo":{"foo":1}}`, "slo.foo: is not a key of a spec", "known here: ttft, tpot, e2e"},
		{`{"endpoint":{"url":"http://h"},"load":{"stages":[{"request_rate":1,"rate":1}]}}`, "load.stages[0].request_rate: is not a key of a spec", "did you mean rate?"},
		{`{"endpoint":{"url":"http://h"},"a b":1}`, `["a b"]: is not a key of a spec`, "*"},
		{`{"endpoint":{"url":"http://h"},"sampling":{"max_tokens":1,"maxTokens":2}}`, "sampling.max_tokens: is given twice, as max_tokens and as maxTokens", ""},
		{`{"endpoint":{"url":"http://h","url":"http://i"}}`, "endpoint.url: is given more than once", ""},
		{"endpoint: {url: 'http://h'}\nseed: 1\nseed: 2", "seed: is given more than once", ""},
		{`{"endpoint":{"url":"http://h"},"load":{"stages":[{"rate":"fast"}]}}`, `load.stages[0].rate: must be a number of requests per second or inf, got "fast"`, ""},
		{`{"endpoint":{"url":"http://h"},"load":{"stages":{"rate":1}}}`, "load.stages: must be a list, got an object", ""},
		{`{"endpoint":{"url":"http://h"},"load":{"stages":[null]}}`, "load.stages[0]: must not be null", ""},
		{`{"endpoint":{"url":"http://h"},"load":[]}`, "load: must be an object, got a list", ""},
		{`{"endpoint":{"url":"http://h","stream":"no"}}`, `endpoint.stream: must be true or false, got "no"`, ""},
		{`{"endpoint":{"url":"http://h"},"trials":1.5}`, "trials: must be a whole number, got 1.5", ""},
		{`{"endpoint":{"url":"http://h"},"trials":4294967296}`, "trials: must be between -2147483648 and 2147483647, got 4294967296", ""},
		{`{"endpoint":{"url":"http://h"},"sampling":{"temperature":"hot"}}`, `sampling.temperature: must be a number, got "hot"`, ""},
		{`{"endpoint":{"url":"http://h"},"wait_ready":"soon"}`, `wait_ready: must be a duration such as 500ms, 30s or 1h30m, got "soon"`, ""},
		{`{"endpoint":{"url":"http://h"},"wait_ready":true}`, "wait_ready: must be a duration such as 500ms, 30s or 1h30m, got true", ""},
		{`{"endpoint":{"url":"http://h"},"slo":{"ttft":"0s"}}`, "slo.ttft: must be greater than 0, got 0s; leave it out when it is no objective", ""},
		{`{"endpoint":{"url":"http://h"},"sampling":{"extra_body":{"seed":9007199254740993}}}`, "sampling.extra_body.seed: must be a whole number of at most 2^53, which is what the wire carries exactly, got 9007199254740993", ""},
		{`{"endpoint":{"url":"http://h","headers":{"X-A":["1"]}}}`, "endpoint.headers.X-A: must be a text, got a list", ""},
		{`{"endpoint":{"url":"http://h","headers":{"Authorization":["sekret"]}}}`, "endpoint.headers.Authorization: must be a text", ""},
		{`{}`, "endpoint.url: is required", "*"},
		{"", "the document is empty", ""},
		{" \n# nothing\n", "the document is empty", ""},
		{"- 1", "a spec is an object of keys such as endpoint and load, got a list", ""},
		{`"text"`, `a spec is an object of keys such as endpoint and load, got "text"`, ""},
		{"{\n  \"seed\": 1,\n  oops", "line 3: invalid character 'o' looking for beginning of object key string", ""},
		{`{"seed": 1`, "line 1: unexpected end of the document", ""},
		{`{"seed": 1} x`, "line 1: there is text after the end of the JSON object", ""},
		{"seed: 1\n\tname: x", "line 2: found a tab character that violates indentation", ""},
		{"seed: 1\n---\nseed: 2", "line 2: there is a second document; one file holds one spec", ""},
		{"? [a]\n: b", "line 1: a key must be a word, not a list or an object", ""},
		{"name: !thing x", `line 1: the tag "!thing" has no meaning here`, ""},
		{"<<: 3\nname: x", "line 1: << takes an object or a list of objects, got 3", ""},
		{"a: &x [*x]", "is nested more than 64 levels deep", ""},
	} {
		_, _, err := Parse([]byte(tt.text))
		var errs Errors
		if !errors.As(err, &errs) {
			t.Errorf("%s\n got %v, want %s", tt.text, err, tt.want)
			continue
		}
		if errs[0].Error() != tt.want || errs[0].Hint != tt.hint && tt.hint != "*" {
			t.Errorf("%s\n got  %q hint %q\n want %q hint %q", tt.text, errs[0].Error(), errs[0].Hint, tt.want, tt.hint)
		}
		if errs[0].Type == "" {
			t.Errorf("%s: an error without a type", tt.text)
		}
	}
}

func TestParseGivesAllErrorsAtOnce(t *testing.T) {
	_, _, err := Parse([]byte(`
endpoint: {type: vlm, url: "localhost:8000/v1"}
sampling: {top_p: 2, tempature: 1}
load: {stages: [{rate: x}, {concurrency: 0}, {}]}
slo: {ttft: -1s}
gates: ["ttft.p99 is low"]
`))
	var errs Errors
	if !errors.As(err, &errs) {
		t.Fatalf("got %v", err)
	}
	var paths []string
	for _, e := range errs {
		paths = append(paths, e.Path)
	}
	want := []string{"sampling.tempature", "load.stages[0].rate", "endpoint.type", "endpoint.url", "sampling.top_p",
		"load.stages[1].concurrency", "load.stages[2]", "slo.ttft", "gates[0]"}
	if !reflect.DeepEqual(paths, want) {
		t.Errorf("got  %v\nwant %v", paths, want)
	}
}

func TestParseBoundsDocuments(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100)
	wide := `{"gates":[` + strings.Repeat(`"",`, maxNodes) + `""]}`
	large := `{"name":"` + strings.Repeat("x", maxSpec) + `"}`
	bomb := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for i := 'b'; i < 'l'; i++ {
		bomb += fmt.Sprintf("%c: &%c [*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c]\n", i, i, i-1, i-1, i-1, i-1, i-1, i-1, i-1, i-1, i-1)
	}
	var odd strings.Builder
	odd.WriteString(`{"endpoint":{"url":"http://h"}`)
	for i := range 150_000 {
		fmt.Fprintf(&odd, `,"k%d":0`, i)
	}
	odd.WriteString("}")
	for text, want := range map[string]string{odd.String(): "there are more than 100 errors", deep: "is nested more than 64", wide: "has more than 200000 values", large: "at most 4194304", bomb: "has more than 200000 values"} {
		start := time.Now()
		_, _, err := Parse([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.30s…: got %.200v, want %s", text, err, want)
		}
		if d := time.Since(start); d > 10*time.Second {
			t.Errorf("%.30s… took %s", text, d)
		}
	}
}

func TestDraftLeavesRoomForFlags(t *testing.T) {
	p, err := ParseDraft([]byte(`{"endpoint":{"api_key":"***","headers":{"Authorization":"***"}},"load":{"stages":[{"rate":"inf"}]},"dataset":{"name":"jsonl"}}`))
	if err != nil {
		t.Fatalf("ParseDraft: %v", err)
	}
	err = p.Spec.Validate()
	for _, path := range []string{"endpoint.url", "endpoint.api_key", "endpoint.headers.Authorization", "load.stages[0].requests", "dataset.path"} {
		if err == nil || !strings.Contains(err.Error(), path+": is ") {
			t.Errorf("Validate of the draft lacks %s: %v", path, err)
		}
	}
}

func TestReportIsASpecAgain(t *testing.T) {
	s := mustParse(t, `{"endpoint":{"url":"http://h","api_key":"sk-secret","api_key_env":"KEY","headers":{"X-A":"1"}},"seed":3}`)
	report, err := json.Marshal(map[string]any{"id": "x.1", "verdict": map[string]any{"state": "valid"}, "spec": s})
	if err != nil {
		t.Fatal(err)
	}
	again, _, err := Parse(report)
	if err != nil {
		t.Fatalf("Parse(report): %v", err)
	}
	if !again.Endpoint.APIKey.Empty() || again.Endpoint.APIKeyEnv != "KEY" || again.Seed != 3 {
		t.Errorf("got %s", asJSON(t, again))
	}

	p, err := ParseFull([]byte(`{"verdict":{},"spec":{"endpoint":{"url":"http://h"},"dataset":{"path":"a.jsonl","corpus_hash":"ab"}}}`))
	if err != nil || !p.Report || p.Spec.Dataset.CorpusHash != "" {
		t.Errorf("a report's data is read again from its file: got %+v, %v", p, err)
	}

	s.Endpoint.APIKeyEnv = ""
	s.Endpoint.Headers["X-Api-Key"] = "sk-secret"
	s.Sampling.ExtraBody = ExtraBody{"user_token": "sk-secret"}
	report, err = json.Marshal(map[string]any{"accounting": 1, "spec": s})
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = Parse(report)
	for _, path := range []string{"endpoint.api_key", "endpoint.headers.X-Api-Key", "sampling.extra_body.user_token"} {
		if err == nil || !strings.Contains(err.Error(), path+": is masked in this document") {
			t.Errorf("want an error at %s, got %v", path, err)
		}
	}
}

func TestSpecUnmarshalJSON(t *testing.T) {
	var holder struct{ Spec *Spec }
	if err := json.Unmarshal([]byte(`{"spec":{"endpoint":{"url":"http://h"},"waitReady":"2s"}}`), &holder); err != nil || holder.Spec.WaitReady != 2*sec {
		t.Errorf("got %v, %v", holder.Spec, err)
	}
	var errs Errors
	if err := json.Unmarshal([]byte(`{"spec":{"endpoint":3}}`), &holder); !errors.As(err, &errs) || errs[0].Path != "endpoint" {
		t.Errorf("got %v, want an error at endpoint", err)
	}
}
