package schedule

import (
	"maps"
	"math/big"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// entries collects what a shard yields.
func entries(p *Phase, s Shard, from int64) map[int64]int64 {
	return maps.Collect(p.Arrivals(s, from))
}

func TestOffsetsRiseWithinTheDuration(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := compile(t, rapid.Int64().Draw(t, "seed"), anyStage().Draw(t, "stage")).Phases[0]
		var count, last int64
		for k, offset := range p.Arrivals(Whole, 0) {
			if k != count {
				t.Fatalf("session %d comes after %d", k, count-1)
			}
			if offset < last || offset > p.Duration || offset == p.Duration && p.Duration > 0 {
				t.Fatalf("session %d at %d, the one before at %d, duration %d", k, offset, last, p.Duration)
			}
			if got := p.Offset(k); got != offset {
				t.Fatalf("Offset(%d) = %d, Arrivals says %d", k, got, offset)
			}
			count, last = count+1, offset
		}
		if count != p.Sessions {
			t.Fatalf("%d sessions came, the phase has %d", count, p.Sessions)
		}
	})
}

func TestBeforeCountsWhatArrivalsYield(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := compile(t, rapid.Int64().Draw(t, "seed"), anyStage().Draw(t, "stage")).Phases[0]
		at := rapid.OneOf(rapid.Int64Range(-1, p.Duration+2), rapid.Map(rapid.Int64Range(0, p.Sessions), func(k int64) int64 { return p.Offset(k) })).Draw(t, "at")
		var want int64
		for _, offset := range p.Arrivals(Whole, 0) {
			if offset < at {
				want++
			}
		}
		if got := p.Before(at); got != want {
			t.Fatalf("Before(%d) = %d, want %d", at, got, want)
		}
		if rest := int64(len(entries(p, Whole, at))); rest != p.Sessions-want {
			t.Fatalf("%d arrive from %d on, want %d", rest, at, p.Sessions-want)
		}
	})
}

func TestShardsAddUpToTheWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := compile(t, rapid.Int64().Draw(t, "seed"), anyStage().Draw(t, "stage")).Phases[0]
		n := rapid.IntRange(1, 12).Draw(t, "shards")
		from := rapid.Int64Range(0, p.Duration).Draw(t, "from")
		shards := Whole.Split(n)
		if again := rapid.IntRange(0, n).Draw(t, "dead"); again < n { // its shard goes to survivors
			dead := shards[again]
			shards = slices.Delete(shards, again, again+1)
			shards = append(shards, dead.Split(rapid.IntRange(1, 5).Draw(t, "survivors"))...)
		}
		sum := map[int64]int64{}
		var counted int64
		for _, s := range shards {
			last := int64(-1)
			for k, offset := range p.Arrivals(s, from) {
				if _, twice := sum[k]; twice || !s.Has(k) || k <= last {
					t.Fatalf("session %d in shard %+v: twice %v, belongs %v, after %d", k, s, twice, s.Has(k), last)
				}
				sum[k], last = offset, k
			}
			counted += s.Count(p.Sessions)
		}
		if !maps.Equal(sum, entries(p, Whole, from)) {
			t.Fatalf("shards yield %d sessions, the whole %d", len(sum), p.Sessions)
		}
		if counted != p.Sessions {
			t.Fatalf("shards count %d sessions, the whole %d", counted, p.Sessions)
		}
	})
}

func TestConstantRateIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		digits := rapid.IntRange(0, 9).Draw(t, "digits")
		scale := int64(1)
		for range digits {
			scale *= 10
		}
		numerator := rapid.Int64Range(1, 1e9).Draw(t, "numerator")
		rate, _ := big.NewRat(numerator, scale).Float64()
		k := rapid.Int64Range(0, 1e9).Draw(t, "k")
		// The decimal that was written, not the float64 nearest to it.
		exact := new(big.Rat).Mul(big.NewRat(k, 1), big.NewRat(scale, numerator))
		exact.Mul(exact, big.NewRat(nanosPerSecond, 1))
		want := new(big.Int).Div(exact.Num(), exact.Denom())
		if !want.IsInt64() || want.Int64() > maxNanos {
			t.Skip("beyond the longest phase")
		}
		c := newConstant(rate)
		if got := c.offset(k); got != want.Int64() {
			t.Fatalf("entry %d at rate %v is at %d, want %d", k, rate, got, want)
		}
		if n := c.before(want.Int64() + 1); n != k+1 {
			t.Fatalf("%d entries before %d, want %d", n, want.Int64()+1, k+1)
		}
	})
}

func TestSlotsOfShardsAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 100).Draw(t, "slots")
		var all []int
		for _, s := range Whole.Split(rapid.IntRange(1, 20).Draw(t, "shards")) {
			slots := SlotsOf(n, s)
			if int64(len(slots)) != s.Count(int64(n)) {
				t.Fatalf("%d slots, counted %d", len(slots), s.Count(int64(n)))
			}
			all = append(all, slots...)
		}
		slices.Sort(all)
		for j := range n {
			if len(all) != n || all[j] != j {
				t.Fatalf("slots %v do not add up to %d", all, n)
			}
		}
	})
}
