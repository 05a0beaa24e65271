package controller

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/internal/firehose"
	"github.com/stampede-bench/stampede/internal/wire"
	"github.com/stampede-bench/stampede/measure"
	"github.com/stampede-bench/stampede/report"
)

// TestADayInConstantMemory folds a day's run of many requests, by a time line that
// lies behind, and reports it: memory is that of its bins and 4 bits a request,
// however long it is. STAMPEDE_DAY names other than 100,000 requests.
func TestADayInConstantMemory(t *testing.T) {
	requests := int64(100_000)
	if n, err := strconv.ParseInt(os.Getenv("STAMPEDE_DAY"), 10, 64); err == nil {
		requests = n
	}
	const day = 24 * time.Hour
	rate := float64(requests) / day.Seconds()
	b := beginByHand(t, t.TempDir(), "load: {stages: [{rate: "+strconv.FormatFloat(rate, 'g', -1, 64)+", arrival: constant, duration: 24h}]}", 1, checkpointBytes)
	defer b.end()
	b.r.anchor = b.r.anchor.Add(-day - time.Minute)
	p := b.r.phases[0]
	rng := rand.New(rand.NewPCG(1, 2))
	var s measure.Sample
	var sample []byte
	began := time.Now()
	for k := int64(0); k < p.Sessions; {
		encoded := wire.AppendBatch(nil, b.r.shards[0].ref, b.r.shards[0].folded+1)
		for end := min(k+500, p.Sessions); k < end; k++ {
			firehose.Reply(&s, rng, k, p.Offset(k), 1)
			sample = wire.AppendSample(sample[:0], &s)
			encoded = wire.AppendEncoded(encoded, sample)
		}
		b.take(0, encoded)
		if k%100_000 == 0 {
			b.turn()
		}
	}
	folded, peak := time.Since(began), memoryPeak()
	b.turn()
	if err := b.r.segment.Flush(); err != nil {
		t.Fatal(err)
	}
	began = time.Now()
	b.r.settleRest(false)
	b.r.ledger.Seal()
	b.r.windows(b.r.anchor.Add(day))
	in := b.r.input(b.r.anchor.Add(day))
	in.Intervals = b.r.intervals()
	rep, err := report.Build(in)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := rep.JSON()
	if err != nil {
		t.Fatal(err)
	}
	if rep.Accounting.Succeeded != p.Sessions || rep.Accounting.Planned != p.Sessions {
		t.Errorf("%+v, want %d", rep.Accounting, p.Sessions)
	}
	if n := len(rep.Series.T); n == 0 || n > 7200 {
		t.Errorf("the series has %d points", n)
	}
	books := len(b.r.ledger.AppendState(nil)) + len(b.r.set.AppendState(nil))
	t.Logf("%d requests: folded and journalled in %v (%d MiB of segment, checkpoint %d KiB), reported in %v (%d KiB, %d points); peak memory %d MiB after the fold, %d MiB in all; books %d KiB",
		p.Sessions, folded.Round(time.Millisecond), b.r.segment.Size()>>20, b.r.checkpoints.size>>10, time.Since(began).Round(time.Millisecond),
		len(raw)>>10, len(rep.Series.T), peak>>20, memoryPeak()>>20, books>>10)
	if peak := memoryPeak(); requests > 1_000_000 && peak > 256<<20 {
		t.Errorf("%d MiB were resident", peak>>20)
	}
}

// TestRestartServesAtOnce restarts a controller in the middle of a run: permits are
// renewed at once, and only samples behind the last checkpoint are read again.
// STAMPEDE_RESTART names other than 40,000 samples.
func TestRestartServesAtOnce(t *testing.T) {
	samples := int64(40_000)
	if n, err := strconv.ParseInt(os.Getenv("STAMPEDE_RESTART"), 10, 64); err == nil {
		samples = n
	}
	for name, every := range map[string]int64{"all samples": 1 << 40, "from a checkpoint": min(checkpointBytes, 1<<20)} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			b := beginByHand(t, dir, fmt.Sprintf("load: {stages: [{rate: 2000, arrival: constant, duration: %ds}]}", samples/2000+5), 1, every)
			defer b.end()
			b.feed(samples)
			after := copyFolder(t, dir)
			began := time.Now()
			c, l := openFolder(t, after, every)
			again := &byHand{t: t, c: c, r: c.run(b.r.id), logs: l}
			s := again.r.shards[0]
			if again.r.permits.renew(s.ref, s.member.id, nil, time.Now()).GetDispatchUntilOffsetNanos() == 0 {
				t.Error("nothing is permitted after the restart")
			}
			served := time.Since(began)
			again.do(func() {
				if got := again.r.ledger.Phase(0).Succeeded; got != samples {
					t.Errorf("%d samples are known, want %d", got, samples)
				}
			})
			t.Logf("%d samples, %d MiB of segment: permits after %v, caught up after %v", samples, b.r.segment.Size()>>20,
				served.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
			if from := strings.Contains(l.String(), "taken over from a checkpoint"); from != (name == "from a checkpoint") {
				t.Errorf("from a checkpoint: %v; %s", from, l)
			}
			again.end()
		})
	}
}

// feed tells the first shard's outcomes of so many requests and has them synced.
func (b *byHand) feed(samples int64) {
	b.r.anchor = b.r.anchor.Add(-time.Duration(samples) * time.Millisecond)
	b.r.save()
	rng := rand.New(rand.NewPCG(1, 2))
	var s measure.Sample
	var sample []byte
	for k := int64(0); k < samples; {
		encoded := wire.AppendBatch(nil, b.r.shards[0].ref, b.r.shards[0].folded+1)
		for end := min(k+500, samples); k < end; k++ {
			firehose.Reply(&s, rng, k, b.r.phases[0].Offset(k), 1)
			sample = wire.AppendSample(sample[:0], &s)
			encoded = wire.AppendEncoded(encoded, sample)
		}
		b.take(0, encoded)
		if k%20_000 == 0 {
			b.turn()
		}
	}
	if _, err := b.r.segment.Sync(); err != nil {
		b.t.Fatal(err)
	}
	b.turn()
}

// memoryPeak is the most memory this process had resident; 0 where that isn't told.
func memoryPeak() int64 {
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(data), "VmHWM:")
	n, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	kib, err := strconv.ParseInt(n, 10, 64)
	if err != nil {
		return 0
	}
	return kib << 10
}
