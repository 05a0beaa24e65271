package measure

import "testing"

// steadySample is a reply of n tokens, one a chunk, 10 ms apart.
func steadySample(n int) *Sample {
	x := exchange(1000*ms, repeat(Chunk{TextBytes: 4, UsageTotal: -1}, n)...)
	x.Usage = Usage{Input: 256, Output: int32(n), Reasoning: -1, Cached: 0}
	x.KernelStamped, x.ReadDelayMaxNano = true, 20_000
	s := &Sample{Phase: 1, Intended: 1000*ms - 50_000, OutputTokensAsked: int32(n)}
	Derive(x, 0, s)
	return s
}

func benchSet() *Set {
	return NewSet(Config{
		Phases:        []PhaseInfo{{Name: "warmup", Warmup: true}, {Name: "load", Judged: true}},
		SLO:           SLO{TTFT: 500 * ms, TPOT: 50 * ms},
		TimeTolerance: 100 * ms, Streaming: true,
	})
}

func benchmarkFold(b *testing.B, tokens int) {
	s, set := steadySample(tokens), benchSet()
	set.Fold("agent", s)
	b.ReportAllocs()
	for b.Loop() {
		set.Fold("agent", s)
	}
}

func BenchmarkFold1(b *testing.B)  { benchmarkFold(b, 1) }
func BenchmarkFold64(b *testing.B) { benchmarkFold(b, 64) }

func benchmarkDerive(b *testing.B, output int32) {
	x := exchange(1000*ms, repeat(Chunk{TextBytes: 4, UsageTotal: -1}, 64)...)
	x.Usage.Output = output
	var s Sample
	Derive(x, 0, &s)
	b.ReportAllocs()
	for b.Loop() {
		Derive(x, 0, &s)
	}
}

func BenchmarkDerive64(b *testing.B)       { benchmarkDerive(b, 64) }
func BenchmarkDeriveSpread64(b *testing.B) { benchmarkDerive(b, 130) }

func BenchmarkMergeSets(b *testing.B) {
	from := benchSet()
	for i := range 1000 {
		s := steadySample(64)
		s.Sent += int64(i) * ms
		from.Fold("agent", s)
	}
	to := benchSet()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := to.Merge(from); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkThroughput(b *testing.B) {
	set := benchSet()
	for i := range 6000 {
		s := steadySample(8)
		s.Intended, s.Sent, s.FirstToken = s.Intended+int64(i)*10*ms, s.Sent+int64(i)*10*ms, s.FirstToken+int64(i)*10*ms
		s.LastToken, s.End = s.LastToken+int64(i)*10*ms, s.End+int64(i)*10*ms
		set.Fold("agent", s)
	}
	set.Window(1, 1000*ms, 61_000*ms)
	b.ReportAllocs()
	for b.Loop() {
		_ = set.Throughput(Measured)
	}
}
