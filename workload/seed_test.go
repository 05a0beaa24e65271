package workload

import (
	"errors"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"
)

// seedBody returns a body of the seed with members added or replaced.
func seedBody(top, config, kwargs string) string {
	return `{"url":"http://h/v1","model":"m","dataset_name":"synthesizer","endpoint_type":"vllm"` + top +
		`,"dataset_config":{"func":"lambda t: 1","prompt_source":"synthetic"` + config + `},"kwargs":{` + strings.TrimPrefix(kwargs, ",") + `}}`
}

func TestSeedBodyVerbatim(t *testing.T) {
	data, err := os.ReadFile("testdata/seed_body.json")
	if err != nil {
		t.Fatal(err)
	}
	p, err := ParseFull(data)
	if err != nil {
		t.Fatal(err)
	}
	if !p.Seed || len(p.Notices) != 0 {
		t.Errorf("Seed %v, notices %q", p.Seed, p.Notices)
	}
	s := p.Spec
	if s.Endpoint.APIKey.Reveal() != "EMPTY" || s.Dataset.HubToken.Reveal() != "hf_verySecretToken" {
		t.Error("key or hub token are not as in the body")
	}
	s.Endpoint.APIKey, s.Dataset.HubToken = Endpoint{}.APIKey, Endpoint{}.APIKey
	want := &Spec{
		Endpoint: Endpoint{Type: "vllm", URL: "http://10.0.0.42:8000/v1", Model: "mistralai/Mistral-7B-Instruct-v0.1"},
		Dataset:  Dataset{Name: "arena"},
		Sampling: Sampling{Temperature: ptr(0.9), TopP: ptr(1.0), MaxTokens: ptr(512)},
		Load:     Load{Stages: []Stage{{Func: ptr("lambda t: int(t / 0.1 + 1) if t < 60 else None")}}},
		Limits:   Limits{RequestTimeout: Duration(time.Hour)},
	}
	if !reflect.DeepEqual(s, want) {
		t.Errorf("got  %s\nwant %s", asJSON(t, s), asJSON(t, want))
	}
	if err := s.NotYet(); err != nil {
		t.Errorf("NotYet = %v", err)
	}
}

func TestSeedBodyMapping(t *testing.T) {
	visits := func(name, rest string) string {
		return `{"url":"http://h/v1","model":"m","endpoint_type":"openai","dataset_name":"` + name + `"` + rest + `}`
	}
	for _, tt := range []struct {
		name, body string
		get        func(Parsed) any
		want       any
	}{
		{"synthetic prompts ask for no length", seedBody("", "", ""), func(p Parsed) any { return p.Spec.Dataset.Name + " " + p.Spec.Dataset.OutputTokens }, "synthetic none"},
		{"a file of prompts", strings.Replace(seedBody("", "", ""), "synthetic", "./p.jsonl", 1), func(p Parsed) any { return p.Spec.Dataset }, Dataset{Path: "./p.jsonl"}},
		{"bursts stay bursts", seedBody("", "", ""), func(p Parsed) any { return p.Spec.Load.Stages[0].Spread }, false},
		{"key", seedBody(`,"key":"sk-1"`, "", ""), func(p Parsed) any { return p.Spec.Endpoint.APIKey.Reveal() }, "sk-1"},
		{"key among kwargs", seedBody("", "", `"api_key":"sk-2"`), func(p Parsed) any { return p.Spec.Endpoint.APIKey.Reveal() }, "sk-2"},
		{"together", strings.Replace(seedBody("", "", ""), `"vllm"`, `"together"`, 1), func(p Parsed) any { return p.Spec.Endpoint.Type }, "togetherai"},
		{"aws", strings.Replace(strings.Replace(seedBody(`,"key":"AK|SK"`, "", ""), `"vllm"`, `"aws"`, 1), "http://h/v1", "", 1), func(p Parsed) any { return p.Spec.Endpoint.Type + " " + p.Spec.Endpoint.Region }, "bedrock us-west-2"},
		{"aws region", strings.Replace(seedBody(`,"key":"AK|SK"`, "", `"region_name":"eu-west-1"`), `"vllm"`, `"aws"`, 1), func(p Parsed) any { return p.Spec.Endpoint.Region }, "eu-west-1"},
		{"legacy", seedBody(`,"legacy":true`, "", ""), func(p Parsed) any { return p.Spec.Endpoint.API }, "completions"},
		{"legacy is false", seedBody(`,"legacy":false`, "", ""), func(p Parsed) any { return p.Spec.Endpoint.API }, ""},
		{"kwargs win over dataset_config", seedBody("", `,"temperature":0.1,"top_p":0.5,"max_tokens":7`, `"temperature":0.2`), func(p Parsed) any {
			return [3]float64{*p.Spec.Sampling.Temperature, *p.Spec.Sampling.TopP, float64(*p.Spec.Sampling.MaxTokens)}
		}, [3]float64{0.2, 0.5, 7}},
		{"null is not said", seedBody(`,"random_seed":null,"test_id":null,"workload_range":null`, `,"max_tokens":null`, `"temperature":null,"foo":null`), func(p Parsed) any {
			return p.Spec.Sampling.MaxTokens == nil && p.Spec.Sampling.Temperature == nil && p.Spec.Sampling.ExtraBody == nil
		}, true},
		{"n", seedBody("", "", `"n":2`), func(p Parsed) any { return *p.Spec.Sampling.N }, 2},
		{"unknown kwargs are sent", seedBody("", "", `"top_k":5,"stop":["x"]`), func(p Parsed) any { return p.Spec.Sampling.ExtraBody }, ExtraBody{"top_k": 5.0, "stop": []any{"x"}}},
		{"loop settings have no effect", seedBody("", "", `"time_step":0.001,"check_size":10`), func(p Parsed) any { return len(p.Notices) + len(p.Spec.Sampling.ExtraBody) }, 0},
		{"request_timeout", seedBody("", "", `"request_timeout":1.5`), func(p Parsed) any { return p.Spec.Limits.RequestTimeout }, sec + sec/2},
		{"max_run_time among kwargs", seedBody("", "", `"max_run_time":60`), func(p Parsed) any { return p.Spec.Limits.MaxRunTime }, 60 * sec},
		{"max_run_time at the top", seedBody(`,"max_run_time":60`, "", ""), func(p Parsed) any { return p.Spec.Limits.MaxRunTime }, 60 * sec},
		{"time_tolerance", seedBody("", "", `"time_tolerance":0.05`), func(p Parsed) any { return *p.Spec.Limits.TimeTolerance }, sec / 20},
		{"skip_idle_min", seedBody("", "", `"skip_idle_min":20`), func(p Parsed) any { return p.Spec.Load.SkipIdleMin }, 20 * sec},
		{"seed at the top", seedBody(`,"random_seed":7`, "", ""), func(p Parsed) any { return p.Spec.Seed }, int64(7)},
		{"seed in dataset_config", seedBody("", `,"random_seed":8`, ""), func(p Parsed) any { return p.Spec.Seed }, int64(8)},
		{"seed in both", seedBody(`,"random_seed":9`, `,"random_seed":9`, ""), func(p Parsed) any { return p.Spec.Seed }, int64(9)},
		{"sample_size", seedBody("", `,"sample_size":50`, ""), func(p Parsed) any { return p.Spec.Dataset.SampleSize }, int64(50)},
		{"test_id", seedBody(`,"test_id":"custom_test_001"`, "", ""), func(p Parsed) any { return p.TestID }, "custom_test_001"},
		{"recorded visits are replayed", visits("arena", ""), func(p Parsed) any { return p.Spec.Load.Stages }, []Stage{{Replay: &Replay{}}}},
		{"workload_range", visits("dolly", `,"workload_range":[null,-5]`), func(p Parsed) any { return p.Spec.Sessions.Range }, ":-5"},
		{"workload_range of all", visits("dolly", `,"workload_range":[null,null]`), func(p Parsed) any { return p.Spec.Sessions.Range }, ""},
		{"compression_ratio", visits("oasst1", `,"dataset_config":{"compression_ratio":0.5}`), func(p Parsed) any { return *p.Spec.Sessions.CompressionRatio }, 0.5},
		{"separate turns", visits("oasst1", `,"dataset_config":{"separate_req_in_one_visit":true}`), func(p Parsed) any { return p.Spec.Sessions.SeparateTurns }, true},
		{"separate turns with an interval", visits("arena", `,"dataset_config":{"separate_req_in_one_visit_with_interval":60}`), func(p Parsed) any {
			return p.Spec.Sessions.SeparateTurns && p.Spec.Sessions.SeparateInterval == 60*sec
		}, true},
		{"typing speed", visits("arena", `,"kwargs":{"human_input_wps":2}`), func(p Parsed) any { return *p.Spec.Sessions.HumanInputWPS }, 2.0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := ParseFull([]byte(tt.body))
			if err != nil {
				t.Fatalf("%s: %v", tt.body, err)
			}
			if got := tt.get(p); !reflect.DeepEqual(got, tt.want) || !p.Seed {
				t.Errorf("got %v (%T), want %v", got, got, tt.want)
			}
		})
	}
}

func TestSeedNotices(t *testing.T) {
	for body, want := range map[string]string{
		seedBody("", "", `"temprature":1`):              "kwargs.temprature: is sent to the endpoint as it stands (did you mean temperature?)",
		seedBody("", "", `"guided_choice":["a"]`):       "kwargs.guided_choice: is sent to the endpoint as it stands",
		seedBody(`,"workload_range":[0,5]`, "", ""):     "workload_range: has no effect on the synthesizer",
		seedBody("", `,"compression_ratio":2`, ""):      "dataset_config.compression_ratio: has no effect on synthesizer",
		seedBody("", "", `"human_input_wps":2`):         "kwargs.human_input_wps: has no effect on the synthesizer, whose visits have one turn",
		seedBody(`,"dataset_confg":{}`, "", ""):         "dataset_confg: is not a key of the body and has no effect (did you mean dataset_config?)",
		seedBody("", "", `"region_name":"eu-west-1"`):   "kwargs.region_name: is sent to the endpoint as it stands",
		seedBody("", `,"promt_source":"synthetic"`, ""): "dataset_config.promt_source: has no effect on synthesizer (did you mean prompt_source?)",
	} {
		p, err := ParseFull([]byte(body))
		if err != nil || len(p.Notices) != 1 || p.Notices[0] != want {
			t.Errorf("%s\n got %q, %v\nwant %q", body, p.Notices, err, want)
		}
	}
}

func TestSeedErrors(t *testing.T) {
	for _, tt := range []struct{ body, want, kind string }{
		{`{"dataset_name":"arena","model":"m","endpoint_type":"vllm"}`, "url: Field required", "missing"},
		{seedBody(`,"key":5`, "", ""), "key: Input should be a valid string", "string_type"},
		{seedBody(`,"legacy":"maybe"`, "", ""), "legacy: Input should be a valid boolean, unable to interpret input", "bool_parsing"},
		{seedBody(`,"random_seed":1.5`, "", ""), "random_seed: Input should be a valid integer, got a number with a fractional part", "int_from_float"},
		{seedBody(`,"random_seed":"x"`, "", ""), "random_seed: Input should be a valid integer, unable to parse string as an integer", "int_parsing"},
		{seedBody(`,"random_seed":1`, `,"random_seed":2`, ""), "dataset_config.random_seed: Value error, is 2, but random_seed is 1; give one of them", "value_error"},
		{seedBody(`,"workload_range":[1]`, "", ""), "workload_range[1]: Field required", "missing"},
		{seedBody(`,"workload_range":"1:2"`, "", ""), "workload_range: Input should be a valid tuple", "tuple_type"},
		{seedBody(`,"workload_range":[1,2,3]`, "", ""), "workload_range: Tuple should have at most 2 items after validation, not 3", "too_long"},
		{seedBody(`,"test_id":"a b"`, "", ""), "test_id: String should match pattern '^[A-Za-z0-9_-]{1,64}$'", "string_pattern_mismatch"},
		{seedBody(`,"max_run_time":5`, "", `"max_run_time":6`), "kwargs.max_run_time: Value error, differs from max_run_time; give one of them", "value_error"},
		{seedBody(`,"key":"a"`, "", `"api_key":"b"`), "kwargs.api_key: Value error, differs from key; give one of them", "value_error"},
		{seedBody("", "", `"temperature":"hot"`), "kwargs.temperature: Input should be a valid number, unable to parse string as a number", "float_parsing"},
		{seedBody("", "", `"temperature":-1`), "kwargs.temperature: must be between 0 and 100, got -1", "value_error"},
		{seedBody("", `,"max_tokens":0`, ""), "dataset_config.max_tokens: must be at least 1, got 0", "value_error"},
		{seedBody("", "", `"request_timeout":-1`), "kwargs.request_timeout: must not be negative, got -1s", "value_error"},
		{seedBody("", "", `"messages":[]`), "kwargs.messages: is set by dataset", "value_error"},
		{seedBody("", "", `"api_base":"x"`), "kwargs.api_base: Value error, is set by url", "value_error"},
		{seedBody("", "", `"seed":9007199254740993`), "kwargs.seed: must be a whole number of at most 2^53, which is what the wire carries exactly, got 9007199254740993", "int_parsing_size"},
		{strings.Replace(seedBody("", "", ""), "http://h/v1", "h:8000", 1), `url: must be a base URL such as http://host:8000/v1, with http or https, got "h:8000"`, "value_error"},
		{strings.Replace(seedBody("", "", ""), `"vllm"`, `"vlm"`, 1), `endpoint_type: must be one of openai, vllm, sglang, tgi, triton, bedrock, togetherai, friendliai, aws, together, got "vlm"`, "value_error"},
		{strings.Replace(seedBody("", "", ""), `"synthesizer"`, `"synth"`, 1), `dataset_name: Input should be 'synthesizer', 'arena', 'oasst1', 'dolly' or 'openorca', got "synth"`, "literal_error"},
		{strings.Replace(seedBody("", "", ""), `"synthetic"`, `"synthesizer"`, 1), `dataset_config.prompt_source: Value error, must be the name of a dataset, synthetic, or a file, got "synthesizer"`, "value_error"},
		{strings.Replace(seedBody("", "", ""), `"lambda t: 1"`, `" "`, 1), "dataset_config.func: must be a lambda such as lambda t: 10 * t if t < 60 else None, got nothing", "value_error"},
		{strings.Replace(seedBody(`,"key":"nobar"`, "", ""), `"vllm"`, `"aws"`, 1), "key: must be ACCESS|SECRET for bedrock", "value_error"},
	} {
		_, err := ParseFull([]byte(tt.body))
		var errs Errors
		if !errors.As(err, &errs) {
			t.Errorf("%s\n got %v, want %s", tt.body, err, tt.want)
			continue
		}
		if len(errs) != 1 || errs[0].Error() != tt.want || errs[0].Type != tt.kind {
			t.Errorf("%s\n got  %v (%s)\n want %s (%s)", tt.body, errs, errs[0].Type, tt.want, tt.kind)
		}
	}
}

// TestSeedErrorsOfAnEmptyBody is what FastAPI answers to {}.
func TestSeedErrorsOfAnEmptyBody(t *testing.T) {
	_, err := ParseSeed([]byte("{}"))
	var errs Errors
	if !errors.As(err, &errs) {
		t.Fatalf("got %v", err)
	}
	var paths []string
	for _, e := range errs {
		if e.Type == "missing" && e.Message == "Field required" {
			paths = append(paths, e.Path)
		}
	}
	if want := []string{"url", "model", "endpoint_type", "dataset_name"}; !reflect.DeepEqual(paths, want) || len(errs) != 4 {
		t.Errorf("got %v, want %v", errs, want)
	}
	if _, err := ParseSeed([]byte("[]")); err == nil || err.Error() != "Input should be a valid dictionary or object to extract fields from" {
		t.Errorf("a list: got %v", err)
	}
	if p, err := ParseSeed([]byte(`{"endpoint":{"url":"http://h"}}`)); err != nil || p.Seed {
		t.Errorf("a spec where the seed's body is expected: got %+v, %v", p, err)
	}
}

func TestMaskBody(t *testing.T) {
	for body, want := range map[string]string{
		`{"key": "sk-1", "url": "http://h", "kwargs": {"hf_auth_key": "hf_1", "max_tokens": 5, "n": 1.50}}`: `{"key":"***","url":"http://h","kwargs":{"hf_auth_key":"***","max_tokens":5,"n":1.50}}`,
		`{"key":"EMPTY","b":null,"token":""}`:                                                `{"key":"EMPTY","b":null,"token":""}`,
		`{"endpoint":{"headers":{"X-Y":"Bearer abc","Z":"1"},"api_key_env":"KEY"}}`:          `{"endpoint":{"headers":{"X-Y":"***","Z":"1"},"api_key_env":"KEY"}}`,
		`{"kwargs":{"credentials":{"user":"u","pass":"p"},"list":[{"secret":1}],"f":"a<b"}}`: `{"kwargs":{"credentials":"***","list":[{"secret":"***"}],"f":"a<b"}}`,
		"endpoint: {api_key: abc, url: 'http://h'}":                                          `{"endpoint":{"api_key":"***","url":"http://h"}}`,
		"": "null", "{": "null",
	} {
		if got := string(MaskBody([]byte(body))); got != want {
			t.Errorf("MaskBody(%s)\n got  %s\n want %s", body, got, want)
		}
	}
}
