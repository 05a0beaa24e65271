package interval

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// TestRanksOfIndependentValues are known from tables of distribution-free
// intervals.
func TestRanksOfIndependentValues(t *testing.T) {
	for _, tt := range []struct {
		q         float64
		n         float64
		low, high int64
		ok        bool
	}{
		{0.5, 10, 2, 9, true},
		{0.5, 20, 6, 15, true},
		{0.5, 100, 40, 61, true},
		{0.5, 5, 0, 0, false},
		{0.9, 100, 84, 96, true},
		{0.99, 300, 0, 0, false}, // even the greatest value lies below too often
		{0.99, 1000, 983, 997, true},
		{0.01, 1000, 4, 18, true},
	} {
		low, high, ok := enclosing(tt.q, tt.n, tt.n)
		if low != tt.low || high != tt.high || ok != tt.ok {
			t.Errorf("p%g of %g: ranks %d to %d, %v; want %d to %d, %v", 100*tt.q, tt.n, low, high, ok, tt.low, tt.high, tt.ok)
		}
	}
}

func TestRanksEncloseTheQuantileAndNarrow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		q := rapid.Float64Range(0.01, 0.99).Draw(t, "q")
		worth := rapid.Float64Range(1, 1e5).Draw(t, "worth")
		n := worth * rapid.Float64Range(1, 100).Draw(t, "times")
		low, high, ok := enclosing(q, worth, n)
		if !ok {
			return
		}
		at := int64(math.Ceil(q * n))
		if low < 1 || low > at || high < at || high > int64(n) {
			t.Fatalf("ranks %d to %d of %g do not enclose %d", low, high, n, at)
		}
		more, less, ok := enclosing(q, 4*worth, n)
		if !ok || less-more > high-low {
			t.Fatalf("ranks %d to %d with four times the worth, %d to %d before", more, less, low, high)
		}
	})
}

func TestStudentT(t *testing.T) {
	for degrees, want := range map[float64]float64{1: 12.706, 2: 4.303, 9: 2.262, 24: 2.064, math.Inf(1): 1.960} {
		if got := studentT(degrees); math.Abs(got-want) > 5e-4 {
			t.Errorf("%g degrees of freedom: %g, want %g", degrees, got, want)
		}
	}
}

// uniform is a run of n requests with one value each, in n blocks.
func uniform(n int, value func(i int) float64) Blocks {
	b := Blocks{Requests: int64(n), Weight: make([]float64, n), Sum: make([]float64, n), Median: make([]float64, n)}
	for i := range n {
		b.Weight[i], b.Sum[i] = 1, value(i)
	}
	return b
}

func TestAllAlike(t *testing.T) {
	b := uniform(5000, func(int) float64 { return 7 })
	copy(b.Median, b.Weight)
	f, ok := New(b)
	if !ok {
		t.Fatal("no intervals")
	}
	if low, high, ok := f.Mean(); !ok || low != 7 || high != 7 {
		t.Errorf("mean: %g to %g, %v", low, high, ok)
	}
	if low, high, ok := f.Ranks(0.99, b.Weight); !ok || low < 1 || high > 5000 {
		t.Errorf("p99: ranks %d to %d, %v", low, high, ok)
	}
}

// TestSlowDrift: when values drift all along, the run is worth next to nothing.
func TestSlowDrift(t *testing.T) {
	b := uniform(4000, func(i int) float64 { return float64(i) })
	for i := range 2000 {
		b.Median[i] = 1
	}
	if _, ok := New(b); ok {
		t.Error("there are intervals for a run that drifts all along")
	}
}

func TestNothing(t *testing.T) {
	if _, ok := New(Blocks{}); ok {
		t.Error("there are intervals of nothing")
	}
	if _, ok := New(uniform(minRequests-1, func(int) float64 { return 1 })); ok {
		t.Error("there are intervals of too few requests")
	}
}

func TestBetween(t *testing.T) {
	mean, low, high, ok := Between([]float64{10, 12, 14})
	if half := 4.3027 * 2 / math.Sqrt(3); !ok || mean != 12 || math.Abs(low-12+half) > 1e-3 || math.Abs(high-12-half) > 1e-3 {
		t.Errorf("%g in [%g, %g], %v", mean, low, high, ok)
	}
	if mean, _, _, ok := Between([]float64{7}); ok || mean != 7 {
		t.Errorf("one value: %g, %v", mean, ok)
	}
	if _, _, _, ok := Between(nil); ok {
		t.Error("no value has an interval")
	}
}
