package main

import (
	"github.com/spf13/pflag"

	"github.com/stampede-bench/stampede/internal/secret"
	"github.com/stampede-bench/stampede/simulate"
)

// secretFlag is a flag whose value is never shown.
type secretFlag struct{ to *secret.String }

func (s secretFlag) String() string {
	if s.to == nil {
		return ""
	}
	return s.to.String()
}

func (s secretFlag) Set(v string) error { *s.to = secret.New(v); return nil }
func (s secretFlag) Type() string       { return "string" }

// addSimulatorFlags binds the simulator's whole config. Durations that are
// strings are distributions: 50ms, uniform:40ms:60ms, normal:50ms:5ms.
func addSimulatorFlags(f *pflag.FlagSet, c *simulate.Config) {
	f.StringVar(&c.Addr, "addr", "127.0.0.1:8001", "listen `ADDR`; port 0 takes a free one")
	f.BoolVar(&c.Insecure, "insecure", false, "listen beyond loopback without a key")
	f.StringVar(&c.HTTP2, "http2", "", "speak HTTP/2 over TLS: `MODE` also, beside HTTP/1.1, or only (default HTTP/1.1 alone)")
	f.BoolVar(&c.SharePort, "share-port", false, "let further simulators listen on the same ADDR and be dealt a share of its connections (Linux)")
	f.StringSliceVar(&c.Models, "model", []string{"stampede-sim"}, "model `NAMES` to serve")
	f.StringSliceVar(&c.Adapters, "lora", nil, "LoRA adapter `NAMES` to serve beside the first model")
	f.Var(secretFlag{&c.APIKey}, "api-key", "`KEY` that requests must carry (default none)")
	f.StringVar(&c.TTFT, "ttft", "0", "time to first token: `DIST` such as 50ms, normal:50ms:5ms, lognormal:…, exp:…")
	f.StringVar(&c.ITL, "itl", "0", "time between tokens, likewise; 0 sends the rest at once")
	f.DurationVar(&c.PrefillPerToken, "prefill-per-token", 0, "added to TTFT for each prompt token not in the prefix cache")
	f.IntVar(&c.Slots, "slots", 0, "requests served at once; more queue (0: no bound)")
	f.IntVar(&c.QueueLimit, "queue-limit", 0, "requests that may queue before more get 429 (0: no bound)")
	f.StringVar(&c.Tokens, "tokens", "128", "reply length for requests that ask for none")
	f.StringVar(&c.EOS, "eos", "", "where the model ends by itself, as --tokens (default never)")
	f.IntVar(&c.TokensPerChunk, "tokens-per-chunk", 1, "tokens an event carries")
	f.IntVar(&c.ReasoningTokens, "reasoning-tokens", 0, "reasoning tokens before the content of chat replies")
	f.StringVar(&c.ReasoningField, "reasoning-field", "reasoning_content", "the delta's member for them")
	f.Float64Var(&c.TokensPerWord, "tokens-per-word", 1, "tokens of a prompt's word")
	f.Var(tokensFlag{c}, "tokenizer", "tokenizer `NAME` or FILE that counts prompts in place of --tokens-per-word")
	f.IntVar(&c.MaxModelLen, "max-model-len", 131072, "bound on prompt and reply together, in tokens")
	f.IntVar(&c.PrefixCacheBlocks, "prefix-cache-blocks", 0, "prefix cache in blocks of 16 tokens (0: none)")
	f.StringVar(&c.Shape, "shape", simulate.ShapeVLLM, "whose stream to imitate: vllm, openai, llama.cpp or ollama")
	f.BoolVar(&c.NoUsage, "no-usage", false, "leave usage out")
	f.BoolVar(&c.EarlyHeaders, "early-headers", false, "send headers and role when a request starts")
	f.BoolVar(&c.Blast, "blast", false, "write the whole reply at once")
	f.StringArrayVar(&c.Faults, "fault", nil, "`KIND[=ARG][@SHARE]` to commit, such as status=500@0.01; may repeat")
	f.Uint64Var(&c.Seed, "seed", 0, "seed of everything drawn")
	f.StringVar(&c.AccountPath, "account", "", "append what was served to `FILE` as JSONL")
	f.IntVar(&c.AccountBlocks, "account-blocks", 0, "keep a hash of every so many words of a prompt, with all before them, in the account (0: none)")
	f.BoolVar(&c.TokenTimes, "token-times", false, "keep the instant of each token in the account")
}
