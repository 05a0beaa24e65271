package measure

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

const ms = 1_000_000

// exchange of chunks that arrive every 10 ms from 50 ms after sent on.
func exchange(sent int64, chunks ...Chunk) *Exchange {
	var x Exchange
	x.Reset()
	x.Sent, x.Headers, x.Status = sent, sent+45*ms, Succeeded
	for i, c := range chunks {
		c.At = sent + 50*ms + int64(i)*10*ms
		x.Chunks = append(x.Chunks, c)
		x.End = c.At + ms
	}
	return &x
}

func text(bytes int32) Chunk { return Chunk{TextBytes: bytes, UsageTotal: -1} }

func repeat(c Chunk, n int) []Chunk { return slices.Repeat([]Chunk{c}, n) }

func TestTokensPerChunkByTheBestEvidence(t *testing.T) {
	delta := func(total, logprobs int32) Chunk { return Chunk{UsageTotal: total, Tokens: logprobs, TextBytes: 3} }
	for _, c := range []struct {
		name      string
		chunks    []Chunk
		output    int32 // usage; -1 none
		reasoning int32
		source    string
		tokens    []int32 // nil: one each
		want      int32   // output tokens
	}{
		{"continuous usage beats all", []Chunk{delta(2, 1), delta(3, 1), delta(7, 1)}, 7, -1, SourceUsageDelta, []int32{2, 1, 4}, 7},
		{"usage that stands still is no evidence", []Chunk{delta(2, 1), delta(2, 3)}, 4, -1, SourceLogprobs, []int32{1, 3}, 4},
		{"logprobs beat usage's total", []Chunk{delta(-1, 2), delta(-1, 2)}, 9, -1, SourceLogprobs, []int32{2, 2}, 9},
		{"usage is spread by length", []Chunk{text(1), text(3), text(4)}, 11, -1, SourceUsage, []int32{2, 4, 5}, 11},
		{"64 tokens in 63 chunks", repeat(text(4), 63), 64, -1, SourceUsage, append([]int32{2}, slices.Repeat([]int32{1}, 62)...), 64},
		{"60 tokens in 63 chunks: usage counts, chunks are one each", repeat(text(4), 63), 60, -1, SourceChunks, nil, 60},
		{"one each by usage", repeat(text(4), 5), 5, -1, SourceUsage, nil, 5},
		{"no usage: one a chunk", repeat(text(4), 5), -1, -1, SourceChunks, nil, 5},
		{"reasoning that was never streamed", repeat(text(4), 5), 105, 100, SourceUsage, nil, 105},
		{"a whole reply in one chunk", []Chunk{text(300)}, 64, -1, SourceUsage, []int32{64}, 64},
	} {
		x := exchange(0, c.chunks...)
		x.Usage.Output, x.Usage.Reasoning = c.output, c.reasoning
		var s Sample
		Derive(x, 0, &s)
		if s.TokenSource != c.source || s.OutputTokens != c.want || !slices.Equal(s.ChunkTokens, c.tokens) {
			t.Errorf("%s: %s %d %v, want %s %d %v", c.name, s.TokenSource, s.OutputTokens, s.ChunkTokens, c.source, c.want, c.tokens)
		}
	}
}

func TestFiguresByHand(t *testing.T) {
	// Sent at 1 s; reasoning at 50 and 60 ms, content at 70, 80 and 90 ms after.
	x := exchange(1000*ms, Chunk{Kind: Reasoning, TextBytes: 2, UsageTotal: -1}, Chunk{Kind: Reasoning, TextBytes: 2, UsageTotal: -1}, text(2), text(2), text(2))
	x.Usage = Usage{Input: 20, Output: 5, Reasoning: 2, Cached: 5}
	s := Sample{Intended: 900*ms - 100*ms}
	Derive(x, 100*ms, &s) // the anchor lies at 100 ms
	for _, c := range []struct {
		name string
		got  func() (int64, bool)
		want int64
	}{
		{"ttft", s.TTFT, 50 * ms},
		{"ttfo", s.TTFO, 70 * ms},
		{"ttst", s.TTST, 10 * ms},
		{"e2e", s.E2E, 90 * ms},
		{"tpot", s.TPOT, 10 * ms},                   // 40 ms / (5 - 1)
		{"ntpot", s.NTPOT, 18 * ms},                 // 90 ms / 5
		{"lateness", s.Lateness, 100 * ms},          // intended at 900 ms
		{"tokens/s", s.TokensPerSecond, 100 * 1000}, // 4 / 40 ms
	} {
		if got, ok := c.got(); !ok || got != c.want {
			t.Errorf("%s = %d, %t; want %d", c.name, got, ok, c.want)
		}
	}
	if s.Sent != 900*ms || s.FirstToken != 950*ms || s.LastToken != 990*ms {
		t.Errorf("instants %d %d %d are not relative to the anchor", s.Sent, s.FirstToken, s.LastToken)
	}
}

// TestLatenessIsOfTheFirstAttempt: intended at 100 ms, sent at 103 and again at 140.
func TestLatenessIsOfTheFirstAttempt(t *testing.T) {
	x := exchange(140*ms, text(1), text(1))
	x.FirstSent, x.Attempt, x.Stale = 103*ms, 2, true
	s := Sample{Intended: 100 * ms}
	Derive(x, 0, &s)
	late, _ := s.Lateness()
	ttft, _ := s.TTFT()
	if late != 3*ms || ttft != 50*ms || s.ResendNanos != 37*ms {
		t.Errorf("lateness %d, ttft %d, resend %d", late, ttft, s.ResendNanos)
	}
	x.FirstSent = Absent
	if Derive(x, 0, &s); s.ResendNanos != 0 {
		t.Errorf("resend %d of the request before stays", s.ResendNanos)
	}
}

func TestTPOTLeavesOutWhatWasNotStreamed(t *testing.T) {
	x := exchange(0, text(2), text(2), text(2))
	x.Usage = Usage{Input: 1, Output: 103, Reasoning: 100, Cached: -1}
	var s Sample
	Derive(x, 0, &s)
	if got, ok := s.TPOT(); !ok || got != 10*ms {
		t.Errorf("tpot %d, %t; want 20 ms / (3 - 1)", got, ok)
	}
}

func TestFiguresThatDoNotExist(t *testing.T) {
	var none Sample
	Derive(exchange(0), 0, &none)
	one := Sample{}
	Derive(exchange(0, text(3)), 0, &one)
	for name, f := range map[string]func() (int64, bool){
		"ttft of nothing": none.TTFT, "e2e of nothing": none.E2E, "tpot of nothing": none.TPOT,
		"tpot of one token": one.TPOT, "ttst of one token": one.TTST, "tokens/s of one token": one.TokensPerSecond,
	} {
		if v, ok := f(); ok {
			t.Errorf("%s = %d, want none", name, v)
		}
	}
}

// TestDeriveLaws: by usage, chunks add up to what was streamed; gaps of tokens
// add up to the time from first to last token.
func TestDeriveLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 40).Draw(t, "chunks")
		var chunks []Chunk
		for range n {
			chunks = append(chunks, text(rapid.Int32Range(0, 30).Draw(t, "bytes")))
		}
		x := exchange(rapid.Int64Range(-1e12, 1e12).Draw(t, "sent"), chunks...)
		x.Usage.Output = rapid.Int32Range(-1, 200).Draw(t, "usage")
		var s Sample
		Derive(x, rapid.Int64Range(-1e12, 1e12).Draw(t, "anchor"), &s)
		if s.TokenSource == SourceUsage && streamed(&s) != int64(x.Usage.Output) {
			t.Fatalf("chunks hold %d of %d tokens", streamed(&s), x.Usage.Output)
		}
		sum := int64(0)
		for i := 1; i < n; i++ {
			sum += s.ChunkOffsets[i] - s.ChunkOffsets[i-1]
			if s.chunkTokens(i) < 1 {
				t.Fatalf("chunk %d holds %d tokens", i, s.chunkTokens(i))
			}
		}
		if sum != s.LastToken-s.FirstToken {
			t.Fatalf("gaps add up to %d of %d", sum, s.LastToken-s.FirstToken)
		}
	})
}

func TestSLO(t *testing.T) {
	x := exchange(0, text(1), text(1))
	x.Usage.Output = 2
	var s, short, failed Sample
	Derive(x, 0, &s)
	y := exchange(0, text(1))
	Derive(y, 0, &short)
	failed = s
	failed.Status = Failed
	for _, c := range []struct {
		name      string
		slo       SLO
		s         *Sample
		streaming bool
		want      bool
	}{
		{"all met at the limit", SLO{TTFT: 50 * ms, TPOT: 10 * ms, E2E: 60 * ms}, &s, true, true},
		{"ttft missed", SLO{TTFT: 50*ms - 1}, &s, true, false},
		{"tpot missed", SLO{TPOT: 10*ms - 1}, &s, true, false},
		{"e2e missed", SLO{E2E: 60*ms - 1}, &s, true, false},
		{"a one-token answer is not judged by tpot", SLO{TPOT: 1}, &short, true, true},
		{"a failure meets nothing", SLO{TTFT: 1000 * ms}, &failed, true, false},
		{"no ttft without streaming", SLO{TTFT: 1000 * ms}, &s, false, false},
		{"e2e without streaming", SLO{E2E: 60 * ms}, &s, false, true},
	} {
		if _, _, _, got := c.slo.Met(c.s, c.streaming); got != c.want {
			t.Errorf("%s: %t, want %t", c.name, got, c.want)
		}
	}
}
