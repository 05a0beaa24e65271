package clock_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/stampede-bench/stampede/internal/clock"
)

const (
	ms     = int64(1_000_000)
	second = 1000 * ms
	epoch  = 1_800_000_000 * second
)

// exchange builds the four readings for clocks that are apart by offset, with
// the given times on the way.
func exchange(at, offset, out, held, back int64) clock.Exchange {
	return clock.Exchange{
		T0: at,
		T1: at + out - offset,
		T2: at + out + held - offset,
		T3: at + out + held + back,
	}
}

func TestEstimator(t *testing.T) {
	tests := []struct {
		name          string
		exchanges     []clock.Exchange
		offset, bound int64
		steps         int64
	}{
		{
			name:      "equal ways give the exact offset",
			exchanges: []clock.Exchange{exchange(epoch, 5*ms, ms, 0, ms)},
			offset:    5 * ms, bound: ms + 200,
		},
		{
			name:      "time held by the answering host is no round trip",
			exchanges: []clock.Exchange{exchange(epoch, -5*ms, ms, 300*ms, ms)},
			offset:    -5 * ms, bound: ms + 30_200,
		},
		{
			name:      "a wholly asymmetric way errs by its bound",
			exchanges: []clock.Exchange{exchange(epoch, 0, 0, 0, 4*ms)},
			offset:    2 * ms, bound: 2*ms + 400,
		},
		{
			name: "the smallest round trip wins",
			exchanges: []clock.Exchange{
				exchange(epoch, ms, 9*ms, 0, ms), exchange(epoch+20*ms, ms, ms/2, 0, ms/2),
			},
			offset: ms, bound: ms/2 + 100,
		},
		{
			name: "an old estimate widens by the drift that is possible",
			exchanges: []clock.Exchange{
				exchange(epoch, 0, ms, 0, ms), exchange(epoch+10*second, 0, 50*ms, 0, 50*ms),
			},
			offset: 0, bound: ms + 200 + (10*second+98*ms)/10_000,
		},
		{
			name: "a newer one takes over when the old one is wider",
			exchanges: []clock.Exchange{
				exchange(epoch, 0, ms, 0, ms), exchange(epoch+100*second, 5*ms, 2*ms, 0, 2*ms),
			},
			offset: 5 * ms, bound: 2*ms + 400,
		},
		{
			name: "a clock that was set begins anew",
			exchanges: []clock.Exchange{
				exchange(epoch, 0, ms, 0, ms), exchange(epoch+second, 2*second, 3*ms, 0, 3*ms),
			},
			offset: 2 * second, bound: 3*ms + 600, steps: 1,
		},
		{
			name: "a contradiction is ignored",
			exchanges: []clock.Exchange{
				exchange(epoch, ms, ms, 0, ms), {T0: epoch + 5, T1: epoch, T2: epoch + second, T3: epoch + 6},
			},
			offset: ms, bound: ms + 200,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var e clock.Estimator
			for _, x := range test.exchanges {
				e.Add(x)
			}
			offset, bound, ok := e.Offset()
			if !ok || offset != test.offset || bound != test.bound || e.Steps() != test.steps {
				t.Errorf("got offset %d, bound %d, ok %t, steps %d; want %d, %d, true, %d",
					offset, bound, ok, e.Steps(), test.offset, test.bound, test.steps)
			}
		})
	}
}

func TestEstimatorKnowsNothingAtFirst(t *testing.T) {
	var e clock.Estimator
	if _, _, ok := e.Offset(); ok {
		t.Error("an estimate without an exchange")
	}
}

// The law: whatever the ways and a drift within the bound, the true offset lies
// within the bound that is stated.
func TestEstimatorBoundHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base := rapid.Int64Range(-3600*second, 3600*second).Draw(t, "offset")
		drift := rapid.Int64Range(-90, 90).Draw(t, "ppm")
		way := rapid.Int64Range(0, 200*ms)
		var e clock.Estimator
		at := epoch
		for range rapid.IntRange(1, 50).Draw(t, "n") {
			at += rapid.Int64Range(ms, 20*second).Draw(t, "pause")
			truth := base + (at-epoch)*drift/1_000_000
			x := exchange(at, truth, way.Draw(t, "out"), way.Draw(t, "held"), way.Draw(t, "back"))
			e.Add(x)
			offset, bound, _ := e.Offset()
			if off := offset - truth; off > bound || off < -bound {
				t.Fatalf("off by %d, bound %d", off, bound)
			}
		}
		if e.Steps() != 0 {
			t.Fatalf("%d steps of clocks that only drift", e.Steps())
		}
	})
}
