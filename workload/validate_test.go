package workload

import (
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/internal/secret"
)

// valid is the least spec that Validate accepts.
func valid() *Spec { return &Spec{Endpoint: Endpoint{URL: "http://host:8000/v1"}} }

func stage(s Stage) func(*Spec) { return func(sp *Spec) { sp.Load.Stages = []Stage{s} } }

func TestValidateAccepts(t *testing.T) {
	for name, change := range map[string]func(*Spec){
		"nothing":            func(*Spec) {},
		"ipv6":               func(s *Spec) { s.Endpoint.URL = "http://[::1]:8000/v1" },
		"https with a query": func(s *Spec) { s.Endpoint.URL = "https://x.example/openai?api-version=2024-10-21" },
		"path with an @":     func(s *Spec) { s.Endpoint.URL = "https://x.example/v1/@cf" },
		"bedrock without URL": func(s *Spec) {
			s.Endpoint = Endpoint{Type: "aws", APIKey: secret.New("AK|SK"), Region: "eu-west-1"}
		},
		"alias":                  func(s *Spec) { s.Endpoint.Type = "together" },
		"hub dataset":            func(s *Spec) { s.Dataset.Name = "hf://owner/name@rev/config/split" },
		"output without length":  func(s *Spec) { s.Dataset.OutputTokens = "none" },
		"file and corpus":        func(s *Spec) { s.Dataset = Dataset{Name: "jsonl", CorpusHash: strings.Repeat("ab", 32)} },
		"seed key EMPTY":         func(s *Spec) { s.Endpoint.APIKey = secret.New("EMPTY") },
		"gamma":                  stage(Stage{Rate: ptr(Rate(1)), Arrival: "gamma", Burstiness: ptr(0.5)}),
		"burstiness alone":       stage(Stage{Rate: ptr(Rate(1)), Burstiness: ptr(0.5)}),
		"ramp down":              stage(Stage{Rate: ptr(Rate(5)), EndRate: ptr(Rate(1)), Duration: sec, Requests: 5}),
		"inf":                    stage(Stage{Rate: ptr(Rate(math.Inf(1))), Requests: 5, MaxConcurrency: 3}),
		"func with a cap":        stage(Stage{Func: ptr("lambda t: None"), Spread: true, MaxConcurrency: 2}),
		"endless replay bounded": stage(Stage{Replay: &Replay{Loop: true}, Duration: sec}),
		"think time":             stage(Stage{Concurrency: ptr(1), ThinkTime: sec}),
		"zero lateness":          func(s *Spec) { s.Limits.LatenessP99 = ptr(Duration(0)) },
		"slo without streaming":  func(s *Spec) { s.Endpoint.Stream = ptr(false); s.SLO.E2E = sec },
		"authorization":          func(s *Spec) { s.Endpoint.Headers = Headers{"Authorization": "Basic x"} },
	} {
		s := valid()
		change(s)
		if err := s.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestValidateRefuses(t *testing.T) {
	long := strings.Repeat("x", 20000)
	for _, tt := range []struct {
		change func(*Spec)
		want   string
	}{
		{func(s *Spec) { s.Endpoint.URL = "" }, "endpoint.url: is required"},
		{func(s *Spec) { s.Endpoint.URL = "ftp://h" }, `endpoint.url: must be a base URL such as http://host:8000/v1, with http or https, got "ftp://h"`},
		{func(s *Spec) { s.Endpoint.URL = "http://" }, `endpoint.url: must be a base URL such as http://host:8000/v1, with a host, got "http://"`},
		{func(s *Spec) { s.Endpoint.URL = "http://h/#x" }, `endpoint.url: must be a base URL such as http://host:8000/v1, without a fragment, got "http://h/#x"`},
		{func(s *Spec) { s.Endpoint.URL = "http://h:port" }, `endpoint.url: must be a base URL such as http://host:8000/v1, got "http://h:port"`},
		{func(s *Spec) { s.Endpoint.URL = "http://h /v1" }, `endpoint.url: must be a base URL such as http://host:8000/v1, got "http://h /v1"`},
		{func(s *Spec) { s.Endpoint.URL = "http://me:sekret@h" }, "endpoint.url: must not contain a user name or password; use api_key_env or headers"},
		{func(s *Spec) { s.Endpoint.URL = "http://me:sek/ret@h" }, "endpoint.url: must not contain a user name or password; use api_key_env or headers"},
		{func(s *Spec) { s.Endpoint.URL = "http://h/v1?api_key=sekret" }, `endpoint.url: must not contain a secret, which the parameter "api_key" seems to be; use api_key_env or headers`},
		{func(s *Spec) { s.Endpoint.URL = "http://h/v1/chat/completions/" }, `endpoint.url: must be a base URL such as http://host:8000/v1; /chat/completions or /completions is added to it, got "http://h/v1/chat/completions/"`},
		{func(s *Spec) { s.Endpoint.Type = "OpenAI" }, `endpoint.type: must be one of openai, vllm, sglang, tgi, triton, bedrock, togetherai, friendliai, aws, together, got "OpenAI"`},
		{func(s *Spec) { s.Endpoint.API = "chats" }, `endpoint.api: must be one of chat, completions, embeddings, rerank, got "chats"`},
		{func(s *Spec) { s.Endpoint.Model = "a\nb" }, "endpoint.model: must not contain control characters"},
		{func(s *Spec) { s.Endpoint.Region = "EU west" }, `endpoint.region: must be the name of a region such as us-west-2, got "EU west"`},
		{func(s *Spec) { s.Endpoint.APIKeyEnv = "sk-sekret" }, "endpoint.api_key_env: must be the name of an environment variable: letters, digits and underscores"},
		{func(s *Spec) { s.Endpoint.APIKey = secret.New("sek\r\nret") }, "endpoint.api_key: must be one line of at most 16384 bytes"},
		{func(s *Spec) { s.Endpoint.APIKey = secret.New("***") }, "endpoint.api_key: is masked in this document, its value is not known"},
		{func(s *Spec) {
			s.Endpoint.APIKey = secret.New("sekret")
			s.Endpoint.Headers = Headers{"authorization": "Bearer sekret"}
		}, "endpoint.api_key: must not be given together with headers.authorization"},
		{func(s *Spec) {
			s.Endpoint.APIKey, s.Endpoint.APIKeyEnv = secret.New("sekret"), "KEY"
			s.Endpoint.Headers = Headers{"Authorization": "Bearer sekret"}
		}, "endpoint.api_key_env: must not be given together with headers.Authorization"},
		{func(s *Spec) { s.Endpoint.Headers = Headers{"a b": "sekret"} }, `endpoint.headers["a b"]: must have a name of letters, digits and hyphens`},
		{func(s *Spec) { s.Endpoint.Headers = Headers{"X-A": "1", "x-a": "2"} }, "endpoint.headers.x-a: is given twice, as X-A and as x-a"},
		{func(s *Spec) { s.Endpoint.Headers = Headers{"X-A": "sek\nret"} }, "endpoint.headers.X-A: must be one line of at most 16384 bytes"},
		{func(s *Spec) { s.Endpoint.Headers = Headers{"X-A": long} }, "endpoint.headers.X-A: must be one line of at most 16384 bytes"},
		{func(s *Spec) { s.Endpoint.Headers = Headers{"Content-Length": "1"} }, "endpoint.headers.Content-Length: can't be set: the load generator sets it itself"},
		{func(s *Spec) { s.Name = "a\x00b" }, "name: must not contain control characters"},
		{func(s *Spec) { s.Name = long }, "name: must have at most 200 characters, got 20000"},
		{func(s *Spec) { s.Labels = map[string]string{"": "x"} }, `labels[""]: must have a name of 1 to 63 printable characters`},
		{func(s *Spec) { s.Labels = map[string]string{"a": "x\ny"} }, "labels.a: must not contain control characters"},
		{func(s *Spec) { s.Dataset.Name = "sharegtp" }, `dataset.name: must be one of synthetic, sharegpt, jsonl, arena, oasst1, dolly, openorca, azure, mooncake, burstgpt, bailian, timed, otel, hf://OWNER/NAME, got "sharegtp"`},
		{func(s *Spec) { s.Dataset.Name = "./a.json" }, `dataset.name: must be the name of a dataset, got "./a.json"`},
		{func(s *Spec) { s.Dataset = Dataset{Name: "synthetic", Path: "x"} }, "dataset.path: must not be given for synthetic data"},
		{func(s *Spec) { s.Dataset.Name = "jsonl" }, "dataset.path: is required"},
		{func(s *Spec) { s.Dataset.InputTokens = "many" }, `dataset.input_tokens: must be a number such as 550, or uniform:100:200, normal:550:150, lognormal:550:150, histogram:50=3,100-200=1, file:PATH, got "many"`},
		{func(s *Spec) { s.Dataset.InputTokens = "none" }, `dataset.input_tokens: must be a number such as 550, or uniform:100:200, normal:550:150, lognormal:550:150, histogram:50=3,100-200=1, file:PATH, got "none"`},
		{func(s *Spec) { s.Dataset.OutputTokens = "0" }, `dataset.output_tokens: must be a whole number of at least 1 token, got "0"`},
		{func(s *Spec) { s.Dataset.Nonce = "always" }, `dataset.nonce: must be one of seed, run, none, got "always"`},
		{func(s *Spec) { s.Dataset.SampleSize = -1 }, "dataset.sample_size: must not be negative, got -1"},
		{func(s *Spec) { s.Dataset.TokensPerWord = ptr(0.0) }, "dataset.tokens_per_word: must be greater than 0, got 0"},
		{func(s *Spec) { s.Dataset.HubToken = secret.New("***") }, "dataset.hub_token: is masked in this document, its value is not known"},
		{func(s *Spec) { s.Sampling.Temperature = ptr(-0.1) }, "sampling.temperature: must be between 0 and 100, got -0.1"},
		{func(s *Spec) { s.Sampling.TopP = ptr(1.5) }, "sampling.top_p: must be between 0 and 1, got 1.5"},
		{func(s *Spec) { s.Sampling.TopP = ptr(math.NaN()) }, "sampling.top_p: must be between 0 and 1, got NaN"},
		{func(s *Spec) { s.Sampling.MaxTokens = ptr(0) }, "sampling.max_tokens: must be at least 1, got 0"},
		{func(s *Spec) { s.Sampling.N = ptr(0) }, "sampling.n: must be at least 1, got 0"},
		{func(s *Spec) { s.Sampling.ExtraBody = ExtraBody{"model": "x"} }, "sampling.extra_body.model: is set by endpoint.model"},
		{func(s *Spec) { s.Sampling.ExtraBody = ExtraBody{"a": map[string]any{"b": math.Inf(1)}} }, "sampling.extra_body.a.b: must be a finite number"},
		{func(s *Spec) { s.Sampling.ExtraBody = ExtraBody{"a": []any{int64(1)}} }, "sampling.extra_body.a[0]: must be a JSON value, got a Go int64"},
		{func(s *Spec) { s.Sampling.ExtraBody = ExtraBody{"my_key": "***"} }, "sampling.extra_body.my_key: is masked in this document, its value is not known"},
		{stage(Stage{}), "load.stages[0]: must have exactly one of rate, concurrency, func and replay, got none of them"},
		{stage(Stage{Rate: ptr(Rate(1)), Concurrency: ptr(1)}), "load.stages[0]: must have exactly one of rate, concurrency, func and replay, got rate and concurrency"},
		{stage(Stage{Rate: ptr(Rate(0))}), "load.stages[0].rate: must be greater than 0, got 0"},
		{stage(Stage{Rate: ptr(Rate(math.NaN()))}), "load.stages[0].rate: must be greater than 0, got NaN"},
		{stage(Stage{Rate: ptr(Rate(1e12))}), "load.stages[0].rate: must be at most 1e+09 or inf, got 1e+12"},
		{stage(Stage{Rate: ptr(Rate(math.Inf(1)))}), "load.stages[0].requests: is required"},
		{stage(Stage{Rate: ptr(Rate(math.Inf(1))), Requests: 1, EndRate: ptr(Rate(1))}), "load.stages[0].end_rate: must be finite, as must rate, for a ramp between them"},
		{stage(Stage{Rate: ptr(Rate(1)), EndRate: ptr(Rate(0)), Duration: sec}), "load.stages[0].end_rate: must be greater than 0, got 0"},
		{stage(Stage{Rate: ptr(Rate(1)), EndRate: ptr(Rate(2)), Requests: 5}), "load.stages[0].duration: is required"},
		{stage(Stage{Rate: ptr(Rate(1)), Arrival: "random"}), `load.stages[0].arrival: must be one of constant, poisson, gamma, got "random"`},
		{stage(Stage{Rate: ptr(Rate(1)), Arrival: "poisson", Burstiness: ptr(2.0)}), "load.stages[0].burstiness: must be 1 for arrival poisson, got 2"},
		{stage(Stage{Rate: ptr(Rate(1)), Burstiness: ptr(-1.0)}), "load.stages[0].burstiness: must be greater than 0, got -1"},
		{stage(Stage{Rate: ptr(Rate(1)), MaxConcurrency: -1}), "load.stages[0].max_concurrency: must not be negative, got -1"},
		{stage(Stage{Rate: ptr(Rate(1)), ThinkTime: sec}), "load.stages[0].think_time: needs concurrency"},
		{stage(Stage{Rate: ptr(Rate(1)), Spread: true}), "load.stages[0].spread: needs func"},
		{stage(Stage{Rate: ptr(Rate(1)), Drain: "half"}), `load.stages[0].drain: must be one of none, full, got "half"`},
		{stage(Stage{Rate: ptr(Rate(1)), Duration: -sec}), "load.stages[0].duration: must not be negative, got -1s"},
		{stage(Stage{Rate: ptr(Rate(1)), Duration: maxDuration + 1}), "load.stages[0].duration: must be at most 8784h, got 8784h0m0.000000001s"},
		{stage(Stage{Rate: ptr(Rate(1)), Requests: -1}), "load.stages[0].requests: must not be negative, got -1"},
		{stage(Stage{Concurrency: ptr(0)}), "load.stages[0].concurrency: must be at least 1, got 0"},
		{stage(Stage{Concurrency: ptr(1), MaxConcurrency: 5}), "load.stages[0].max_concurrency: must not be given together with concurrency, which is the cap already"},
		{stage(Stage{Concurrency: ptr(1), Arrival: "poisson"}), "load.stages[0].arrival: needs rate"},
		{stage(Stage{Concurrency: ptr(1), EndRate: ptr(Rate(1))}), "load.stages[0].end_rate: needs rate"},
		{stage(Stage{Concurrency: ptr(1), ThinkTime: -sec}), "load.stages[0].think_time: must not be negative, got -1s"},
		{stage(Stage{Func: ptr("")}), "load.stages[0].func: must be a lambda such as lambda t: 10 * t if t < 60 else None, got nothing"},
		{stage(Stage{Func: &long}), "load.stages[0].func: must have at most 4096 characters, got 20000"},
		{stage(Stage{Replay: &Replay{TimeScale: ptr(0.0)}}), "load.stages[0].replay.time_scale: must be greater than 0, got 0"},
		{stage(Stage{Replay: &Replay{Loop: true}}), "load.stages[0].replay.loop: needs a duration or requests, or the stage would never end"},
		{func(s *Spec) { s.Load = Load{Warmup: Warmup{Requests: 1}, Stages: []Stage{{Func: ptr("lambda t: 1")}}} }, "load.warmup: needs a first stage with a rate or a concurrency to take its load from"},
		{func(s *Spec) {
			s.Load = Load{Warmup: Warmup{Duration: sec}, Stages: []Stage{{Rate: ptr(Rate(math.Inf(1))), Requests: 1}}}
		}, "load.warmup.requests: is required, because the first stage's rate is inf"},
		{func(s *Spec) { s.Load.Warmup.Duration = -sec }, "load.warmup.duration: must not be negative, got -1s"},
		{func(s *Spec) { s.Load.Stages = make([]Stage, 1001) }, "load.stages: must be at most 1000, got 1001"},
		{func(s *Spec) { s.Sessions.CompressionRatio = ptr(0.0) }, "sessions.compression_ratio: must be greater than 0, got 0"},
		{func(s *Spec) { s.Sessions.Range = "5" }, `sessions.range: must be a slice such as 0:100, :100 or -50:, got "5"`},
		{func(s *Spec) { s.SLO.TTFT = -sec }, "slo.ttft: must be greater than 0, got -1s"},
		{func(s *Spec) { s.SLO.TTFT = sec; s.Endpoint.Stream = ptr(false) }, "slo.ttft: can't be judged, because replies are not streamed"},
		{func(s *Spec) { s.Gates = []string{"ttft.p99<500ms", "x"} }, `gates[1]: must be a figure, one of < <= > >= == !=, and a value, such as ttft.p99<500ms, got "x"`},
		{func(s *Spec) { s.Limits.DrainTimeout = ptr(-sec) }, "limits.drain_timeout: must not be negative, got -1s"},
		{func(s *Spec) { s.WaitReady = -sec }, "wait_ready: must not be negative, got -1s"},
		{func(s *Spec) { s.Agents = -1 }, "agents: must not be negative, got -1"},
		{func(s *Spec) { s.Trials = -1 }, "trials: must not be negative, got -1"},
		{func(s *Spec) { s.Trials = 1001 }, "trials: must be at most 1000, got 1001"},
	} {
		s := valid()
		tt.change(s)
		err := s.Validate()
		var errs Errors
		if !errors.As(err, &errs) || len(errs) != 1 || errs[0].Error() != tt.want {
			t.Errorf("got  %v\nwant %s", err, tt.want)
		}
		if err != nil && (strings.Contains(err.Error(), "sekret") || strings.Contains(err.Error(), "sek/ret")) {
			t.Errorf("the error repeats a secret: %v", err)
		}
	}
}

func TestValidateHints(t *testing.T) {
	for url, want := range map[string]string{"localhost:8000/v1": "did you mean http://localhost:8000/v1?", "10.0.0.1:80": "did you mean http://10.0.0.1:80?", "me:sekret@h": ""} {
		var errs Errors
		s := &Spec{Endpoint: Endpoint{URL: url}}
		if err := s.Validate(); !errors.As(err, &errs) || errs[0].Hint != want {
			t.Errorf("%s: got %+v, want hint %q", url, errs, want)
		}
	}
}

func TestWithDefaults(t *testing.T) {
	got, notices := valid().WithDefaults()
	want := &Spec{
		Endpoint:  Endpoint{Type: "openai", URL: "http://host:8000/v1", API: "chat", Stream: ptr(true)},
		Dataset:   Dataset{Name: "synthetic", InputTokens: "256", OutputTokens: "128", Nonce: "seed"},
		Load:      Load{Stages: []Stage{{Concurrency: ptr(8), Duration: 30 * sec, Drain: "none"}}},
		Limits:    Limits{RequestTimeout: Duration(time.Hour), DrainTimeout: ptr(30 * sec), TimeTolerance: ptr(sec / 10), LatenessP99: ptr(sec / 100)},
		Preflight: ptr(true),
		Trials:    1,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %s\nwant %s", asJSON(t, got), asJSON(t, want))
	}
	if want := []string{"no dataset given: synthetic prompts, 256 input tokens, 128 output tokens", "no load given: closed loop, concurrency 8, for 30s"}; !reflect.DeepEqual(notices, want) {
		t.Errorf("notices %q, want %q", notices, want)
	}
	if err := got.Validate(); err != nil {
		t.Errorf("the completed spec is invalid: %v", err)
	}
	if err := got.NotYet(); err != nil {
		t.Errorf("the completed spec can't run: %v", err)
	}
}

func TestDefaultsOneByOne(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Spec)
		get    func(*Spec) any
		want   any
	}{
		{"max_tokens alone replaces the 128", func(s *Spec) { s.Sampling.MaxTokens = ptr(512) }, func(s *Spec) any { return s.Dataset.OutputTokens }, "512"},
		{"max_tokens beside output_tokens is a cap", func(s *Spec) { s.Sampling.MaxTokens = ptr(512); s.Dataset.OutputTokens = "100" }, func(s *Spec) any { return s.Dataset.OutputTokens }, "100"},
		{"a file has its own lengths", func(s *Spec) { s.Dataset.Path = "a.jsonl" }, func(s *Spec) any { return s.Dataset }, Dataset{Path: "a.jsonl"}},
		{"OpenAI's key", func(s *Spec) { s.Endpoint.URL = "https://api.openai.com/v1" }, func(s *Spec) any { return s.Endpoint.APIKeyEnv }, "OPENAI_API_KEY"},
		{"not over plain http", func(s *Spec) { s.Endpoint.URL = "http://api.openai.com/v1" }, func(s *Spec) any { return s.Endpoint.APIKeyEnv }, ""},
		{"not for another host", func(s *Spec) { s.Endpoint.URL = "https://api.openai.com.evil.example/v1" }, func(s *Spec) any { return s.Endpoint.APIKeyEnv }, ""},
		{"not beside a key", func(s *Spec) { s.Endpoint = Endpoint{URL: "https://api.openai.com/v1", APIKey: secret.New("k")} }, func(s *Spec) any { return s.Endpoint.APIKeyEnv }, ""},
		{"not beside a header", func(s *Spec) {
			s.Endpoint = Endpoint{URL: "https://api.openai.com/v1", Headers: Headers{"authorization": "x"}}
		}, func(s *Spec) any { return s.Endpoint.APIKeyEnv }, ""},
		{"alias", func(s *Spec) { s.Endpoint.Type = "aws" }, func(s *Spec) any { return s.Endpoint.Type + s.Endpoint.Region }, "bedrockus-west-2"},
		{"a masked key with its variable", func(s *Spec) { s.Endpoint.APIKey = secret.New("***"); s.Endpoint.APIKeyEnv = "KEY" }, func(s *Spec) any { return s.Endpoint.APIKey.Empty() }, true},
		{"rate without a bound", stage(Stage{Rate: ptr(Rate(5))}), func(s *Spec) any { return s.Load.Stages[0] }, Stage{Rate: ptr(Rate(5)), Duration: 30 * sec, Drain: "none", Arrival: "poisson", Burstiness: ptr(1.0)}},
		{"rate with requests", stage(Stage{Rate: ptr(Rate(5)), Requests: 10}), func(s *Spec) any { return s.Load.Stages[0].Duration }, Duration(0)},
		{"rate inf", stage(Stage{Rate: ptr(Rate(math.Inf(1))), Requests: 10}), func(s *Spec) any { return s.Load.Stages[0].Duration }, Duration(0)},
		{"burstiness alone means gamma", stage(Stage{Rate: ptr(Rate(5)), Burstiness: ptr(0.5)}), func(s *Spec) any { return s.Load.Stages[0].Arrival }, "gamma"},
		{"constant has no burstiness", stage(Stage{Rate: ptr(Rate(5)), Arrival: "constant"}), func(s *Spec) any { return s.Load.Stages[0].Burstiness == nil }, true},
		{"func needs no bound", stage(Stage{Func: ptr("lambda t: 1")}), func(s *Spec) any { return s.Load.Stages[0].Duration }, Duration(0)},
		{"replay needs no bound", stage(Stage{Replay: &Replay{}}), func(s *Spec) any { return s.Load.Stages[0] }, Stage{Replay: &Replay{TimeScale: ptr(1.0)}, Drain: "none"}},
		{"said otherwise", func(s *Spec) {
			s.Preflight = ptr(false)
			s.Endpoint.Stream = ptr(false)
			s.Limits.TimeTolerance = ptr(Duration(0))
		},
			func(s *Spec) any { return [3]bool{*s.Preflight, s.Streaming(), *s.Limits.TimeTolerance != 0} }, [3]bool{}},
	} {
		s := valid()
		tt.change(s)
		full, _ := s.WithDefaults()
		if got := tt.get(full); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
		again, notices := full.WithDefaults()
		if !reflect.DeepEqual(again, full) || len(notices) > 0 {
			t.Errorf("%s: completing a completed spec changes it, or has notices %q", tt.name, notices)
		}
	}
}

func TestNotYet(t *testing.T) {
	for path, change := range map[string]func(*Spec){
		"endpoint.type": func(s *Spec) { s.Endpoint.Type = "aws" },
	} {
		s := valid()
		change(s)
		var errs Errors
		if err := s.NotYet(); !errors.As(err, &errs) || len(errs) != 1 || errs[0].Path != path || !strings.HasSuffix(errs[0].Message, " is not yet supported") {
			t.Errorf("%s: got %v", path, err)
		}
	}
	for _, name := range []string{"openai", "vllm", "sglang", "tgi", "togetherai", "together", "friendliai", ""} {
		if err := (&Spec{Endpoint: Endpoint{Type: name}}).NotYet(); err != nil {
			t.Errorf("type %q: %v", name, err)
		}
	}
}
