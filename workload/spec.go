package workload

import (
	"time"

	"github.com/stampede-bench/stampede/internal/secret"
)

// Spec says what is asked, of whom, and when. Its JSON form is the protojson
// form of stampede.v1.Spec in snake_case; a nil pointer or an empty value means
// that nothing was said. A Spec is not changed after it was parsed; WithDefaults
// returns a completed copy.
type Spec struct {
	Name      string            `json:"name,omitempty"`
	Labels    map[string]string `json:"labels,omitempty"`
	Endpoint  Endpoint          `json:"endpoint"`
	Dataset   Dataset           `json:"dataset,omitzero"`
	Sampling  Sampling          `json:"sampling,omitzero"`
	Load      Load              `json:"load"`
	Sessions  Sessions          `json:"sessions,omitzero"`
	SLO       SLO               `json:"slo,omitzero"`
	Gates     []string          `json:"gates,omitempty"`
	Limits    Limits            `json:"limits,omitzero"`
	Preflight *bool             `json:"preflight,omitempty"`  // default true
	WaitReady Duration          `json:"wait_ready,omitempty"` // default 0
	Agents    int               `json:"agents,omitempty"`     // 0: all that are connected
	Trials    int               `json:"trials,omitempty"`     // default 1
	Seed      int64             `json:"seed,omitempty"`
	// FlushCache empties the server's prefix cache before the first stage, and
	// between stages that are drained and between trials.
	FlushCache bool `json:"flush_cache,omitempty"`
}

// Endpoint says whom to ask and how.
type Endpoint struct {
	Type      string        `json:"type,omitempty"` // openai (default), vllm, sglang, tgi, triton, bedrock, togetherai, friendliai
	URL       string        `json:"url"`
	Model     string        `json:"model,omitempty"`  // default: the first that the endpoint lists
	API       string        `json:"api,omitempty"`    // chat (default), completions, embeddings, rerank
	Stream    *bool         `json:"stream,omitempty"` // default true
	APIKeyEnv string        `json:"api_key_env,omitempty"`
	Headers   Headers       `json:"headers,omitempty"`
	APIKey    secret.String `json:"api_key,omitzero"`
	Region    string        `json:"region,omitempty"`
	Models    []ModelShare  `json:"models,omitempty"` // instead of Model, drawn by session
}

// ModelShare is one of several models.
type ModelShare struct {
	Name   string   `json:"name"`
	Weight *float64 `json:"weight,omitempty"` // default 1
}

// Dataset says where prompts come from.
type Dataset struct {
	Name          string        `json:"name,omitempty"` // default synthetic
	Path          string        `json:"path,omitempty"`
	InputTokens   string        `json:"input_tokens,omitempty"`  // a distribution; synthetic: 256
	OutputTokens  string        `json:"output_tokens,omitempty"` // a distribution; synthetic: 128
	Nonce         string        `json:"nonce,omitempty"`         // seed (default), run, none
	CorpusHash    string        `json:"corpus_hash,omitempty"`
	SampleSize    int64         `json:"sample_size,omitempty"` // 0: all
	HubToken      secret.String `json:"hub_token,omitzero"`
	TokensPerWord *float64      `json:"tokens_per_word,omitempty"`
	Calibrate     bool          `json:"calibrate,omitempty"`
	Tokenizer     string        `json:"tokenizer,omitempty"`
	Prefix        *Prefix       `json:"prefix,omitempty"`
	Chat          *Chat         `json:"chat,omitempty"`
	TokenizerHash string        `json:"tokenizer_hash,omitempty"`
	SingleWords   string        `json:"single_words,omitempty"`
	Images        *Images       `json:"images,omitempty"`
	Audio         *Audio        `json:"audio,omitempty"`
	Tools         string        `json:"tools,omitempty"`
	ToolChoice    string        `json:"tool_choice,omitempty"`
	BatchSize     int           `json:"batch_size,omitempty"`
	Columns       *Columns      `json:"columns,omitempty"`
}

// Images says what pictures are in each synthetic chat message.
type Images struct {
	Count  int    `json:"count,omitempty"`  // default 1
	Width  int    `json:"width,omitempty"`  // default 512
	Height int    `json:"height,omitempty"` // default 512
	Format string `json:"format,omitempty"` // jpeg (default) or png
}

// Audio says what sounds are in each synthetic chat message.
type Audio struct {
	Count    int      `json:"count,omitempty"`    // default 1
	Duration Duration `json:"duration,omitempty"` // default 5s
}

// Columns says which columns of the data hold what: a name, or a.b for a member of
// an object.
type Columns struct {
	Prompt       string `json:"prompt,omitempty"`   // a column, or a template with columns in braces
	Messages     string `json:"messages,omitempty"` // instead of Prompt
	System       string `json:"system,omitempty"`   // as Prompt
	Answer       string `json:"answer,omitempty"`
	Time         string `json:"time,omitempty"`
	InputTokens  string `json:"input_tokens,omitempty"`
	OutputTokens string `json:"output_tokens,omitempty"`
}

// Prefix says what synthetic prompts begin with in common.
type Prefix struct {
	Tokens string `json:"tokens,omitempty"` // a distribution, drawn by each group
	Groups int    `json:"groups,omitempty"` // default 1
	// Share of sessions that have one. Default 1.
	Share *float64 `json:"share,omitempty"`
	// HitRate, instead of Tokens and Share, is the share of input tokens that the
	// server's prefix cache should serve.
	HitRate     *float64 `json:"hit_rate,omitempty"`
	BlockTokens int      `json:"block_tokens,omitempty"` // default 16
}

// Chat makes synthetic conversations of several turns.
type Chat struct {
	Turns       string `json:"turns,omitempty"`        // a distribution
	InputTokens string `json:"input_tokens,omitempty"` // of later turns
	ThinkTime   string `json:"think_time,omitempty"`   // a distribution of durations
}

// Sampling holds the parameters of the request body; nil is not sent.
type Sampling struct {
	Temperature *float64  `json:"temperature,omitempty"`
	TopP        *float64  `json:"top_p,omitempty"`
	MaxTokens   *int      `json:"max_tokens,omitempty"`
	IgnoreEOS   *bool     `json:"ignore_eos,omitempty"`
	N           *int      `json:"n,omitempty"`
	ExtraBody   ExtraBody `json:"extra_body,omitempty"`
}

// IsZero says that nothing is set; an empty extra_body is nothing.
func (s Sampling) IsZero() bool {
	return s.Temperature == nil && s.TopP == nil && s.MaxTokens == nil && s.IgnoreEOS == nil && s.N == nil && len(s.ExtraBody) == 0
}

// Load says when requests are sent.
type Load struct {
	Warmup      Warmup   `json:"warmup,omitzero"`
	Stages      []Stage  `json:"stages,omitempty"`
	SkipIdleMin Duration `json:"skip_idle_min,omitempty"`
}

// Warmup is bounded by time or by count, whichever is reached first.
type Warmup struct {
	Duration Duration `json:"duration,omitempty"`
	Requests int64    `json:"requests,omitempty"`
}

// Stage is one stretch of load: exactly one of Rate, Concurrency, Func, Replay.
type Stage struct {
	Name           string   `json:"name,omitempty"`
	Duration       Duration `json:"duration,omitempty"`
	Requests       int64    `json:"requests,omitempty"`
	Drain          string   `json:"drain,omitempty"`      // none (default) or full
	Rate           *Rate    `json:"rate,omitempty"`       // open loop, requests/s
	EndRate        *Rate    `json:"end_rate,omitempty"`   // linear ramp
	Arrival        string   `json:"arrival,omitempty"`    // constant, poisson (default), gamma
	Burstiness     *float64 `json:"burstiness,omitempty"` // gamma shape, default 1
	MaxConcurrency int      `json:"max_concurrency,omitempty"`
	Concurrency    *int     `json:"concurrency,omitempty"` // closed loop
	ThinkTime      Duration `json:"think_time,omitempty"`
	Func           *string  `json:"func,omitempty"`
	Spread         bool     `json:"spread,omitempty"`
	Replay         *Replay  `json:"replay,omitempty"`
	ConcurrencyOf  string   `json:"concurrency_of,omitempty"` // requests (default) or sessions
}

// Replay sends entries at the dataset's own timestamps.
type Replay struct {
	TimeScale *float64 `json:"time_scale,omitempty"` // default 1
	Offset    Duration `json:"offset,omitempty"`
	Loop      bool     `json:"loop,omitempty"`
}

// Sessions says how sessions of several turns behave.
type Sessions struct {
	HumanInputWPS    *float64 `json:"human_input_wps,omitempty"` // default 1
	SeparateTurns    bool     `json:"separate_turns,omitempty"`
	SeparateInterval Duration `json:"separate_interval,omitempty"`
	CompressionRatio *float64 `json:"compression_ratio,omitempty"` // default 1
	Range            string   `json:"range,omitempty"`
	MultiTurn        *bool    `json:"multi_turn,omitempty"`
}

// SLO holds the objectives of one request; 0 is not judged.
type SLO struct {
	TTFT Duration `json:"ttft,omitempty"`
	TPOT Duration `json:"tpot,omitempty"`
	E2E  Duration `json:"e2e,omitempty"`
}

// Limits bounds the run and the generator's own error.
type Limits struct {
	RequestTimeout Duration  `json:"request_timeout,omitempty"` // default 1h
	MaxRunTime     Duration  `json:"max_run_time,omitempty"`    // default none
	DrainTimeout   *Duration `json:"drain_timeout,omitempty"`   // default 30s
	TimeTolerance  *Duration `json:"time_tolerance,omitempty"`  // default 100ms
	LatenessP99    *Duration `json:"lateness_p99,omitempty"`    // default 10ms
}

// Duration is a time.Duration that files write as people do ("500ms") and that
// is marshalled in protojson's form ("0.5s").
type Duration time.Duration

// Rate is requests per second; infinite means all at once.
type Rate float64

// Headers are request headers; those that look like secrets are masked when
// they are printed or marshalled.
type Headers map[string]string

// ExtraBody holds further members of the request body; those that look like
// secrets are masked when they are printed or marshalled.
type ExtraBody map[string]any
