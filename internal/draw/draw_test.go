package draw

import (
	"math"
	"math/bits"
	"testing"

	"pgregory.net/rapid"
)

func TestGoldenDraws(t *testing.T) {
	s := NewStream(1234, "gap", 1)
	for i, want := range []uint64{0x899dcec05c74d300, 0x1eb40c58e4a47aba, 0x61bf0eadc74808c1, 0x4b78640abb7824ca} {
		if got := s.At(int64(i), uint64(i)); got != want {
			t.Errorf("draw %d is %#x, want %#x", i, got, want)
		}
	}
	q := s.Sequence(7)
	if got, want := q.Next(), s.At(7, 1); got != want {
		t.Errorf("a sequence begins with %#x, want draw 1, %#x", got, want)
	}
}

func TestUniformIsInRangeAndEven(t *testing.T) {
	s := NewStream(0, "uniform", 0)
	var sum, squares float64
	var cells [16]int
	const n = 1 << 17
	for i := range int64(n) {
		u := s.Uniform(i, 3)
		if u <= 0 || u > 1 {
			t.Fatalf("draw %d is %v, want (0, 1]", i, u)
		}
		sum += u
		squares += u * u
		cells[min(15, int(u*16))]++
	}
	if mean := sum / n; math.Abs(mean-0.5) > 0.004 {
		t.Errorf("mean is %v", mean)
	}
	if second := squares / n; math.Abs(second-1.0/3) > 0.004 {
		t.Errorf("second moment is %v", second)
	}
	for i, c := range cells {
		if math.Abs(float64(c)-n/16) > 450 {
			t.Errorf("cell %d holds %d of %d", i, c, n)
		}
	}
}

func TestNeighboursShareNoBits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Int64().Draw(t, "seed")
		i := rapid.Int64().Draw(t, "i")
		a, b, c := NewStream(seed, "a", 0), NewStream(seed+1, "a", 0), NewStream(seed, "a", 1)
		var same [65]int
		for j := range uint64(64) {
			for _, other := range []uint64{b.At(i, j), c.At(i, j), a.At(i+1, j), a.At(i, j+1)} {
				same[bits.OnesCount64(a.At(i, j)^other)]++
			}
		}
		if same[0] > 0 {
			t.Fatalf("two draws are equal")
		}
		for d, n := range same {
			if (d < 8 || d > 56) && n > 0 {
				t.Fatalf("%d pairs of draws differ in %d bits only", n, d)
			}
		}
	})
}
