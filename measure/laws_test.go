package measure

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// anySample draws a request as agents send them, within the first 20 s.
func anySample(t *rapid.T, index int64) (string, *Sample) {
	x := Exchange{}
	x.Reset()
	x.Sent = rapid.Int64Range(0, 20_000*ms).Draw(t, "sent")
	x.Status = rapid.SampledFrom([]Status{Succeeded, Succeeded, Succeeded, Failed, TimedOut, Cancelled}).Draw(t, "status")
	at := x.Sent
	for range rapid.IntRange(1, 8).Draw(t, "chunks") {
		at += rapid.Int64Range(0, 500*ms).Draw(t, "gap")
		x.Chunks = append(x.Chunks, Chunk{At: at, TextBytes: rapid.Int32Range(0, 9).Draw(t, "bytes"), UsageTotal: -1})
	}
	x.End = at + rapid.Int64Range(0, 10*ms).Draw(t, "rest")
	x.Usage = Usage{Input: rapid.Int32Range(-1, 500).Draw(t, "input"), Output: rapid.Int32Range(-1, 40).Draw(t, "output"), Reasoning: -1, Cached: 3}
	if x.Status != Succeeded {
		x.ErrorKind = rapid.SampledFrom([]string{"reset", "truncated"}).Draw(t, "kind")
		x.ErrorMessage = fmt.Sprint("request ", index)
	}
	x.KernelStamped, x.CoalescedChunks, x.StampUncertaintyNano = true, int32(index%3), index%3*ms
	s := &Sample{Index: index, Phase: int32(1 + index%8/7), OutputTokensAsked: 7}
	s.Intended = x.Sent - rapid.Int64Range(0, 200*ms).Draw(t, "lateness")
	Derive(&x, 0, s)
	return rapid.SampledFrom([]string{"a", "b"}).Draw(t, "agent"), s
}

func lawConfig() Config {
	return Config{
		Phases:        []PhaseInfo{{Warmup: true}, {Name: "one"}, {Name: "two", Closed: true}},
		SLO:           SLO{TTFT: 200 * ms, TPOT: 100 * ms},
		TimeTolerance: 100 * ms, Streaming: true,
	}
}

// TestMergedSetsEqualThePooledOne: however the requests are split over sets, and
// in whatever order these are merged.
func TestMergedSetsEqualThePooledOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pooled, merged := NewSet(lawConfig()), NewSet(lawConfig())
		parts := []*Set{NewSet(lawConfig()), NewSet(lawConfig())}
		for i := range int64(rapid.IntRange(0, 16).Draw(t, "n")) {
			agent, s := anySample(t, i)
			pooled.Fold(agent, s)
			parts[rapid.IntRange(0, 1).Draw(t, "part")].Fold(agent, s)
		}
		for _, i := range rapid.Permutation([]int{0, 1}).Draw(t, "order") {
			if dropped, err := merged.Merge(parts[i]); dropped != 0 || err != nil {
				t.Fatalf("dropped %d: %v", dropped, err)
			}
		}
		for _, set := range []*Set{pooled, merged} {
			set.Window(1, 0, 12_345*ms+678)
			set.Window(2, 12_345*ms+678, 20_000*ms)
		}
		for _, f := range Figures() {
			sameDistribution(t, f, merged.Distribution(Measured, f), pooled.Distribution(Measured, f))
		}
		for _, sc := range []Scope{Measured, 1, 2} {
			same(t, "throughput", merged.Throughput(sc), pooled.Throughput(sc))
			same(t, "judged", merged.Judged(sc), pooled.Judged(sc))
		}
		same(t, "series", merged.Series(), pooled.Series())
		same(t, "errors", merged.Errors(), pooled.Errors())
		same(t, "live", merged.Live(21e9), pooled.Live(21e9))
		if a, b := merged.Agent("a"), pooled.Agent("a"); b.Lateness != nil {
			sameDistribution(t, Lateness, a.Lateness, b.Lateness)
			same(t, "agent a", a.Requests, b.Requests)
		}
		same(t, "counts", []int64{merged.Overflow(), merged.Coalesced(), merged.DetailShed()}, []int64{pooled.Overflow(), pooled.Coalesced(), pooled.DetailShed()})
	})
}

func same(t *rapid.T, what string, got, want any) {
	g, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	w, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if string(g) != string(w) {
		t.Fatalf("%s: merged\n%s, pooled\n%s", what, g, w)
	}
}

// sameDistribution compares all but the last bits of mean and std, which depend on
// the order of additions.
func sameDistribution(t *rapid.T, f Figure, got, want *Distribution) {
	if got.Count > 0 {
		if math.Abs(*got.Mean-*want.Mean) > 1e-12*math.Abs(*want.Mean) || math.Abs(*got.Std-*want.Std) > 1e-9*(*want.Mean+*want.Std) {
			t.Fatalf("%s: mean %g, std %g; pooled %g, %g", f, *got.Mean, *got.Std, *want.Mean, *want.Std)
		}
		got.Mean, got.Std = want.Mean, want.Std
	}
	same(t, string(f), got, want)
}

func TestSetsOfDifferentConfigsDoNotMerge(t *testing.T) {
	other := lawConfig()
	other.SLO.E2E = 1
	if _, err := NewSet(lawConfig()).Merge(NewSet(other)); err == nil {
		t.Error("they merged")
	}
}

// TestPercentilesOfASetAreThoseOfItsRows: to three digits.
func TestPercentilesOfASetAreThoseOfItsRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		set := NewSet(lawConfig())
		var ttft, itl []int64
		for i := range int64(rapid.IntRange(1, 25).Draw(t, "n")) {
			agent, s := anySample(t, i)
			set.Fold(agent, s)
			if s.Status != Succeeded {
				continue
			}
			v, _ := s.TTFT()
			ttft = append(ttft, v)
			for gap, times := range s.ITL() {
				itl = append(itl, slices.Repeat([]int64{gap}, int(times))...)
			}
		}
		for f, rows := range map[Figure][]int64{TTFT: ttft, ITL: itl} {
			slices.Sort(rows)
			h := set.Histogram(Measured, f)
			if h.Count() != int64(len(rows)) {
				t.Fatalf("%s: %d values, %d in rows", f, h.Count(), len(rows))
			}
			for _, q := range []int{1, 50, 99} {
				if len(rows) == 0 {
					continue
				}
				want := rows[(len(rows)*q+99)/100-1]
				if got, _ := h.Quantile(float64(q) / 100); math.Abs(float64(got-want)) > float64(want)/1000+512 {
					t.Fatalf("%s: p%d %d, rows have %d", f, q, got, want)
				}
			}
		}
	})
}

// TestGapsAddUp: whatever the evidence for tokens, the gaps between them are the
// time from the first to the last, and no gap is negative.
func TestGapsAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := Exchange{}
		x.Reset()
		x.Sent, x.Status = rapid.Int64Range(0, 1e12).Draw(t, "sent"), Succeeded
		total := int32(0)
		for range rapid.IntRange(1, 30).Draw(t, "chunks") {
			total += rapid.Int32Range(0, 5).Draw(t, "tokens")
			x.Chunks = append(x.Chunks, Chunk{ // stamps as they come, now and then out of order
				At:         x.Sent + rapid.Int64Range(-5*ms, 1000*ms).Draw(t, "at"),
				Kind:       rapid.SampledFrom([]ChunkKind{Content, Reasoning, ToolCall}).Draw(t, "kind"),
				UsageTotal: rapid.SampledFrom([]int32{-1, total, total, total}).Draw(t, "usage"),
				Tokens:     rapid.Int32Range(0, 3).Draw(t, "logprobs"),
				TextBytes:  rapid.Int32Range(0, 20).Draw(t, "bytes"),
			})
		}
		x.End = x.Chunks[len(x.Chunks)-1].At
		x.Usage.Output = rapid.SampledFrom([]int32{-1, 0, total, total + 1, 200}).Draw(t, "output")
		x.Usage.Reasoning = rapid.SampledFrom([]int32{-1, 0, 1, 100}).Draw(t, "reasoning")
		var s Sample
		Derive(&x, 0, &s)
		sum, tokens := int64(0), int64(s.chunkTokens(0))
		for gap, times := range s.ITL() {
			if gap < 0 || times < 1 {
				t.Fatalf("%d gaps of %d", times, gap)
			}
			sum, tokens = sum+gap*times, tokens+times
		}
		if sum != s.LastToken-s.FirstToken || tokens != streamed(&s) {
			t.Fatalf("%d tokens with gaps of %d, want %d and %d", tokens, sum, streamed(&s), s.LastToken-s.FirstToken)
		}
		if s.OutputTokens < 1 || s.FirstToken < s.Sent || s.End < s.LastToken {
			t.Fatalf("%+v", s)
		}
	})
}

// TestPeakIsTheBestWindow holds the sums against counting by hand.
func TestPeakIsTheBestWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		line := newTimeline()
		at := rapid.SliceOfN(rapid.Int64Range(0, 1999), 1, 40).Draw(t, "tokens") // in bins
		for _, b := range at {
			line.at(b*binNanos).tokens++
		}
		first, last := slices.Min(at)*binNanos, slices.Max(at)*binNanos
		window := rapid.Int64Range(1, 100).Draw(t, "window") * 100 * ms
		want := 0
		begins := []int64{first, last + binNanos - window}
		for begin := int64(0); begin <= last+binNanos-window; begin += 100 * ms {
			begins = append(begins, begin)
		}
		for _, begin := range begins {
			n := 0
			for _, b := range at {
				if b*binNanos >= begin && b*binNanos < begin+window {
					n++
				}
			}
			want = max(want, n)
		}
		if last-first <= window {
			want = len(at)
		}
		for _, b := range rapid.SliceOfN(rapid.Int64Range(0, 1999), 0, 20).Draw(t, "before and after") {
			if at := b * binNanos; at < first || at > last {
				line.at(at).tokens++
			}
		}
		if got := line.peak(first, last, window); got != float64(want) {
			t.Fatalf("peak %g, want %d", got, want)
		}
	})
}

// TestJoinedBinsKeepTheirSums: a run that outgrows its bins loses resolution, no
// count.
func TestJoinedBinsKeepTheirSums(t *testing.T) {
	line, sends, points := newTimeline(), newLane(), newSeries()
	const hours = 5
	for i := range int64(hours * 3600) {
		line.at(i * 1000 * ms).tokens += 2
		line.edge(i*1000*ms).flight++
		line.edge(i*1000*ms+400*ms).flight--
		sends.add(i*1000*ms, 1)
		points.at(i*1000*ms).sent++
	}
	end := int64(hours * 3600 * 1000 * ms)
	if tokens, _, _ := line.span(0, end); tokens != 2*hours*3600 {
		t.Errorf("%g tokens", tokens)
	}
	if got := sends.until(end / 2); math.Abs(got-hours*1800) > 1 {
		t.Errorf("%g sent in the first half", got)
	}
	if len(line.bins) > maxBins || len(sends.bins) > maxLane || len(points.points) > maxPoints {
		t.Errorf("%d bins, %d in the lane, %d points", len(line.bins), len(sends.bins), len(points.points))
	}
	if peak := line.flightPeak(0, end); peak != 1 {
		t.Errorf("%d in flight at most, want 1", peak)
	}
	sum := int64(0)
	for i := range points.points {
		sum += points.points[i].sent
	}
	if sum != hours*3600 {
		t.Errorf("%d in the series", sum)
	}
}

// TestJoinedBinsKeepTheirPlace, in whatever order instants come: each is counted in
// the bin that holds it, and in flight from the first that begins at or after it.
func TestJoinedBinsKeepTheirPlace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		line := newTimeline()
		at := rapid.SliceOfN(rapid.Int64Range(0, 3*maxBins*binNanos), 1, 12).Draw(t, "at")
		for _, nanos := range at {
			line.at(nanos).tokens++
			line.edge(nanos).flight++
		}
		parts := []timeline{newTimeline(), newTimeline()}
		for _, nanos := range at {
			part := &parts[rapid.IntRange(0, 1).Draw(t, "part")]
			part.at(nanos).tokens++
			part.edge(nanos).flight++
		}
		parts[0].merge(&parts[1])
		want := timeline{width: line.width}
		for _, nanos := range at {
			want.bin(nanos/line.width).tokens++
			want.bin((nanos+line.width-1)/line.width).flight++
		}
		for i := range max(len(line.bins), len(want.bins)) {
			got, merged, want := *line.bin(int64(i)), *parts[0].bin(int64(i)), *want.bin(int64(i))
			if got != want || merged != want || parts[0].width != line.width {
				t.Fatalf("bin %d of %d ns: %+v, merged %+v, want %+v", i, line.width, got, merged, want)
			}
		}
	})
}
