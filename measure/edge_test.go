package measure

import (
	"math"
	"slices"
	"testing"
)

// TestArrivalsKeepTheirOrder: a stamp that lies before the one of earlier bytes is
// moved up to it.
func TestArrivalsKeepTheirOrder(t *testing.T) {
	x := exchange(1000*ms, repeat(text(1), 4)...)
	for i, at := range []int64{999, 1060, 1055, 1070} {
		x.Chunks[i].At = at * ms
	}
	x.End = 1069 * ms
	var s Sample
	Derive(x, 0, &s)
	if want := []int64{0, 60 * ms, 60 * ms, 70 * ms}; !slices.Equal(s.ChunkOffsets, want) {
		t.Errorf("offsets %v, want %v", s.ChunkOffsets, want)
	}
	if s.FirstToken != 1000*ms || s.LastToken != 1070*ms || s.End != 1070*ms {
		t.Errorf("first %d, last %d, end %d", s.FirstToken, s.LastToken, s.End)
	}
}

// TestUsageSettlesWhatChunksCountDifferently: its total stands; what it has beyond
// them is an end token when it is little, silent reasoning when usage says so.
func TestUsageSettlesWhatChunksCountDifferently(t *testing.T) {
	delta := func(total int32) Chunk { return Chunk{UsageTotal: total, TextBytes: 3} }
	for _, c := range []struct {
		name              string
		chunks            []Chunk
		output, reasoning int32
		source            string
		tokens            []int32
		tpot              int64 // 0 none
	}{
		{"an end token without text", []Chunk{delta(1), delta(2), delta(3)}, 4, -1, SourceUsageDelta, []int32{1, 1, 2}, 20 * ms / 3},
		{"deltas begin behind silent reasoning", []Chunk{delta(101), delta(102), delta(103)}, 103, 100, SourceUsageDelta, nil, 10 * ms},
		{"usage on the only chunk is its total", []Chunk{delta(5)}, 5, -1, SourceUsage, []int32{5}, 0},
		{"usage on the last chunk only", []Chunk{delta(-1), delta(-1), delta(4)}, 4, -1, SourceUsage, []int32{2, 1, 1}, 10 * ms},
		{"the same total everywhere", []Chunk{delta(4), delta(4)}, 4, -1, SourceUsage, []int32{2, 2}, 5 * ms},
		{"usage of no tokens is nonsense", []Chunk{delta(0), delta(0)}, 0, -1, SourceChunks, nil, 10 * ms},
	} {
		x := exchange(0, c.chunks...)
		x.Usage.Output, x.Usage.Reasoning = c.output, c.reasoning
		var s Sample
		Derive(x, 0, &s)
		if s.TokenSource != c.source || !slices.Equal(s.ChunkTokens, c.tokens) || s.OutputTokens != max(c.output, int32(len(c.chunks))) {
			t.Errorf("%s: %s %v of %d, want %s %v", c.name, s.TokenSource, s.ChunkTokens, s.OutputTokens, c.source, c.tokens)
		}
		if got, ok := s.TPOT(); ok != (c.tpot > 0) || got != c.tpot {
			t.Errorf("%s: tpot %d, %t; want %d", c.name, got, ok, c.tpot)
		}
	}
}

func TestSpreadGivesTheLargestRemainders(t *testing.T) {
	for _, c := range []struct {
		bytes  []int32
		output int32
		want   []int32
	}{
		{[]int32{1, 1, 1, 1}, 6, []int32{2, 2, 1, 1}},  // all tie: the earlier ones
		{[]int32{5, 3, 2}, 6, []int32{2, 2, 2}},        // excess 3: 1.5, 0.9, 0.6; the rest to .9 and .6
		{[]int32{10, 1, 1}, 15, []int32{11, 2, 2}},     // excess 12: exactly 10, 1, 1
		{[]int32{0, 0}, 5, []int32{3, 2}},              // no text at all counts alike
		{[]int32{1, 2, 4, 8}, 11, []int32{1, 2, 3, 5}}, // excess 7: .47, .93, 1.87, 3.73
	} {
		var chunks []Chunk
		for _, n := range c.bytes {
			chunks = append(chunks, text(n))
		}
		x := exchange(0, chunks...)
		x.Usage.Output = c.output
		var s Sample
		Derive(x, 0, &s)
		if !slices.Equal(s.ChunkTokens, c.want) {
			t.Errorf("%d tokens over %v: %v, want %v", c.output, c.bytes, s.ChunkTokens, c.want)
		}
	}
}

func TestDeriveAllocatesNothing(t *testing.T) {
	x := exchange(0, repeat(text(3), 64)...)
	x.Usage.Output = 100
	var s Sample
	Derive(x, 0, &s)
	if n := testing.AllocsPerRun(10, func() { Derive(x, 0, &s) }); n != 0 {
		t.Errorf("%g allocations", n)
	}
}

// TestAchievedCountsWhatLeftWithinTheWindow, though the window is told at the end.
func TestAchievedCountsWhatLeftWithinTheWindow(t *testing.T) {
	set := NewSet(Config{Phases: []PhaseInfo{{Name: "capped"}}, Streaming: true})
	for i := range int64(20) { // ten a second, each 300 ms late from the tenth on
		sent := i * 100
		if i >= 10 {
			sent += 300
		}
		set.Fold("a", golden(0, Succeeded, i*100, sent, 1, sent+50, sent+20))
	}
	set.Window(0, 0, 2000*ms)
	// Sent at 1300 … 2200: those at 2000, 2100 and 2200 left behind the window.
	if got := set.Throughput(0).AchievedRate; got == nil || *got != 8.5 {
		t.Errorf("achieved %s/s, want 17 in 2 s", show(got))
	}
}

// TestPeakMovesWithTheTokens: 10 tokens in each of the seconds 0 to 9, 100 in
// second 7.
func TestPeakMovesWithTheTokens(t *testing.T) {
	set := NewSet(Config{Phases: []PhaseInfo{{Name: "load"}}, Streaming: true})
	for second := range int64(10) {
		s := golden(0, Succeeded, second*1000, second*1000, 1, second*1000+500, second*1000+500)
		s.OutputTokens, s.ChunkTokens = 10, []int32{10}
		if second == 7 {
			s.OutputTokens, s.ChunkTokens = 100, []int32{100}
		}
		set.Fold("a", s)
	}
	if got := set.Throughput(Measured).PeakOutputThroughput; got == nil || *got != 28 {
		t.Errorf("peak %s/s, want 140 in 5 s", show(got))
	}
}

// TestTokensWithoutDetailLieBetweenFirstAndLast, so that none is missing from the
// steady rate.
func TestTokensWithoutDetailLieBetweenFirstAndLast(t *testing.T) {
	set := NewSet(Config{Phases: []PhaseInfo{{Name: "load"}}, Streaming: true})
	s := golden(0, Succeeded, 0, 0, 1, 2000, 1000, 2000)
	s.ChunkOffsets, s.DetailShed, s.OutputTokens = nil, true, 1000
	set.Fold("a", s)
	set.Window(0, 0, 1500*ms)
	if got := set.Throughput(0).SteadyOutputThroughput; got == nil || *got < 325 || *got > 340 {
		t.Errorf("%s tokens/s, want half of 1000 in 1.5 s", show(got))
	}
	series := set.Series()
	if sum := series[1].OutputTokens + series[2].OutputTokens; sum != 1000 {
		t.Errorf("%d tokens in the series, want 1000", sum)
	}
	if d := set.Distribution(0, TPOT); d.Count != 0 {
		t.Error("a tpot without chunks is a guess")
	}
}

// TestSilentReasoningCountsAtTheFirstToken in rates by arrival.
func TestSilentReasoningCountsAtTheFirstToken(t *testing.T) {
	set := NewSet(Config{Phases: []PhaseInfo{{Name: "load"}}, Streaming: true})
	s := golden(0, Succeeded, 0, 0, 1, 3000, 1000, 2000)
	s.OutputTokens, s.ReasoningTokens = 102, 100
	set.Fold("a", s)
	set.Window(0, 0, 4000*ms)
	if got := set.Throughput(0).SteadyOutputThroughput; got == nil || *got != 25.5 {
		t.Errorf("%s tokens/s, want 102 in 4 s", show(got))
	}
}

func TestWhatLiesOutsideTheTimeLineIsCounted(t *testing.T) {
	set := NewSet(Config{Phases: []PhaseInfo{{Name: "load"}}, Streaming: true})
	set.Fold("a", golden(0, Succeeded, 0, 0, 1, 2000, 1000, 2000))
	s := golden(0, Succeeded, 0, 0, 1, 2000, 1000, 2000)
	s.End = 1 << 60
	set.Fold("a", s)
	if set.Overflow() != 1 || set.Throughput(0).OutputTokens != 2 {
		t.Errorf("overflow %d, %d tokens", set.Overflow(), set.Throughput(0).OutputTokens)
	}
}

// TestLiveTokensAreThoseOfTheLastFullSecond, by the end of their request.
func TestLiveTokensAreThoseOfTheLastFullSecond(t *testing.T) {
	set := NewSet(Config{Phases: []PhaseInfo{{Name: "warmup", Warmup: true}, {Name: "load"}}, Streaming: true})
	set.Fold("a", golden(0, Succeeded, 0, 0, 1, 900, 100, 900))
	if got := set.Live(1_500 * ms); got != (Live{OutputTokens: 2}) {
		t.Errorf("%+v, want the tokens of the warmup", got)
	}
	for second := range int64(20) {
		for range second {
			at := 1000*second + 500
			set.Fold("a", golden(1, Succeeded, 0, 10, 1, at, at-100, at))
		}
	}
	for _, c := range []struct{ now, want int64 }{
		{20_300, 36}, // second 19 may still be on its way
		{20_500, 38},
		{25_000, 0},
	} {
		if got := set.Live(c.now * ms); got.OutputTokens != c.want || got.Sent != 190 || got.Done != 190 {
			t.Errorf("at %d ms: %+v, want %d tokens", c.now, got, c.want)
		}
	}
	if l := set.Live(20_000 * ms); l.TTFTP99 < 19_300*ms || l.TTFTP50 <= 0 {
		t.Errorf("%+v", l)
	}
}

// TestWithoutStreamingThereIsNoFirstToken: ttft, tpot, itl and their kin are null.
func TestWithoutStreamingThereIsNoFirstToken(t *testing.T) {
	set := NewSet(Config{Phases: []PhaseInfo{{Name: "load"}}})
	s := golden(0, Succeeded, 0, 10, 5, 500, 500)
	s.OutputTokens, s.ChunkTokens = 64, []int32{64}
	set.Fold("a", s)
	for _, f := range []Figure{TTFT, TTFO, TTST, TPOT, ITL, ICL, TTFTFromSchedule, TokensPerSecond} {
		if d := set.Distribution(Measured, f); d.Count != 0 {
			t.Errorf("%s: %d values", f, d.Count)
		}
	}
	for _, f := range []Figure{E2E, NTPOT, E2EFromSchedule, Lateness, StampUncertainty, ReadDelay} {
		if d := set.Distribution(Measured, f); d.Count != 1 {
			t.Errorf("%s: %d values, want 1", f, d.Count)
		}
	}
}

// TestClosedLoopHasNoSchedule to wait from.
func TestClosedLoopHasNoSchedule(t *testing.T) {
	set := NewSet(Config{Phases: []PhaseInfo{{Name: "load", Closed: true}}, Streaming: true})
	set.Fold("a", golden(0, Succeeded, 0, 10, 5, 500, 300, 500))
	for f, want := range map[Figure]int64{TTFTFromSchedule: 0, E2EFromSchedule: 0, TTFT: 1, Lateness: 1} {
		if d := set.Distribution(Measured, f); d.Count != want {
			t.Errorf("%s: %d values, want %d", f, d.Count, want)
		}
	}
}

// TestStampUncertaintyIsPooledOverChunks: those that shared a read count with the
// widest interval of their request, all others with 0.
func TestStampUncertaintyIsPooledOverChunks(t *testing.T) {
	set := NewSet(Config{Phases: []PhaseInfo{{Name: "load"}}, Streaming: true})
	s := golden(0, Succeeded, 0, 10, 5, 500, 300, 400, 400, 500)
	s.CoalescedChunks, s.StampUncertainty = 2, 3*ms
	set.Fold("a", s)
	d := set.Distribution(Measured, StampUncertainty)
	if d.Count != 4 || *d.Mean != 1.5e-3 || *d.P50 != 0 || *d.P75 < 2.99e-3 || *d.Max != 3e-3 {
		t.Errorf("count %d mean %s p50 %s p75 %s max %s", d.Count, show(d.Mean), show(d.P50), show(d.P75), show(d.Max))
	}
}

// TestPeakOfAStageIsItsOwn: what arrives in the next one is the next one's, whether
// that waits for the first or not.
func TestPeakOfAStageIsItsOwn(t *testing.T) {
	for _, drained := range []int64{0, 500} {
		set := NewSet(Config{Phases: []PhaseInfo{{Name: "quiet"}, {Name: "busy"}}, Streaming: true})
		for i := range int64(40) { // 10 tokens/s for 4 s; each arrives 700 ms after its request
			set.Fold("a", golden(0, Succeeded, i*100, i*100, 1, i*100+700, i*100+700))
		}
		for i := range int64(400) { // 100 tokens/s, at once
			sent := 4000 + drained*2 + i*10
			set.Fold("a", golden(1, Succeeded, sent, sent, 1, sent+1, sent+1))
		}
		set.Window(0, 0, 4000*ms)
		set.Window(1, (4000+2*drained)*ms, (8000+2*drained)*ms)
		quiet, busy := set.Throughput(0).PeakOutputThroughput, set.Throughput(1).PeakOutputThroughput
		if quiet == nil || *quiet > 10.5 || *quiet < 8 || busy == nil || *busy < 99 || *busy > 104 {
			t.Errorf("%d ms between them: peaks %s and %s tokens/s, want 8 to 10 and 100", 2*drained, show(quiet), show(busy))
		}
	}
}

// TestInputThatNobodyCountedIsNull and not 0, and so is what adds it to the output.
func TestInputThatNobodyCountedIsNull(t *testing.T) {
	for _, input := range []int32{-1, 0, 7} {
		set := NewSet(Config{Phases: []PhaseInfo{{Name: "load"}}, Streaming: true})
		set.Fold("a", golden(0, Succeeded, 0, 0, input, 1000, 500, 1000))
		set.Window(0, 0, 2000*ms)
		got := set.Throughput(Measured)
		for name, v := range map[string]*float64{
			"input": got.InputThroughput, "total": got.TotalTokenThroughput, "steady input": got.SteadyInputThroughput, "steady total": got.SteadyTotalTokenThroughput,
		} {
			if (v != nil) != (input >= 0) {
				t.Errorf("%d input tokens: %s is %s", input, name, show(v))
			}
		}
		if got.OutputThroughput == nil || *got.OutputThroughput != 2 || got.SteadyOutputThroughput == nil {
			t.Errorf("%d input tokens: output %s", input, show(got.OutputThroughput))
		}
	}
}

// TestWhatEndpointsDoIsNoOverflow, which would be the generator's fault: a long reply
// that comes within microseconds, more cached tokens than went in, a mad usage.
func TestWhatEndpointsDoIsNoOverflow(t *testing.T) {
	set := NewSet(Config{Phases: []PhaseInfo{{Name: "load"}}, Streaming: true})
	s := golden(0, Succeeded, 0, 0, 10, 1000, 500, 500)
	s.ChunkOffsets[1] += 2_000 // ns
	s.LastToken += 2_000
	s.OutputTokens, s.ChunkTokens, s.CachedTokens = 100_000, []int32{1, 99_999}, 25
	set.Fold("a", s)
	mad := golden(0, Succeeded, 0, 0, math.MaxInt32, 1000, 500, 600)
	mad.OutputTokens, mad.ReasoningTokens, mad.CachedTokens = math.MaxInt32, math.MaxInt32, math.MaxInt32
	set.Fold("a", mad)
	if n := set.Overflow(); n != 0 {
		t.Errorf("%d values overflow", n)
	}
	speed, cached := set.Distribution(0, TokensPerSecond), set.Distribution(0, CacheHitRate)
	if *speed.Max != 99_999/2e-6 || *cached.Max != 2.5 {
		t.Errorf("%s tokens/s, want 5e10; %s cached, want 2.5", show(speed.Max), show(cached.Max))
	}
}
