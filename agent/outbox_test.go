package agent

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/stampede-bench/stampede/internal/wire"
	"github.com/stampede-bench/stampede/measure"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
)

// The outbox against a model: per shard, what was put and not acknowledged is
// what is sent after a break, in order, each once, and bytes add up.
func TestOutboxModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := &outbox{limit: 1 << 20, memory: rapid.SampledFrom([]int64{0, 1, 2000}).Draw(t, "memory"), lost: func(err error) { t.Error(err) }}
		defer o.close()
		refs := []wire.Ref{ref("a", 0, 2), ref("a", 1, 2), ref("b", 0, 1)}
		put, sent, acked := map[wire.Ref]int64{}, map[wire.Ref]int64{}, map[wire.Ref]int64{}
		const maxInFlight = 500
		t.Repeat(map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				r := rapid.SampledFrom(refs).Draw(t, "ref")
				put[r]++
				o.put(r, put[r], batchOf(r, put[r], rapid.IntRange(0, 60).Draw(t, "samples")))
			},
			"send": func(t *rapid.T) {
				_, before := o.held()
				encoded := o.next(maxInFlight)
				if encoded == nil {
					return
				}
				batch, err := wire.ParseBatch(encoded)
				if err != nil {
					t.Fatal(err)
				}
				r := batch.Ref
				if sent[r]++; batch.Sequence != sent[r] {
					t.Fatalf("%v: batch %d was sent, want %d", r, batch.Sequence, sent[r])
				}
				if _, after := o.held(); after != before {
					t.Fatal("sending changed what is held")
				}
				if o.flying > maxInFlight && len(o.inFlight) > 1 {
					t.Fatalf("%d bytes are in flight", o.flying)
				}
			},
			"ack": func(t *rapid.T) {
				r := rapid.SampledFrom(refs).Draw(t, "ref")
				acked[r] = rapid.Int64Range(acked[r], sent[r]).Draw(t, "up to")
				o.ack(r, acked[r])
			},
			"break": func(*rapid.T) {
				o.again()
				for _, r := range refs {
					sent[r] = acked[r]
				}
			},
			"forget": func(*rapid.T) {
				o.drop("b")
				acked[refs[2]], sent[refs[2]] = put[refs[2]], put[refs[2]]
			},
			"": func(t *rapid.T) {
				want := int64(0)
				for _, r := range refs {
					want += put[r] - acked[r]
				}
				n, bytes := o.held()
				sum := int64(0)
				for _, p := range slices.Concat(o.inFlight, o.waiting) {
					if p.batch == nil {
						sum += p.size // in the file
						continue
					}
					sum += int64(len(p.batch))
				}
				if int64(n) != want || bytes != sum {
					t.Fatalf("%d batches of %d bytes, want %d of %d", n, bytes, want, sum)
				}
				if o.waits(refs[0]) != (put[refs[0]] > sent[refs[0]]) {
					t.Fatal("waits is wrong")
				}
			},
		})
	})
}

// batchOf is an encoded batch of samples that differ in their index.
func batchOf(r wire.Ref, sequence int64, samples int) []byte {
	batch := wire.AppendBatch(nil, r, sequence)
	for i := range int64(samples) {
		batch = wire.AppendEncoded(batch, wire.AppendSample(nil, &measure.Sample{Index: sequence<<20 + i, Status: measure.Succeeded}))
	}
	return batch
}

// Without acknowledgements memory stays bounded: detail goes, outcomes stay.
func TestFullOutboxShedsDetailOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.close()
		b.d.chunks = 2000
		b.c.ack = func(*stampedev1.SampleBatch) bool { return false }
		const limit = 64 << 10
		a, end := b.agent(func(c *Config) { c.OutboxBytes, c.SpillBytes = limit/2, limit/2; c.LeaveTimeout = time.Second })
		b.start(`
endpoint: {url: "http://target/v1", model: m}
load: {stages: [{rate: 200, arrival: constant, duration: 1s}]}`, ref("run", 0, 1))
		b.release("run", 0, 0, 0)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if _, bytes := a.outbox.held(); bytes > limit+200*200 {
			t.Errorf("the outbox holds %d bytes, its bound is %d and an outcome each", bytes, limit)
		}
		b.c.mu.Lock()
		b.c.ack = nil
		b.c.cut()
		b.c.mu.Unlock()
		b.until(done, 1, time.Minute)
		samples := b.c.samples(t)
		shed := int64(0)
		for _, s := range samples {
			if s.DetailShed {
				shed++
			}
			if s.DetailShed != (len(s.ChunkOffsets) == 0) || s.OutputTokens < 1 {
				t.Errorf("sample %d: shed %t, %d chunks, %d tokens", s.Index, s.DetailShed, len(s.ChunkOffsets), s.OutputTokens)
			}
		}
		counted := int64(0)
		for _, m := range b.c.batches {
			counted += m.GetDetailShedCount()
		}
		audit := b.c.told(done)[0].GetSelfAudit()
		if len(samples) != 200 || shed == 0 || shed == 200 || audit.GetDetailShedCount() != shed || counted < shed {
			t.Errorf("%d samples, %d shed, audit says %d, batches say %d", len(samples), shed, audit.GetDetailShedCount(), counted)
		}
		if err := end(); err != nil {
			t.Error(err)
		}
	})
}

// An answer of very many chunks fits into a message all the same.
// TestBatchesThatAreFullLoseNothing: a sample that does not fit into the batch there
// is goes whole into the next, whatever its size.
func TestBatchesThatAreFullLoseNothing(t *testing.T) {
	for _, chunks := range []int{10_000, 100_000, 300_000} { // about a fifth of a batch, and more than one
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t)
			defer b.close()
			b.d.chunks = chunks
			_, end := b.agent()
			b.start(`
endpoint: {url: "http://target/v1", model: m}
load: {stages: [{concurrency: 8, requests: 24}]}`, ref("run", 0, 1))
			b.release("run", 0, 0, 0)
			b.until(done, 1, time.Minute)
			seen := map[int64]bool{}
			for _, s := range b.c.samples(t) {
				if seen[s.Index] = true; s.Status != measure.Succeeded || len(s.ChunkOffsets) != chunks || s.OutputTokens != int32(chunks) {
					t.Errorf("entry %d: status %d, %d chunks of %d", s.Index, s.Status, len(s.ChunkOffsets), chunks)
				}
			}
			if len(seen) != 24 {
				t.Errorf("%d of 24 entries have a sample", len(seen))
			}
			if err := end(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestLongAnswerStaysBelowTheMessageLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.close()
		b.d.chunks = 2_000_000
		_, end := b.agent()
		b.start(`
endpoint: {url: "http://target/v1", model: m}
load: {stages: [{concurrency: 1, requests: 1}]}`, ref("run", 0, 1))
		b.release("run", 0, 0, 0)
		b.until(done, 1, time.Minute)
		if s := b.c.samples(t); len(s) != 1 || !s[0].DetailShed || s[0].OutputTokens != 2_000_000 {
			t.Errorf("%d samples", len(s))
		}
		if err := end(); err != nil {
			t.Error(err)
		}
	})
}
