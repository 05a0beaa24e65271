package controller

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/controller/store"
	"github.com/stampede-bench/stampede/internal/wire"
	"github.com/stampede-bench/stampede/measure"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/schedule"
	"github.com/stampede-bench/stampede/workload"
)

// benchRun is a run that has begun, with one shard, outside of its goroutine.
func benchRun(b *testing.B) (*run, *shard, *session) {
	b.Helper()
	c, err := New(Config{DataDir: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	s, _, err := workload.Parse([]byte(endpoint + "load: {stages: [{rate: 1000, arrival: constant, duration: 10h}]}"))
	if err != nil {
		b.Fatal(err)
	}
	test, _, err := c.store.InsertTest(store.Test{ID: "bench", Spec: s})
	if err != nil {
		b.Fatal(err)
	}
	row, _, err := c.store.BeginRun(test.ID, "", time.Now(), func(*store.Run) error { return nil })
	if err != nil {
		b.Fatal(err)
	}
	r := newRun(c, row, s)
	r.members = []*member{{id: "a", name: "a"}}
	if err := r.compile(); err != nil {
		b.Fatal(err)
	}
	sh := r.hand(r.members[0], wire.Ref{RunID: r.id, Shard: schedule.Whole, Attempt: 1}, 0, []int64{0})
	if err := r.start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = r.segment.close() })
	sess := newSession()
	sess.peer = &peer{id: "a"}
	return r, sh, sess
}

// reply is what an agent tells of a request to be sent at an instant: tokens that
// come about 10 ms apart.
func reply(s *measure.Sample, rng *rand.Rand, index, at int64, tokens int) {
	*s = measure.Sample{
		Index: index, Session: index, Attempt: 1, Status: measure.Succeeded, ScheduleOffset: at, Intended: at,
		Sent: at + 20_000 + rng.Int64N(50_000), InputTokens: 256, OutputTokens: int32(tokens), OutputTokensAsked: int32(tokens),
		ReasoningTokens: -1, CachedTokens: -1, TokenSource: measure.SourceUsage, FinishReason: "length",
		KernelStamped: true, ReadDelayMax: 10_000 + rng.Int64N(100_000), Reused: true, HTTPStatus: 200,
		ChunkOffsets: s.ChunkOffsets[:0],
	}
	offset := 45_000_000 + rng.Int64N(10_000_000)
	for range tokens {
		s.ChunkOffsets = append(s.ChunkOffsets, offset)
		offset += 8_000_000 + rng.Int64N(4_000_000)
	}
	s.FirstToken, s.LastToken = s.Sent+s.ChunkOffsets[0], s.Sent+s.ChunkOffsets[tokens-1]
	s.Headers, s.FirstOutput, s.End = s.FirstToken-1000, s.FirstToken, s.LastToken+50_000
}

// BenchmarkFold takes a batch of 500 samples all the way: decode, dedup, ledger,
// histograms, segment.
func BenchmarkFold(b *testing.B) {
	for _, tokens := range []int{1, 64} {
		b.Run(fmt.Sprint(tokens, " tokens"), func(b *testing.B) { benchFold(b, tokens) })
	}
}

func benchFold(b *testing.B, tokens int) {
	r, sh, sess := benchRun(b)
	const size = 500
	rng := rand.New(rand.NewPCG(1, 2))
	var s measure.Sample
	next, bytes := int64(0), 0
	var encoded, sample []byte
	b.ReportAllocs()
	for b.Loop() {
		b.StopTimer()
		encoded = wire.AppendBatch(encoded[:0], sh.ref, sh.folded+1)
		for range size {
			reply(&s, rng, next, next*1_000_000, tokens)
			sample = wire.AppendSample(sample[:0], &s)
			encoded = wire.AppendEncoded(encoded, sample)
			next++
		}
		bytes += len(encoded)
		b.StartTimer()
		batch, err := wire.ParseBatch(encoded)
		if err != nil {
			b.Fatal(err)
		}
		r.onBatch(sess, &batch)
	}
	if want := next; r.counts.sampleCount != want {
		b.Fatalf("folded %d samples of %d", r.counts.sampleCount, want)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(next), "ns/sample")
	b.ReportMetric(float64(bytes)/float64(next), "B/sample")
}

func BenchmarkRenewal(b *testing.B) {
	r, sh, _ := benchRun(b)
	progress := &stampedev1.ShardProgress{Ref: sh.ref.Proto(), NextSession: 100, SentCount: 100}
	b.ReportAllocs()
	for b.Loop() {
		if r.permits.renew(sh.ref, "a", progress, time.Now()) == nil {
			b.Fatal("no permit")
		}
	}
}
