package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/pflag"

	"github.com/stampede-bench/stampede/workload"
)

// sessionFlags set what sessions are like: what prompts share, how many turns
// there are, and how recorded time passes.
type sessionFlags struct {
	prefixTokens           string
	prefixGroups           int
	prefixShare, hitRate   float64
	cacheBlock             int
	turns, turnTokens      string
	thinkTime              string
	multiTurn              bool
	humanInputWPS          float64
	separateTurns          bool
	separateInterval       time.Duration
	compression, timeScale float64
	sessionRange           string
	skipIdleMin            time.Duration
	concurrencyOf          string
	traceOffset            time.Duration
	traceLoop              bool
}

func (s *sessionFlags) add(f *pflag.FlagSet) {
	f.StringVar(&s.prefixTokens, "prefix-tokens", "", "length of a beginning that synthetic prompts share, in front of --input-tokens, same notation")
	f.IntVar(&s.prefixGroups, "prefix-groups", 0, "how many different shared beginnings there are (default 1)")
	f.Float64Var(&s.prefixShare, "prefix-share", 0, "share of sessions that have one, 0 to 1 (default 1)")
	f.Float64Var(&s.hitRate, "cache-hit-rate", 0, "share of input tokens that the server's prefix cache should serve, 0 to 0.99; shared beginnings are made as long as that takes")
	f.IntVar(&s.cacheBlock, "cache-block", 0, "tokens in a block of the server's prefix cache, for --cache-hit-rate (default 16)")
	f.StringVar(&s.turns, "turns", "", "synthetic conversations of so many turns: 4, uniform:2:6 (default 1)")
	f.StringVar(&s.turnTokens, "turn-tokens", "", "length of each later turn's message (default --input-tokens)")
	f.StringVar(&s.thinkTime, "think-time", "", "pause before each later turn: 5s, uniform:2s:8s, lognormal:8s:4s (default 0s, or what --human-input-wps makes)")
	f.BoolVar(&s.multiTurn, "multi-turn", false, "send every turn of recorded conversations, each after the answer to the one before (default in replays)")
	f.Float64Var(&s.humanInputWPS, "human-input-wps", 1, "typing speed in words/s before a turn without a recorded moment")
	f.BoolVar(&s.separateTurns, "separate-turns", false, "send each turn as a session of its own, with the recorded answers as history")
	f.Var((*seconds)(&s.separateInterval), "separate-interval", "time between turns that are separated")
	f.Float64Var(&s.compression, "compression-ratio", 1, "divide the recorded arrivals of sessions by this; turns keep their distances")
	f.StringVar(&s.sessionRange, "range", "", "take sessions `A:B`, as Python slices a list; negative numbers count from the end")
	f.Var((*seconds)(&s.skipIdleMin), "skip-idle-min", "when nothing is in flight, cut longer gaps in open-loop arrivals down to this")
	f.StringVar(&s.concurrencyOf, "concurrency-of", "", "what --concurrency counts: requests, or sessions, which keep their place between turns (default requests)")
	f.Float64Var(&s.timeScale, "time-scale", 1, "with --trace: divide recorded time by this; 2 is twice as fast")
	f.Var((*seconds)(&s.traceOffset), "trace-offset", "with --trace: where in the recording to begin")
	f.BoolVar(&s.traceLoop, "trace-loop", false, "with --trace: begin again at the end, until --duration or --requests")
}

// sessions lays the flags over a spec.
func (s *specFlags) sessions(spec *workload.Spec) error {
	s.prefix(&spec.Dataset)
	s.chat(&spec.Dataset)
	to := &spec.Sessions
	if s.given("multi-turn") {
		to.MultiTurn = &s.multiTurn
	}
	if s.given("human-input-wps") {
		to.HumanInputWPS = &s.humanInputWPS
	}
	if s.given("compression-ratio") {
		to.CompressionRatio = &s.compression
	}
	if s.given("separate-turns") {
		to.SeparateTurns = s.separateTurns
	}
	if s.separateInterval != 0 {
		to.SeparateTurns = true
	}
	setDuration(&to.SeparateInterval, s.separateInterval)
	setString(&to.Range, s.sessionRange)
	setDuration(&spec.Load.SkipIdleMin, s.skipIdleMin)
	if s.trace == "" {
		return nil
	}
	if s.dataset != "" {
		return usageError(errors.New("--trace and --dataset each say what is sent; give one"), "to replay the arrivals of a dataset, give its file to --trace")
	}
	d := &spec.Dataset
	named := workload.ParseDataset(s.trace)
	d.Name, d.Path, d.CorpusHash = named.Name, named.Path, ""
	return nil
}

func (s *specFlags) prefix(d *workload.Dataset) {
	if !s.given("prefix-tokens") && !s.given("prefix-groups") && !s.given("prefix-share") && !s.given("cache-hit-rate") && !s.given("cache-block") {
		return
	}
	if d.Prefix == nil {
		d.Prefix = &workload.Prefix{}
	}
	p := d.Prefix
	setString(&p.Tokens, s.prefixTokens)
	if s.given("prefix-groups") {
		p.Groups = s.prefixGroups
	}
	if s.given("prefix-share") {
		p.Share = &s.prefixShare
	}
	if s.given("cache-hit-rate") {
		p.HitRate = &s.hitRate
	}
	if s.given("cache-block") {
		p.BlockTokens = s.cacheBlock
	}
}

func (s *specFlags) chat(d *workload.Dataset) {
	if s.turns == "" && s.turnTokens == "" && s.thinkTime == "" {
		return
	}
	if d.Chat == nil {
		d.Chat = &workload.Chat{}
	}
	setString(&d.Chat.Turns, s.turns)
	setString(&d.Chat.InputTokens, s.turnTokens)
	setString(&d.Chat.ThinkTime, s.thinkTime)
}

// replay is the stage that --trace asks for.
func (s *specFlags) replay() workload.Stage {
	r := &workload.Replay{Offset: workload.Duration(s.traceOffset), Loop: s.traceLoop}
	if s.given("time-scale") {
		r.TimeScale = &s.timeScale
	}
	return workload.Stage{Replay: r}
}

// readLengths reads a file of lengths that the spec names.
func readLengths(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxSpecBytes {
		return nil, fmt.Errorf("%s has %d bytes, at most %d are read", path, info.Size(), maxSpecBytes)
	}
	return os.ReadFile(path)
}
