package controller

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/controller/store"
	"github.com/stampede-bench/stampede/internal/firehose"
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
	if err := r.compile(nil); err != nil {
		b.Fatal(err)
	}
	sh := r.hand(r.members[0], wire.Ref{RunID: r.id, Shard: schedule.Whole, Attempt: 1}, 0, []int64{0})
	if err := r.start(); err != nil {
		b.Fatal(err)
	}
	r.anchor = r.anchor.Add(-10 * time.Hour) // nothing may lie far ahead of now
	b.Cleanup(func() { _, _ = r.segment.close() })
	sess := newSession()
	sess.peer = &peer{id: "a"}
	return r, sh, sess
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
			firehose.Reply(&s, rng, next, next*1_000_000, tokens)
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
