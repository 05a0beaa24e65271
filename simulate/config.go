package simulate

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/stampede-bench/stampede/internal/secret"
)

// Config configures a Server. The zero value is a fast, endless, faultless
// server on the default address. Durations that are strings are distributions:
// "50ms", "uniform:40ms:60ms", "normal:MEAN:STD", "lognormal:MEAN:STD" (mean and
// standard deviation of the duration itself), "exp:MEAN"; never below zero.
type Config struct {
	// Addr to listen on. Default 127.0.0.1:8001; port 0 takes a free one.
	Addr string
	// Insecure allows an Addr beyond loopback without an APIKey.
	Insecure bool
	// SharePort lets further servers with SharePort listen on the same Addr; the
	// kernel deals the connections out among them (SO_REUSEPORT, on Linux alone).
	// Each has slots, a cache and an account of its own.
	SharePort bool
	// Models that are served; the first answers requests that name none.
	// Default "stampede-sim".
	Models []string
	// Adapters are served beside them, as LoRA adapters of the first. Default none.
	Adapters []string
	// APIKey that /v1 requests must carry as a bearer token. Default none.
	APIKey secret.String
	// TLS, with a certificate, is what connections are served with. NextProtos is
	// HTTP2's to say. Default none, plain text.
	TLS *tls.Config
	// HTTP2 is whether HTTP/2 is spoken under TLS: HTTP2Also or HTTP2Only. Default
	// neither, HTTP/1.1 alone.
	HTTP2 string
	// Version that /version reports. Default "simulate".
	Version string

	// TTFT is the time from a request's start to its first token. A request
	// starts when it has arrived, or when it got a slot. Default 0.
	TTFT string
	// ITL is the time from one token to the next. Default 0, everything at once.
	ITL string
	// PrefillPerToken is added to TTFT for each prompt token that was not found in
	// the prefix cache. Default 0.
	PrefillPerToken time.Duration
	// Slots is how many requests are served at once; more wait in a FIFO queue.
	// Default 0, no bound.
	Slots int
	// QueueLimit is how many may wait before more are refused with 429. Default 0,
	// no bound.
	QueueLimit int

	// Tokens is the length of a reply to a request that asks for none: a number
	// or a distribution as above without units. Default 128.
	Tokens string
	// EOS is where the model would end by itself, as Tokens; requests with
	// ignore_eos go on to what they asked for. Default never.
	EOS string
	// TokensPerChunk is how many tokens an event carries. Default 1.
	TokensPerChunk int
	// ReasoningTokens come before the content of chat replies and count as
	// output. Default 0.
	ReasoningTokens int
	// ReasoningField is the delta's member for them. Default reasoning_content.
	ReasoningField string
	// TokensPerWord turns the words of a prompt into tokens. Default 1.
	TokensPerWord float64
	// Tokenizer counts the tokens of prompts in place of TokensPerWord; the words of
	// replies are then those that it takes for one token. Default none.
	Tokenizer interface{ Count(text string) int }
	// MaxModelLen bounds prompt and reply together, in tokens; more is refused
	// with 400. Default 131072.
	MaxModelLen int
	// PrefixCacheBlocks is the size of a prefix cache in blocks of 16 tokens.
	// Default 0, no cache.
	PrefixCacheBlocks int

	// Shape of the events: ShapeVLLM (default), ShapeOpenAI, ShapeLlamaCpp or
	// ShapeOllama.
	Shape string
	// NoUsage leaves usage out even when it is asked for.
	NoUsage bool
	// EarlyHeaders sends the headers and the role-only event as soon as a request
	// starts, instead of together with its first token.
	EarlyHeaders bool
	// Blast writes the whole reply at once, when the first token is due.
	Blast bool
	// Faults to commit, each "KIND[=ARG][@SHARE]": see ParseFault. The first that
	// strikes a request counts. The header X-Sim-Fault overrides them.
	Faults []string
	// Seed of everything drawn. Requests with an X-Request-Id draw from the seed
	// and the id, so that their script doesn't depend on the order of arrival.
	Seed uint64

	// AccountPath is a file to which records are appended as JSONL, once a second
	// and at the end. Default none.
	AccountPath string
	// MaxRecords is how many records are kept in memory, the newest. Default
	// 200000; the file gets all.
	MaxRecords int
	// TokenTimes keeps the written instant of each token in the records.
	TokenTimes bool
	// AccountBlocks keeps a hash of each stretch of so many words of a prompt, with
	// all before it, in the records: prompts that begin alike have hashes that begin
	// alike. Default 0, none.
	AccountBlocks int

	// MaxHeaderBytes and MaxBodyBytes bound a request. Defaults 64 KiB, 64 MiB.
	MaxHeaderBytes, MaxBodyBytes int
	// RequestTimeout bounds how long a request may take to come, from its first
	// byte to its last. Default 30 s.
	RequestTimeout time.Duration
	// Dedicated says that the process does nothing else: the thread that writes
	// then keeps one of Go's processors while it sleeps, which is cheaper. Give
	// the process one more than it would have (GOMAXPROCS).
	Dedicated bool
	// Logger for what the operator should know. Default: discard.
	Logger *slog.Logger
}

// The ways to write events.
const (
	ShapeVLLM     = "vllm"
	ShapeOpenAI   = "openai"
	ShapeLlamaCpp = "llama.cpp"
	ShapeOllama   = "ollama"
)

// script is a Config's timing and lengths, parsed.
type script struct {
	ttft, itl   dist
	tokens, eos dist
	hasEOS      bool
	faults      []*rule
}

func (c *Config) setDefaults() {
	orString(&c.Addr, "127.0.0.1:8001")
	orString(&c.Version, "simulate")
	orString(&c.TTFT, "0")
	orString(&c.ITL, "0")
	orString(&c.Tokens, "128")
	orString(&c.ReasoningField, "reasoning_content")
	orString(&c.Shape, ShapeVLLM)
	orInt(&c.TokensPerChunk, 1)
	orInt(&c.MaxModelLen, 131072)
	orInt(&c.MaxRecords, 200_000)
	orInt(&c.MaxHeaderBytes, 64<<10)
	orInt(&c.MaxBodyBytes, 64<<20)
	if c.RequestTimeout <= 0 {
		c.RequestTimeout = 30 * time.Second
	}
	if len(c.Models) == 0 {
		c.Models = []string{"stampede-sim"}
	}
	if c.TokensPerWord == 0 {
		c.TokensPerWord = 1
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
}

func orString(p *string, v string) {
	if *p == "" {
		*p = v
	}
}

func orInt(p *int, v int) {
	if *p == 0 {
		*p = v
	}
}

// parse validates a Config with its defaults set and returns its script.
func (c *Config) parse() (*script, error) {
	var errs []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	s := &script{}
	for _, d := range []struct {
		name, text string
		to         *dist
		parse      func(string) (dist, error)
	}{
		{"ttft", c.TTFT, &s.ttft, parseDurationDist},
		{"itl", c.ITL, &s.itl, parseDurationDist},
		{"tokens", c.Tokens, &s.tokens, parseCountDist},
	} {
		v, err := d.parse(d.text)
		check(err == nil, "%s: %w", d.name, err)
		*d.to = v
	}
	if c.EOS != "" {
		v, err := parseCountDist(c.EOS)
		check(err == nil, "eos: %w", err)
		s.eos, s.hasEOS = v, true
	}
	for _, text := range c.Faults {
		r, err := parseRule(text)
		check(err == nil, "%w", err)
		s.faults = append(s.faults, r)
	}
	for _, n := range []struct {
		name  string
		value int
	}{
		{"slots", c.Slots}, {"queue limit", c.QueueLimit}, {"tokens per chunk", c.TokensPerChunk},
		{"reasoning tokens", c.ReasoningTokens}, {"max model len", c.MaxModelLen}, {"max records", c.MaxRecords},
		{"prefix cache blocks", c.PrefixCacheBlocks}, {"account blocks", c.AccountBlocks}, {"max header bytes", c.MaxHeaderBytes}, {"max body bytes", c.MaxBodyBytes},
	} {
		check(n.value >= 0, "%s: must not be negative, got %d", n.name, n.value)
	}
	check(c.TokensPerWord > 0 && c.TokensPerWord <= 1000, "tokens per word: must be above 0 and at most 1000, got %v", c.TokensPerWord)
	check(c.PrefillPerToken >= 0, "prefill per token: must not be negative, got %v", c.PrefillPerToken)
	check(plainName(c.ReasoningField), "reasoning field: must be a plain name, got %q", c.ReasoningField)
	for _, m := range c.Models {
		check(m != "", "models: a name must not be empty")
	}
	switch c.Shape {
	case ShapeVLLM, ShapeOpenAI, ShapeLlamaCpp, ShapeOllama:
	default:
		check(false, "shape: must be vllm, openai, llama.cpp or ollama, got %q", c.Shape)
	}
	check(c.HTTP2 == "" || c.HTTP2 == HTTP2Also || c.HTTP2 == HTTP2Only, "http2: must be also or only, got %q", c.HTTP2)
	check(c.HTTP2 == "" || c.TLS != nil, "http2: HTTP/2 is spoken over TLS alone, which needs a certificate")
	check(c.Insecure || !c.APIKey.Empty() || isLoopback(c.Addr),
		"addr: %s is reachable from other hosts: set an API key, or allow it with insecure", c.Addr)
	return s, errors.Join(errs...)
}

// plainName reports whether s can stand in JSON and in a header as it is.
func plainName(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") == ""
}

// isLoopback reports whether addr names a loopback host by its number or as
// localhost. Other names could resolve to anything.
func isLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return true // the listener says what is wrong with it
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
