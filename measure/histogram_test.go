package measure

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestQuantilesAreOfNearestRank holds them against sorted truth, within three
// digits.
func TestQuantilesAreOfNearestRank(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Int64Range(1_000, 3_600_000_000_000), 1, 300).Draw(t, "values")
		h := newHistogram(&nanoseconds, fullDigits)
		for _, v := range values {
			h.Record(v, 1)
		}
		slices.Sort(values)
		for _, q := range []float64{0.01, 0.1, 0.25, 0.5, 0.9, 0.99, 0.999, 1} {
			want := values[int(math.Ceil(q*float64(len(values))-1e-9))-1]
			got, _ := h.Quantile(q)
			if math.Abs(float64(got-want)) > float64(want)/1000+512 {
				t.Fatalf("p%g of %d values: %d, want %d", q*100, len(values), got, want)
			}
		}
	})
}

func TestMomentsAreExact(t *testing.T) {
	h := newHistogram(&nanoseconds, fullDigits)
	for _, v := range []int64{2_000, 4_000, 4_000, 4_000, 5_000, 5_000, 7_000, 9_000} {
		h.Record(v, 1)
	}
	d := h.Distribution()
	if d.Count != 8 || *d.Mean != 5e-6 || math.Abs(*d.Std-2e-6) > 1e-18 || *d.Min != 2e-6 || *d.Max != 9e-6 {
		t.Errorf("count %d mean %g std %g min %g max %g", d.Count, *d.Mean, *d.Std, *d.Min, *d.Max)
	}
}

func TestEmptyHasNoValues(t *testing.T) {
	d := newHistogram(&nanoseconds, fullDigits).Distribution()
	if d.Count != 0 || d.Mean != nil || d.P50 != nil || d.Max != nil {
		t.Errorf("%+v", d)
	}
}

func TestValuesOutOfRangeAreCounted(t *testing.T) {
	h := newHistogram(&nanoseconds, fullDigits)
	h.Record(48*3600*1e9, 2)
	h.Record(-1, 1)
	h.Record(5_000_000, 1)
	if h.Overflow() != 3 || h.Count() != 4 {
		t.Errorf("overflow %d of %d, want 3 of 4", h.Overflow(), h.Count())
	}
	if v, ok := h.Quantile(0.5); !ok || v < 4_990_000 || v > 5_010_000 {
		t.Errorf("p50 %d, %t", v, ok)
	}
}

func TestMergeTellsWhatItDrops(t *testing.T) {
	a, b := newHistogram(&nanoseconds, fullDigits), newHistogram(&tokens, fullDigits)
	b.Record(3, 1)
	if _, err := a.Merge(b); err == nil {
		t.Error("histograms of different bounds merged")
	}
}

// TestMergedIsPooled: whatever the split and the order, merging gives what
// pooling gives.
func TestMergedIsPooled(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Int64Range(0, 10_000_000_000), 1, 200).Draw(t, "values")
		pooled := newHistogram(&nanoseconds, fullDigits)
		parts := make([]*Histogram, 3)
		for i := range parts {
			parts[i] = newHistogram(&nanoseconds, fullDigits)
		}
		for _, v := range values {
			pooled.Record(v, 1)
			parts[rapid.IntRange(0, 2).Draw(t, "part")].Record(v, 1)
		}
		merged := newHistogram(&nanoseconds, fullDigits)
		for _, i := range rapid.Permutation([]int{0, 1, 2}).Draw(t, "order") {
			if _, err := merged.Merge(parts[i]); err != nil {
				t.Fatal(err)
			}
		}
		a, b := merged.Distribution(), pooled.Distribution()
		if a.Count != b.Count || *a.Min != *b.Min || *a.Max != *b.Max || *a.P50 != *b.P50 || *a.P99 != *b.P99 {
			t.Fatalf("merged %+v, pooled %+v", a, b)
		}
		if math.Abs(*a.Mean-*b.Mean) > 1e-12*math.Abs(*b.Mean) || math.Abs(*a.Std-*b.Std) > 1e-9*(*b.Std+1e-9) {
			t.Fatalf("mean %g std %g, pooled %g %g", *a.Mean, *a.Std, *b.Mean, *b.Std)
		}
	})
}

func BenchmarkHistogramRecord(b *testing.B) {
	b.ReportAllocs()
	h := newHistogram(&nanoseconds, fullDigits)
	for i := range b.N {
		h.Record(int64(i)*1000, 1)
	}
}

// BenchmarkHistogramMerge adds a histogram whose values spread over four decades to
// one that has them, as a report adds stages and agents.
func BenchmarkHistogramMerge(b *testing.B) {
	from, to := newHistogram(&nanoseconds, fullDigits), newHistogram(&nanoseconds, fullDigits)
	for v := int64(10_000); v < 100_000_000; v += v / 64 {
		from.Record(v, 3)
		to.Record(v+v/7, 2)
	}
	b.ReportAllocs()
	for b.Loop() {
		if dropped, err := to.Merge(from); dropped != 0 || err != nil {
			b.Fatal(dropped, err)
		}
	}
}
