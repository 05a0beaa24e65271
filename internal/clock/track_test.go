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

// exchange builds the four readings for an answering clock that shows at when the
// question leaves, and an asking clock that is ahead by offset, with the given
// times on the way.
func exchange(at, offset, out, held, back int64) clock.Exchange {
	return clock.Exchange{T0: at + offset, T1: at + out, T2: at + out + held, T3: at + out + held + back + offset}
}

func TestTrack(t *testing.T) {
	tests := []struct {
		name          string
		exchanges     []clock.Exchange
		at            int64 // since the epoch
		offset, bound int64
		steps         int64
	}{
		{
			name:      "equal ways give the exact offset",
			exchanges: []clock.Exchange{exchange(epoch, 5*ms, ms, 0, ms)},
			at:        ms, offset: 5 * ms, bound: ms + 200,
		},
		{
			name:      "time held by the answering host is no round trip",
			exchanges: []clock.Exchange{exchange(epoch, -5*ms, ms, 300*ms, ms)},
			at:        151 * ms, offset: -5 * ms, bound: ms + 30_200,
		},
		{
			name:      "a wholly asymmetric way errs by its bound",
			exchanges: []clock.Exchange{exchange(epoch, 0, 0, 0, 4*ms)},
			at:        0, offset: 2 * ms, bound: 2*ms + 400,
		},
		{
			name: "the smallest round trip of a stretch wins",
			exchanges: []clock.Exchange{
				exchange(epoch, ms, 9*ms, 0, ms), exchange(epoch+20*ms, ms, ms/2, 0, ms/2),
			},
			at: 20*ms + ms/2, offset: ms, bound: ms/2 + 100,
		},
		{
			name:      "an estimate widens by the drift that is possible, before it as behind it",
			exchanges: []clock.Exchange{exchange(epoch+10*second, 0, ms, 0, ms)},
			at:        ms, offset: 0, bound: ms + 200 + ms,
		},
		{
			name: "a drift within the bound is followed",
			exchanges: []clock.Exchange{
				exchange(epoch, 0, ms, 0, ms), exchange(epoch+100*second, 5*ms, ms, 0, ms),
			},
			at: 50*second + ms, offset: 5 * ms / 2, bound: ms + 200 + 5*ms - 5*ms/2,
		},
		{
			name: "a clock that was set begins anew",
			exchanges: []clock.Exchange{
				exchange(epoch, 0, ms, 0, ms), exchange(epoch+second, 2*second, 3*ms, 0, 3*ms),
			},
			at: second + 3*ms, offset: 2 * second, bound: 3*ms + 600, steps: 1,
		},
		{
			name: "what was known before a step holds for the time before",
			exchanges: []clock.Exchange{
				exchange(epoch, 0, ms, 0, ms), exchange(epoch+second, 2*second, 3*ms, 0, 3*ms),
			},
			at: ms, offset: 0, bound: ms + 200, steps: 1,
		},
		{
			name: "contradictions and what comes out of order are ignored",
			exchanges: []clock.Exchange{
				exchange(epoch+second, ms, ms, 0, ms), {T0: epoch + 5, T1: epoch, T2: epoch + second, T3: epoch + 6},
				{T0: epoch, T1: epoch, T2: epoch - 1, T3: epoch}, {T0: epoch, T1: epoch, T2: epoch, T3: epoch - 1},
				exchange(epoch, 9*second, 0, 0, 0),
			},
			at: second + ms, offset: ms, bound: ms + 200,
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var track clock.Track
			for _, x := range test.exchanges {
				track.Add(x)
			}
			offset, bound, ok := track.At(epoch + test.at)
			if !ok || offset != test.offset || bound != test.bound || track.Steps() != test.steps {
				t.Errorf("got offset %d, bound %d, ok %t, steps %d; want %d, %d, true, %d",
					offset, bound, ok, track.Steps(), test.offset, test.bound, test.steps)
			}
		})
	}
}

func TestTrackKnowsNothingAtFirst(t *testing.T) {
	var track clock.Track
	if _, _, ok := track.At(epoch); ok {
		t.Error("an estimate without an exchange")
	}
	if _, _, ok := track.Drift(); ok {
		t.Error("a drift without an exchange")
	}
	track.Add(exchange(epoch, 0, ms, 0, ms))
	if _, _, ok := track.Drift(); ok {
		t.Error("a drift by one exchange")
	}
	if ends := track.Ends(); len(ends) != 1 {
		t.Errorf("ends %v, want one", ends)
	}
}

// life is a pair of clocks of which one is off by a constant, drifts, and is set
// at some moment.
type life struct {
	base, ppm    int64
	stepAt, step int64
}

func (l life) offset(at int64) int64 {
	off := l.base + (at-epoch)/1000*l.ppm/1000
	if l.stepAt > 0 && at >= l.stepAt {
		off += l.step
	}
	return off
}

// The law: whatever the ways and a drift within the bound, the true offset lies
// within the bound that is stated, at every moment of the past and now. A step
// that the bounds can't hide is counted, and the law holds on both sides of it.
func TestTrackBoundHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := life{base: rapid.Int64Range(-3600*second, 3600*second).Draw(t, "offset"), ppm: rapid.Int64Range(-95, 95).Draw(t, "ppm")}
		n := rapid.IntRange(1, 400).Draw(t, "n")
		stepBefore := -1
		if rapid.Bool().Draw(t, "steps") && n > 1 {
			stepBefore, l.step = rapid.IntRange(1, n-1).Draw(t, "step before"), 2*second
		}
		way := rapid.Int64Range(0, rapid.Int64Range(1, 200).Draw(t, "longest way")*ms)
		var track clock.Track
		var asked []int64
		at := epoch
		for i := range n {
			at += rapid.Int64Range(ms, 20*second).Draw(t, "pause")
			if i == stepBefore {
				l.stepAt = at
			}
			out, held, back := way.Draw(t, "out"), way.Draw(t, "held"), way.Draw(t, "back")
			track.Add(clock.Exchange{
				T0: at + l.offset(at), T1: at + out, T2: at + out + held, T3: at + out + held + back + l.offset(at+out+held+back),
			})
			at += out + held + back
			asked = append(asked, at, at-back-held+held/2)
			within(t, &track, l, at)
		}
		for _, moment := range asked {
			within(t, &track, l, moment)
		}
		steps := int64(0)
		if stepBefore > 0 {
			steps = 1
		}
		if track.Steps() != steps {
			t.Fatalf("%d steps, want %d", track.Steps(), steps)
		}
		if ppb, bound, ok := track.Drift(); ok && (ppb-l.ppm*1000 > bound+1 || l.ppm*1000-ppb > bound+1) {
			t.Fatalf("drift %d ± %d ppb, true %d", ppb, bound, l.ppm*1000)
		}
	})
}

func within(t *rapid.T, track *clock.Track, l life, at int64) {
	offset, bound, ok := track.At(at)
	const rounding = 2
	if off := offset - l.offset(at); !ok || off > bound+rounding || off < -bound-rounding {
		t.Fatalf("at %v: off by %d, bound %d, ok %t", at-epoch, off, bound, ok)
	}
}

// A track that is followed for ten hours stays small, and tells what was true in
// between closer than its bound, since clocks drift steadily.
func TestTrackOfALongRun(t *testing.T) {
	l := life{base: 7 * ms, ppm: 50}
	var track clock.Track
	for at := epoch; at < epoch+36_000*second; at += second {
		track.Add(exchange(at, l.offset(at), ms/10, 0, ms/10))
	}
	for at := epoch + 100*second; at < epoch+36_000*second; at += 1111 * second {
		offset, bound, _ := track.At(at)
		if off := offset - l.offset(at); off > ms/10 || off < -ms/10 {
			t.Errorf("after %d s: off by %d ns", (at-epoch)/second, off)
		}
		if bound > 60*ms {
			t.Errorf("after %d s: bound %d ns", (at-epoch)/second, bound)
		}
	}
	if n := len(track.Moments(0, epoch+1e6*second)); n > 128 {
		t.Errorf("%d marks are kept", n)
	}
	if ppb, bound, ok := track.Drift(); !ok || ppb < 49_900 || ppb > 50_100 || bound > 100 {
		t.Errorf("drift %d ± %d ppb, want 50000 within 100", ppb, bound)
	}
}

func TestTrackResumes(t *testing.T) {
	l := life{base: 7 * ms, ppm: 50}
	var first, second1 clock.Track
	for at := epoch; at < epoch+60*second; at += second {
		first.Add(exchange(at, l.offset(at), ms/10, 0, ms/10))
	}
	second1.Resume(first.Ends())
	for at := epoch + 70*second; at < epoch+100*second; at += second {
		second1.Add(exchange(at, l.offset(at), ms/10, 0, ms/10))
	}
	for at := epoch + second; at < epoch+100*second; at += 7 * second {
		offset, bound, ok := second1.At(at)
		if off := offset - l.offset(at); !ok || off > bound || off < -bound || off > ms/10 {
			t.Errorf("at %d s: off by %d, bound %d", (at-epoch)/second, off, bound)
		}
	}
	if second1.Steps() != 0 {
		t.Errorf("%d steps", second1.Steps())
	}
}
