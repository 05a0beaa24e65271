package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/spf13/pflag"

	"github.com/stampede-bench/stampede/report"
	"github.com/stampede-bench/stampede/schedule"
	"github.com/stampede-bench/stampede/workload"
)

// specFlags are the flags that set keys of the spec.
type specFlags struct {
	file   string
	parsed workload.Parsed // of the file
	// notices are what the flags left open and was assumed.
	notices []string
	flags   *pflag.FlagSet

	url, model, endpointType, api, apiKeyEnv string
	stream                                   bool
	headers, labels, gates                   []string
	rate, concurrency, arrival               string
	burstiness                               float64
	maxConcurrency                           int
	function, trace                          string
	duration                                 time.Duration
	requests                                 int64
	warmup                                   string
	dataset, inputTokens, outputTokens       string
	columns                                  map[string]string
	sampleSize                               int64
	maxTokens                                int
	temperature, topP                        float64
	ignoreEOS                                bool
	extraBody                                string
	slo                                      []string
	requestTimeout, maxRunTime, drainTimeout time.Duration
	seed                                     int64
	trials, agents                           int
	name, tokenizer                          string
	waitReady                                time.Duration
	noPreflight, calibrate, flushCache       bool
	nonce                                    string
	sessionFlags
	mediaFlags
}

// aliases are other tools' words for our flags: vLLM's, AIPerf's and GuideLLM's.
var aliases = map[string]string{
	"backend":          "endpoint-type",
	"request-rate":     "rate",
	"num-prompts":      "requests",
	"num-warmups":      "warmup",
	"goodput":          "slo",
	"random-input-len": "input-tokens", "random-output-len": "output-tokens",
	"result-dir": "out",

	"isl": "input-tokens", "osl": "output-tokens",
	"request-count": "requests", "num-requests": "requests",
	"benchmark-duration": "duration", "warmup-request-count": "warmup", "num-warmup-requests": "warmup", "warmup-duration": "warmup",
	"arrival-pattern": "arrival", "request-rate-mode": "arrival", "arrival-smoothness": "burstiness",
	"num-profile-runs": "trials", "random-seed": "seed",
	"artifact-dir": "out", "output-artifact-dir": "out",

	"max-seconds": "duration", "max-requests": "requests",
	"prompt-tokens": "input-tokens", "output-dir": "out",

	"random-prefix-len": "prefix-tokens", "prefix-repetition-prefix-len": "prefix-tokens", "prefix-repetition-num-prefixes": "prefix-groups",
	"prefix-prompt-length": "prefix-tokens", "num-prefix-prompts": "prefix-groups",
	"conversation-turn-mean": "turns", "session-turns-mean": "turns", "turn-delay": "think-time",
}

func addSpecFlags(f *pflag.FlagSet) *specFlags {
	s := &specFlags{flags: f}
	f.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		if to, ok := aliases[name]; ok {
			name = to
		}
		return pflag.NormalizedName(name)
	})
	f.StringVarP(&s.file, "file", "f", "", "spec `FILE` (YAML, JSON, the old tool's body, or a report to repeat); - is standard input")
	f.StringVar(&s.url, "url", "", "base `URL` of the endpoint, such as http://host:8000/v1")
	f.StringVar(&s.model, "model", "", "model `NAME` (default the first that the endpoint lists)")
	f.StringVar(&s.endpointType, "endpoint-type", "", "kind of server: openai, vllm, sglang, tgi, … (default openai; also --backend)")
	f.StringVar(&s.api, "api", "", "chat, completions, embeddings or rerank (default chat)")
	f.BoolVar(&s.stream, "stream", true, "stream replies; without, there is no TTFT")
	f.StringVar(&s.apiKeyEnv, "api-key-env", "", "environment variable `NAME` that holds the key (default OPENAI_API_KEY, only for https://api.openai.com)")
	f.StringArrayVar(&s.headers, "header", nil, "extra request header `K=V`; may repeat")
	f.StringVar(&s.rate, "rate", "", "open loop, requests/s; a list 1,5,10 makes one stage each; inf sends all at once (also --request-rate)")
	f.StringVar(&s.arrival, "arrival", "", "arrival process: constant, poisson or gamma (default poisson)")
	f.Float64Var(&s.burstiness, "burstiness", 1, "shape of gamma arrivals: 1 is Poisson, below 1 burstier")
	f.IntVar(&s.maxConcurrency, "max-concurrency", 0, "with a rate: most requests in flight; an entry beyond waits and is late by that much")
	f.StringVar(&s.concurrency, "concurrency", "", "closed loop, requests in flight; a list makes one stage each")
	f.StringVar(&s.function, "func", "", "load as a `lambda` of the second: cumulative requests, None at the end")
	f.StringVar(&s.trace, "trace", "", "recorded arrivals and lengths from `FILE`")
	f.Var((*seconds)(&s.duration), "duration", "length of each stage (default 30s for a load with no bound of its own)")
	f.Int64Var(&s.requests, "requests", 0, "requests of each stage; the bound reached first counts (also --num-prompts)")
	f.StringVar(&s.warmup, "warmup", "", "before the first stage, by time (10s) or count (100)")
	f.StringVar(&s.dataset, "dataset", "", "`NAME` or FILE of what is sent, or hf://OWNER/NAME of the hub (default synthetic)")
	f.StringToStringVar(&s.columns, "columns", nil, "which `COLUMN` of the data holds what: prompt=question,answer=response; also messages, system, time, input_tokens, output_tokens")
	f.Int64Var(&s.sampleSize, "sample-size", 0, "take at most so many conversations of the data (default all)")
	f.StringVar(&s.inputTokens, "input-tokens", "", "prompt lengths: 550, uniform:100:200, normal:550:150, lognormal:550:150, histogram:50=3,100-200=1, file:PATH (default 256; also --isl)")
	f.StringVar(&s.outputTokens, "output-tokens", "", "reply lengths, same notation (default 128; also --osl)")
	f.StringVar(&s.nonce, "nonce", "", "what makes synthetic prompts unique: seed, run or none (default seed)")
	f.IntVar(&s.maxTokens, "max-tokens", 0, "cap on the output length")
	f.Float64Var(&s.temperature, "temperature", 0, "sampling temperature")
	f.Float64Var(&s.topP, "top-p", 0, "nucleus sampling mass")
	f.BoolVar(&s.ignoreEOS, "ignore-eos", false, "ask the server to go on past the end of sequence")
	f.StringVar(&s.extraBody, "extra-body", "", "further members of the request body as `JSON`")
	f.StringArrayVar(&s.slo, "slo", nil, "objectives ttft=500ms,tpot=50ms,e2e=10s (also --goodput ttft:500)")
	f.StringArrayVar(&s.gates, "gate", nil, "condition on a figure, such as ttft.p99<500ms; may repeat; missed: exit 4")
	f.Var((*seconds)(&s.requestTimeout), "request-timeout", "bound on one request (default 1h)")
	f.Var((*seconds)(&s.maxRunTime), "max-run-time", "bound on the run (default none)")
	f.Var((*seconds)(&s.drainTimeout), "drain-timeout", "bound on waiting for requests after an interrupt (default 30s)")
	f.Int64Var(&s.seed, "seed", 0, "seed of every random choice")
	f.IntVar(&s.trials, "trials", 0, "whole repeats (default 1)")
	f.StringArrayVar(&s.labels, "label", nil, "label `K=V` kept in the report; may repeat")
	f.StringVar(&s.name, "name", "", "name kept in the report")
	f.IntVar(&s.agents, "agents", 0, "agents in this process (default 1), or of the controller's (default all)")
	f.Var((*seconds)(&s.waitReady), "wait-ready", "wait for the endpoint to answer")
	f.BoolVar(&s.noPreflight, "no-preflight", false, "skip the one request that checks key, path and model before the load")
	f.StringVar(&s.tokenizer, "tokenizer", "", "tokenizer for exact lengths and as a check on usage: cl100k_base, gpt-4o, a tokenizer.json `FILE`, owner/name of the hub, or server")
	f.BoolVar(&s.flushCache, "flush-cache", false, "empty the server's prefix cache before the first stage and between drained stages, where it has a route for that")
	s.sessionFlags.add(f)
	s.mediaFlags.add(f)
	f.BoolVar(&s.calibrate, "calibrate", false, "measure tokens per word once from usage before the run")
	return s
}

// spec reads the file, if there is one, and lays the flags over it. All that is
// wrong is said at once, but for what follows from something else that is.
func (s *specFlags) spec(in io.Reader, baseURL string) (*workload.Spec, []string, error) {
	spec, errs, err := s.read(in)
	if err != nil {
		return nil, nil, err
	}
	if baseURL != "" {
		spec.Endpoint.URL = baseURL
	}
	for _, overlay := range []func(*workload.Spec) error{s.endpoint, s.prompts, s.sessions, s.media, s.load, s.judging, s.rest} {
		var more workload.Errors
		if err := overlay(spec); errors.As(err, &more) {
			errs = append(errs, more...)
		} else if err != nil {
			return nil, nil, err
		}
	}
	if spec.Endpoint.URL == "" && s.file == "" && len(errs) == 0 {
		return nil, nil, usageError(errors.New("--url is required"), "give the endpoint's base URL, such as --url http://localhost:8000/v1; stampede run --simulate needs none")
	}
	for _, check := range []func(*workload.Spec) error{inlineLengths, (*workload.Spec).Validate, (*workload.Spec).NotYet, compiles, checkGates} {
		var more workload.Errors
		if errors.As(s.inFile(check(spec)), &more) {
			errs = append(errs, more.Without(errs)...)
		}
	}
	if len(errs) > 0 {
		return nil, nil, errs
	}
	return spec, append(s.parsed.Notices, s.notices...), nil
}

func inlineLengths(spec *workload.Spec) error { return spec.InlineLengths(readLengths) }

// compiles refuses a schedule that can't be had, as far as that is known without
// data.
func compiles(spec *workload.Spec) error {
	effective, _ := spec.WithDefaults()
	return schedule.Check(effective, nil)
}

func checkGates(spec *workload.Spec) error {
	effective, _ := spec.WithDefaults()
	return report.CheckGates(effective)
}

// inFile gives errors the paths that the file's writer used.
func (s *specFlags) inFile(err error) error {
	var errs workload.Errors
	if errors.As(err, &errs) {
		return s.parsed.Relocate(errs)
	}
	return err
}

// read returns what the file says, as far as it can be read, and what is wrong with
// it. err is why it can't be read at all.
func (s *specFlags) read(in io.Reader) (spec *workload.Spec, errs workload.Errors, err error) {
	if s.file == "" {
		return &workload.Spec{}, nil, nil
	}
	data, err := readInput(s.file, in)
	if err != nil {
		return nil, nil, err
	}
	s.parsed, err = workload.ParseDraft(data)
	switch {
	case errors.As(err, &errs) && s.parsed.Partial != nil:
		return s.parsed.Partial, errs, nil
	case err != nil:
		return nil, nil, usageError(errors.New(orStdin(s.file)+" is no spec: "+err.Error()), "a spec is YAML or JSON; so are a report, and the old tool's body")
	}
	return s.parsed.Spec, nil, nil
}

// maxSpecBytes bounds a spec file; reports, which are specs too, are the largest.
const maxSpecBytes = 64 << 20

func orStdin(file string) string {
	if file == "-" {
		return "standard input"
	}
	return file
}

func readInput(file string, in io.Reader) ([]byte, error) {
	if file == "-" {
		return io.ReadAll(io.LimitReader(in, maxSpecBytes))
	}
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, usageError(fmt.Errorf("--file: there is no file %s", file), "")
	case err != nil:
		return nil, usageError(fmt.Errorf("--file: %w", err), "")
	case info.IsDir():
		return nil, usageError(fmt.Errorf("--file: must be a file, %s is a folder", file), "")
	}
	if info.Size() > maxSpecBytes {
		return nil, usageError(fmt.Errorf("--file: %s has %d bytes, at most %d are read", file, info.Size(), maxSpecBytes), "is it a dataset? that goes to --dataset")
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, usageError(fmt.Errorf("--file: %w", err), "")
	}
	return data, nil
}

func (s *specFlags) given(name string) bool { return s.flags.Changed(name) }

func (s *specFlags) endpoint(spec *workload.Spec) error {
	e := &spec.Endpoint
	setString(&e.URL, s.url)
	setString(&e.Model, s.model)
	if s.endpointType == vllmChat {
		s.endpointType = workload.TypeOpenAI // chat is the default API here
	}
	setString(&e.Type, s.endpointType)
	setString(&e.API, s.api)
	setString(&e.APIKeyEnv, s.apiKeyEnv)
	if s.given("stream") {
		e.Stream = &s.stream
	}
	for _, h := range s.headers {
		k, v, err := workload.ParseKeyValue(h)
		if err != nil {
			return flagError("header", err)
		}
		if e.Headers == nil {
			e.Headers = workload.Headers{}
		}
		e.Headers[k] = v
	}
	return nil
}

func (s *specFlags) prompts(spec *workload.Spec) error {
	d, p := &spec.Dataset, &spec.Sampling
	if s.dataset != "" {
		named := workload.ParseDataset(s.dataset)
		d.Name, d.Path = named.Name, named.Path
	}
	if len(s.columns) > 0 {
		columns, err := workload.ParseColumns(s.columns)
		if err != nil {
			return flagError("columns", err)
		}
		d.Columns = columns
	}
	if s.given("sample-size") {
		d.SampleSize = s.sampleSize
	}
	setString(&d.InputTokens, s.inputTokens)
	setString(&d.OutputTokens, s.outputTokens)
	setString(&d.Nonce, s.nonce)
	setString(&d.Tokenizer, s.tokenizer)
	if s.calibrate {
		d.Calibrate, d.TokensPerWord = true, nil // measured anew, whatever a report says
	}
	if s.given("max-tokens") {
		p.MaxTokens = &s.maxTokens
	}
	if s.given("temperature") {
		p.Temperature = &s.temperature
	}
	if s.given("top-p") {
		p.TopP = &s.topP
	}
	if s.given("ignore-eos") {
		p.IgnoreEOS = &s.ignoreEOS
	}
	if s.extraBody != "" {
		body, err := workload.ParseExtraBody(s.extraBody)
		if err != nil {
			return flagError("extra-body", err)
		}
		p.ExtraBody = body
	}
	return nil
}

func (s *specFlags) judging(spec *workload.Spec) error {
	for _, text := range s.slo {
		slo, err := workload.ParseSLO(text)
		if err != nil {
			return flagError("slo", err)
		}
		setDuration(&spec.SLO.TTFT, slo.TTFT.D())
		setDuration(&spec.SLO.TPOT, slo.TPOT.D())
		setDuration(&spec.SLO.E2E, slo.E2E.D())
	}
	spec.Gates = append(spec.Gates, s.gates...)
	for _, l := range s.labels {
		k, v, err := workload.ParseKeyValue(l)
		if err != nil {
			return flagError("label", err)
		}
		if spec.Labels == nil {
			spec.Labels = map[string]string{}
		}
		spec.Labels[k] = v
	}
	return nil
}

func (s *specFlags) rest(spec *workload.Spec) error {
	setString(&spec.Name, s.name)
	setDuration(&spec.Limits.RequestTimeout, s.requestTimeout)
	setDuration(&spec.Limits.MaxRunTime, s.maxRunTime)
	setDuration(&spec.WaitReady, s.waitReady)
	if s.given("drain-timeout") {
		d := workload.Duration(s.drainTimeout)
		spec.Limits.DrainTimeout = &d
	}
	if s.given("seed") {
		spec.Seed = s.seed
	}
	if s.given("trials") {
		spec.Trials = s.trials
	}
	if s.given("agents") {
		spec.Agents = s.agents
	}
	if s.flushCache {
		spec.FlushCache = true
	}
	if s.noPreflight {
		no := false
		spec.Preflight = &no
	}
	return nil
}

func setString(to *string, v string) {
	if v != "" {
		*to = v
	}
}

func setDuration(to *workload.Duration, v time.Duration) {
	if v != 0 {
		*to = workload.Duration(v)
	}
}

func flagError(flag string, err error) error {
	return workload.Errors{{Path: "--" + flag, Message: err.Error()}}
}
