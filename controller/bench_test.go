package controller

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/stampede-bench/stampede/controller/store"
	"github.com/stampede-bench/stampede/internal/wire"
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
	s, _, err := workload.Parse([]byte(endpoint + "load: {stages: [{rate: 1000, duration: 10h}]}"))
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

// BenchmarkFold takes a batch of 500 samples with 64 chunks each all the way:
// decode, dedup, journal, ledger and histograms.
func BenchmarkFold(b *testing.B) {
	r, sh, sess := benchRun(b)
	const size, chunks = 500, 64
	batch := &stampedev1.SampleBatch{Ref: sh.ref.Proto()}
	for i := range size {
		at := int64(i) * 1_000_000
		first, last, tokens := at+50_000_000, at+50_000_000+chunks*10_000_000, int32(chunks)
		s := &stampedev1.Sample{
			Attempt: 1, Outcome: stampedev1.Outcome_OUTCOME_SUCCEEDED, ScheduleOffsetNanos: &at, IntendedNanos: &at,
			SentNanos: &at, HeadersNanos: &first, FirstTokenNanos: &first, FirstOutputNanos: &first, LastTokenNanos: &last,
			EndNanos: &last, TokenSource: "usage", OutputTokenCount: &tokens, HttpStatus: 200, KernelStamped: true,
		}
		for range chunks {
			s.ChunkGapNanos = append(s.ChunkGapNanos, 10_000_000)
		}
		batch.Samples = append(batch.Samples, s)
	}
	b.ReportAllocs()
	next := int64(0)
	for b.Loop() {
		b.StopTimer()
		batch.BatchSequence = sh.folded + 1
		for _, s := range batch.Samples {
			s.Index, s.Session = next, next
			next++
		}
		raw, err := proto.Marshal(batch)
		if err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		var got stampedev1.SampleBatch
		if err := proto.Unmarshal(raw, &got); err != nil {
			b.Fatal(err)
		}
		r.onBatch(sess, sh.ref, &got)
	}
	if want := next; r.counts.sampleCount != want {
		b.Fatalf("folded %d samples of %d", r.counts.sampleCount, want)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(next), "ns/sample")
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
