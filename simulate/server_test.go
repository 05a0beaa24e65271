package simulate

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stampede-bench/stampede/internal/secret"
)

func TestChatStream(t *testing.T) {
	s := start(t, Config{Seed: 7})
	r := ask(http.DefaultClient, s, "/v1/chat/completions", chatBody(40), "X-Request-Id: a.1-5")
	if r.status != 200 || r.err != nil || !r.done {
		t.Fatalf("status %d, error %v, done %v", r.status, r.err, r.done)
	}
	if want := plainText(seedFor(7, "a.1-5", 0), 0, 40); r.text != want {
		t.Errorf("text %q, want %q", r.text, want)
	}
	if first := r.events[0].json; first.Choices[0].Delta.Role != "assistant" || *first.Choices[0].Delta.Content != "" {
		t.Errorf("first event %q is not role-only", r.events[0].data)
	}
	if last := r.events[len(r.events)-1].json; len(last.Choices) != 0 || last.Usage == nil {
		t.Errorf("last event %q is not usage alone", r.events[len(r.events)-1].data)
	}
	if r.tokens != 40 || r.reason != "length" || *r.usage != (usage{Prompt: 3, Completion: 40, Total: 43}) {
		t.Errorf("%d token events, reason %q, usage %+v", r.tokens, r.reason, r.usage)
	}
	rec := recordOf(t, s, "a.1-5")
	if rec.Status != StatusServed || rec.OutputTokens != 40 || rec.InputTokens != 3 || rec.Chunks != 40 || rec.OutputAsked != 40 || rec.HTTPStatus != 200 {
		t.Errorf("record %s", lines(t, rec))
	}
}

func TestShapes(t *testing.T) {
	for _, tc := range []struct {
		shape, first, finish, last string
		events                     int
	}{
		{ShapeVLLM, `"delta":{"role":"assistant","content":""}`, `"delta":{}`, `"choices":[],"usage":{`, 5},
		{ShapeOpenAI, `"delta":{"role":"assistant","content":""}`, `"usage":null`, `"choices":[],"usage":{`, 5},
		{ShapeLlamaCpp, `"delta":{"role":"assistant","content":null}`, `"delta":{}`, `"timings":{"prompt_n":3,`, 5},
		{ShapeOllama, `"delta":{"role":"assistant","content":" `, `"delta":{"role":"assistant","content":""}`, `"choices":[],"usage":{`, 4},
	} {
		t.Run(tc.shape, func(t *testing.T) {
			s := start(t, Config{Shape: tc.shape})
			r := ask(http.DefaultClient, s, "/v1/chat/completions", chatBody(2), "X-Request-Id: x")
			if len(r.events) != tc.events || !r.done || r.tokens != 2 {
				t.Fatalf("%d events: %+v", len(r.events), r)
			}
			n := len(r.events)
			for i, want := range map[int]string{0: tc.first, n - 2: tc.finish, n - 1: tc.last} {
				if !strings.Contains(r.events[i].data, want) {
					t.Errorf("event %d is %s, want %s in it", i, r.events[i].data, want)
				}
			}
		})
	}
}

func TestCompletionsStream(t *testing.T) {
	s := start(t, Config{})
	body := `{"prompt":"a b","max_tokens":3,"stream":true,"logprobs":1,"stream_options":{"include_usage":true}}`
	r := ask(http.DefaultClient, s, "/v1/completions", body, "X-Request-Id: c")
	if r.tokens != 3 || r.text != plainText(seedFor(0, "c", 0), 0, 3) || !r.done || r.usage.Completion != 3 {
		t.Errorf("%+v", r)
	}
	if !strings.Contains(r.events[0].data, `"token_logprobs":[-0.5]`) {
		t.Errorf("no logprobs in %s", r.events[0].data)
	}
}

func TestWholeReplies(t *testing.T) {
	s := start(t, Config{ReasoningTokens: 2})
	seed := seedFor(0, "w", 0)
	r := ask(http.DefaultClient, s, "/v1/chat/completions", `{"messages":[{"role":"user","content":"hi"}],"max_completion_tokens":5}`, "X-Request-Id: w")
	var chat struct {
		Object  string
		Choices []struct {
			Message struct {
				Role, Content string
				Reasoning     string `json:"reasoning_content"`
			}
			FinishReason string `json:"finish_reason"`
		}
		Usage usage
	}
	if err := json.Unmarshal([]byte(r.body), &chat); err != nil {
		t.Fatalf("%v in %s", err, r.body)
	}
	m := chat.Choices[0].Message
	if m.Reasoning != plainText(seed, 0, 2) || m.Content != plainText(seed, 2, 5) || chat.Usage.Completion != 5 || chat.Usage.Completions.Reasoning != 2 {
		t.Errorf("%s", r.body)
	}
	r = ask(http.DefaultClient, s, "/v1/completions", `{"prompt":"hi","max_tokens":5}`, "X-Request-Id: w")
	var text struct {
		Choices []struct{ Text string }
	}
	if err := json.Unmarshal([]byte(r.body), &text); err != nil || text.Choices[0].Text != plainText(seed, 0, 5) {
		t.Errorf("%v in %s", err, r.body)
	}
}

func TestReasoningAndUsageEach(t *testing.T) {
	s := start(t, Config{ReasoningTokens: 3, TokensPerChunk: 2})
	body := strings.Replace(chatBody(8), `"include_usage":true`, `"include_usage":true,"continuous_usage_stats":true`, 1)
	body = strings.Replace(body, `"stream":true`, `"stream":true,"logprobs":true,"return_token_ids":true`, 1)
	r := ask(http.DefaultClient, s, "/v1/chat/completions", body, "X-Request-Id: r")
	seed := seedFor(0, "r", 0)
	if r.thought != plainText(seed, 0, 3) || r.text != plainText(seed, 3, 8) {
		t.Errorf("thought %q, text %q", r.thought, r.text)
	}
	sofar, counts := 0, []int{0, 2, 3, 5, 7, 8, 8, 8} // role, chunks of 2, 1 | 2, 2, 1, finish, usage
	if len(r.events) != len(counts) {
		t.Fatalf("%d events: %+v", len(r.events), r.events)
	}
	for i, e := range r.events {
		if e.json.Usage == nil || e.json.Usage.Completion != counts[i] {
			t.Errorf("event %d: usage %+v, want %d tokens", i, e.json.Usage, counts[i])
		}
		if i > 0 && i < 6 {
			got := len(e.json.Choices[0].Logprobs.Content)
			if sofar += got; sofar != counts[i] || len(e.json.Choices[0].TokenIDs) != got {
				t.Errorf("event %d: logprobs of %d tokens, %v", i, got, e.json.Choices[0].TokenIDs)
			}
		}
	}
	if rec := recordOf(t, s, "r"); rec.ReasoningTokens != 3 || rec.Chunks != 5 || rec.OutputTokens != 8 {
		t.Errorf("%+v", rec)
	}
}

func TestLengths(t *testing.T) {
	for name, tc := range map[string]struct {
		cfg    Config
		asks   string // members of the body
		header string
		tokens int
		reason string
	}{
		"default":                  {Config{}, ``, "", 128, "stop"},
		"configured":               {Config{Tokens: "9"}, ``, "", 9, "stop"},
		"asked":                    {Config{Tokens: "9"}, `,"max_tokens":4`, "", 4, "length"},
		"newer name wins":          {Config{}, `,"max_tokens":4,"max_completion_tokens":6`, "", 6, "length"},
		"min without max":          {Config{Tokens: "9"}, `,"min_tokens":12`, "", 12, "stop"},
		"natural end":              {Config{EOS: "3"}, `,"max_tokens":10`, "", 3, "stop"},
		"natural end after max":    {Config{EOS: "30"}, `,"max_tokens":10`, "", 10, "length"},
		"min beyond natural end":   {Config{EOS: "3"}, `,"max_tokens":10,"min_tokens":7`, "", 7, "stop"},
		"ignore_eos":               {Config{EOS: "3"}, `,"max_tokens":10,"ignore_eos":true`, "", 10, "length"},
		"header":                   {Config{EOS: "3"}, `,"max_tokens":10`, "X-Sim-Tokens: 5", 5, "stop"},
		"context ends":             {Config{MaxModelLen: 20}, ``, "", 17, "length"},
		"usage left out":           {Config{NoUsage: true}, `,"max_tokens":2`, "", 2, "length"},
		"null is not asked for":    {Config{Tokens: "9"}, `,"max_tokens":null`, "", 9, "stop"},
		"one token":                {Config{}, `,"max_tokens":1`, "", 1, "length"},
		"all of it at once":        {Config{Blast: true, ITL: "1h"}, `,"max_tokens":50`, "", 50, "length"},
		"many, beyond one write":   {Config{}, `,"max_tokens":3000`, "", 3000, "length"},
		"an event of many tokens":  {Config{TokensPerChunk: 2000}, `,"max_tokens":2000`, "", 2000, "length"},
		"reasoning takes its part": {Config{ReasoningTokens: 100}, `,"max_tokens":50`, "", 50, "length"},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, tc.cfg)
			body := `{"messages":[{"role":"user","content":"one two three"}],"stream":true,"stream_options":{"include_usage":true}` + tc.asks + `}`
			opts := []string{"X-Request-Id: l"}
			if tc.header != "" {
				opts = append(opts, tc.header)
			}
			r := ask(http.DefaultClient, s, "/v1/chat/completions", body, opts...)
			if !r.done || r.reason != tc.reason || r.thought+r.text != plainText(seedFor(0, "l", 0), 0, tc.tokens) {
				t.Errorf("done %v, reason %q, %d token events", r.done, r.reason, r.tokens)
			}
			if (r.usage == nil) != tc.cfg.NoUsage || r.usage != nil && r.usage.Completion != tc.tokens {
				t.Errorf("usage %+v, want %d", r.usage, tc.tokens)
			}
			if rec := recordOf(t, s, "l"); rec.OutputTokens != tc.tokens {
				t.Errorf("record has %d tokens", rec.OutputTokens)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	s := start(t, Config{APIKey: secret.New("sesame"), MaxModelLen: 10, MaxBodyBytes: 4000})
	const key = "Authorization: Bearer sesame"
	for name, tc := range map[string]struct {
		body, key string
		status    int
		message   string
	}{
		"no key":          {chatBody(1), "", 401, "Incorrect API key"},
		"wrong key":       {chatBody(1), "Authorization: Bearer sesam", 401, "Incorrect API key"},
		"malformed":       {`{"messages":[`, key, 400, "not valid"},
		"no messages":     {`{"model":"stampede-sim"}`, key, 400, "messages must not be empty"},
		"wrong model":     {strings.Replace(chatBody(1), "stampede-sim", "gpt-2", 1), key, 404, "The model `gpt-2` does not exist."},
		"too long":        {chatBody(8), key, 400, "maximum context length is 10 tokens. However, you requested 11 tokens"},
		"no tokens":       {chatBody(0), key, 400, "max_tokens must be a whole number of at least 1"},
		"half a token":    {strings.Replace(chatBody(1), `"max_tokens":1`, `"max_tokens":1.5`, 1), key, 400, "whole number"},
		"several choices": {strings.Replace(chatBody(1), `"max_tokens":1`, `"n":2`, 1), key, 400, "n must be 1"},
		"stray options":   {strings.Replace(chatBody(1), `"stream":true`, `"stream":false`, 1), key, 400, "stream_options"},
		"wrong type":      {strings.Replace(chatBody(1), `"stream":true`, `"stream":"yes"`, 1), key, 400, "not valid"},
		"huge":            {chatBody(1) + strings.Repeat(" ", 5000), key, 413, "at most 4000 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			opts := []string{"X-Request-Id: " + name}
			if tc.key != "" {
				opts = append(opts, tc.key)
			}
			r := ask(&http.Client{Transport: &http.Transport{}}, s, "/v1/chat/completions", tc.body, opts...)
			var e struct {
				Error struct{ Message, Type string }
			}
			if err := json.Unmarshal([]byte(r.body), &e); err != nil || r.err != nil {
				t.Fatalf("%v, %v in %q", err, r.err, r.body)
			}
			if r.status != tc.status || !strings.Contains(e.Error.Message, tc.message) || e.Error.Type == "" {
				t.Errorf("status %d, %+v", r.status, e.Error)
			}
			if tc.status == 413 { // not known to be a request at all
				return
			}
			if rec := recordOf(t, s, name); rec.Status != StatusRefused || rec.HTTPStatus != tc.status || rec.Error == "" {
				t.Errorf("record %+v", rec)
			}
		})
	}
}

func TestOtherRoutes(t *testing.T) {
	s := start(t, Config{Models: []string{"m/1", "m2"}, Version: "0.9.9", PrefixCacheBlocks: 8})
	for path, want := range map[string]struct {
		status int
		body   string
	}{
		"/v1/models":            {200, `"id":"m/1"`},
		"/health":               {200, ""},
		"/version":              {200, `{"version":"0.9.9"}`},
		"/nothing":              {404, "Not Found"},
		"/reset_prefix_cache":   {405, "Method Not Allowed"},
		"/v1/chat/completions":  {405, "Method Not Allowed"},
		"/flush_cache":          {200, ""},
		"/account":              {200, ""},
		"/account/summary?a=b":  {200, `"requests":0`},
		"/metrics":              {200, `vllm:num_requests_running{model_name="m/1"} 0`},
		"/v1/models/../../etc/": {404, ""},
	} {
		if status, body := get(t, s, path); status != want.status || !strings.Contains(body, want.body) {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	if r := ask(http.DefaultClient, s, "/reset_prefix_cache", ""); r.status != 200 {
		t.Errorf("reset: %+v", r)
	}
	if r := ask(http.DefaultClient, s, "/tokenize", `{"model":"m2","prompt":"a b c"}`); !strings.Contains(r.body, `"count":3`) {
		t.Errorf("tokenize: %+v", r)
	}
	for path, want := range map[string]int{"/v1/models": 200, "/reset_prefix_cache": 405} {
		resp, err := http.Head("http://" + s.Addr() + path)
		if err != nil || resp.StatusCode != want || resp.ContentLength <= 0 {
			t.Errorf("HEAD %s: %+v, %v", path, resp, err)
		}
	}
	if sum := s.Summary(); sum.CacheResets != 2 || sum.OtherRequests["/nothing"] != 1 {
		t.Errorf("%+v", sum)
	}
}

func TestPrefixCache(t *testing.T) {
	s := start(t, Config{PrefixCacheBlocks: 100, TokensPerWord: 1.5})
	body := strings.Replace(chatBody(1), "one two three", strings.Repeat("word ", 40), 1)
	cold := ask(http.DefaultClient, s, "/v1/chat/completions", body)
	warm := ask(http.DefaultClient, s, "/v1/chat/completions", body)
	if cold.usage.Details.Cached != 0 || warm.usage.Details.Cached != 48 || warm.usage.Prompt != 60 {
		t.Errorf("cold %+v, warm %+v", cold.usage, warm.usage)
	}
	ask(http.DefaultClient, s, "/reset_prefix_cache", "")
	if r := ask(http.DefaultClient, s, "/v1/chat/completions", body); r.usage.Details.Cached != 0 {
		t.Errorf("after reset %+v", r.usage)
	}
}

func TestMetrics(t *testing.T) {
	s := start(t, Config{TTFT: "2ms"})
	ask(http.DefaultClient, s, "/v1/chat/completions", chatBody(5), "X-Request-Id: m")
	recordOf(t, s, "m")
	_, body := get(t, s, "/metrics")
	for _, want := range []string{
		`vllm:generation_tokens_total{model_name="stampede-sim"} 5`, `vllm:prompt_tokens_total{model_name="stampede-sim"} 3`,
		`vllm:request_success_total{model_name="stampede-sim",finished_reason="length"} 1`,
		`vllm:time_to_first_token_seconds_count{model_name="stampede-sim"} 1`,
		`vllm:time_to_first_token_seconds_bucket{model_name="stampede-sim",le="0.001"} 0`,
		`vllm:time_per_output_token_seconds_count{model_name="stampede-sim"}`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s in\n%s", want, body)
		}
	}
}

func TestConfigErrors(t *testing.T) {
	for name, tc := range map[string]struct {
		cfg  Config
		want string
	}{
		"ttft":      {Config{TTFT: "fast"}, `ttft: "fast" is not a duration`},
		"itl":       {Config{ITL: "zipf:1ms"}, `itl: unknown distribution "zipf"`},
		"tokens":    {Config{Tokens: "uniform:9:3"}, "the upper end is below the lower"},
		"fault":     {Config{Faults: []string{"explode"}}, `unknown fault "explode"`},
		"share":     {Config{Faults: []string{"html@2"}}, "neither a probability"},
		"slots":     {Config{Slots: -1}, "slots: must not be negative, got -1"},
		"shape":     {Config{Shape: "tgi"}, `got "tgi"`},
		"factor":    {Config{TokensPerWord: -2}, "tokens per word"},
		"addr":      {Config{Addr: "0.0.0.0:0"}, "reachable from other hosts"},
		"any":       {Config{Addr: ":0"}, "reachable from other hosts"},
		"port":      {Config{Addr: "127.0.0.1:http-ish"}, "listen on"},
		"account":   {Config{Addr: "127.0.0.1:0", AccountPath: t.TempDir()}, "open account"},
		"both":      {Config{TTFT: "x", Slots: -1}, "slots"},
		"reasoning": {Config{ReasoningField: `a"b`}, "reasoning field"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := New(tc.cfg)
			if err == nil {
				s.Close()
				t.Fatal("no error")
			}
			if !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
}

func TestPortInUseAndClose(t *testing.T) {
	s, err := New(Config{Addr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(Config{Addr: s.Addr()}); err == nil || !strings.Contains(err.Error(), s.Addr()) {
		t.Errorf("second server: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if l, err := net.Listen("tcp", s.Addr()); err != nil {
		t.Error(err)
	} else {
		l.Close()
	}
}

func TestRunEndsInTheMiddle(t *testing.T) {
	s, err := New(Config{Addr: "127.0.0.1:0", TTFT: "1ms", ITL: "1h"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx) }()
	asked := make(chan result)
	go func() { asked <- ask(http.DefaultClient, s, "/v1/chat/completions", chatBody(5), "X-Request-Id: e") }()
	waitFor(t, "running reply", func() bool { return s.meter.generated.Load() == 1 })
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
	if r := <-asked; r.err == nil || r.done {
		t.Errorf("the client saw a whole reply: %+v", r)
	}
	if rec := recordOf(t, s, "e"); rec.Status != StatusAborted || rec.OutputTokens != 1 {
		t.Errorf("%+v", rec)
	}
}
