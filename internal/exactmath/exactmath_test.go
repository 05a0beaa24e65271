package exactmath

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"testing"

	"github.com/stampede-bench/stampede/internal/draw"
)

// ulps is the distance of a and b in units in the last place.
func ulps(a, b float64) float64 {
	if a == b || (math.IsNaN(a) && math.IsNaN(b)) {
		return 0
	}
	return math.Abs(a-b) / (math.Nextafter(math.Abs(b), math.Inf(1)) - math.Abs(b))
}

func TestFunctionsAgreeWithTheStandardLibrary(t *testing.T) {
	// The library's own errors are below one unit, so neighbours are right.
	functions := map[string]struct {
		from, to  float64
		got, want func(float64) float64
		ulps      float64
	}{
		"fast log":          {1e-300, 1e300, Log, math.Log, 3},
		"fast log around 1": {0.5, 2, Log, math.Log, 3},
		"fast exp":          {-740, 709, Exp, math.Exp, 2},
		"log":               {0.1, 1e6, func(x float64) float64 { return FromFloat(x).Log().Float() }, math.Log, 1},
		"exp":               {-700, 700, func(x float64) float64 { return FromFloat(x).Exp().Float() }, math.Exp, 1},
		"sin":               {-1e6, 1e6, func(x float64) float64 { s, _ := SinCos(x); return s.Float() }, math.Sin, 1},
		"cos":               {-1e3, 1e3, func(x float64) float64 { _, c := SinCos(x); return c.Float() }, math.Cos, 1},
		"atan":              {-50, 50, func(x float64) float64 { return FromFloat(x).Atan().Float() }, math.Atan, 1},
		"sqrt":              {0, 1e9, func(x float64) float64 { return FromFloat(x).Sqrt().Float() }, math.Sqrt, 0},
	}
	draws := draw.NewStream(1, "test", 0)
	for name, f := range functions {
		t.Run(name, func(t *testing.T) {
			for i := range int64(20000) {
				x := f.from + float64((f.to-f.from)*draws.Uniform(i, 0))
				got, want := f.got(x), f.want(x)
				if math.Abs(want) < 1e-9 { // cancellation in the reference itself
					continue
				}
				if d := ulps(got, want); d > f.ulps {
					t.Fatalf("at %v: got %v, want %v (%v ulps)", x, got, want, d)
				}
			}
		})
	}
}

func TestExactResults(t *testing.T) {
	for _, c := range []struct{ got, want float64 }{
		{Pow(2, 10), 1024},
		// As by decimal arithmetic of 60 digits; math.Pow is off by 3 and 108 ulps.
		{Pow(2.707830343499421e+07, 1.5), 140906872572.30106},
		{Pow(1.01, 8155.246465187698), 1.745292673781641e+35},
		{Pow(10, -1), 0.1},
		{Pow(9, 0.5), 3},
		{Pow(1e-300, 0.5), 1e-150},
		{Pow(2, -1070), math.Ldexp(1, -1070)},
		{Pow(10, 400), math.Inf(1)},
		{Pow(10, -400), 0},
		{Log(1), 0},
		{Log(0), math.Inf(-1)},
		{Log(-1), math.NaN()},
		{Log(math.Inf(1)), math.Inf(1)},
		{Exp(0), 1},
		{Exp(1000), math.Inf(1)},
		{Exp(-1000), 0},
		{Exp(math.NaN()), math.NaN()},
		{FromInt(math.MaxInt64).Float(), 1 << 63},
	} {
		if c.got != c.want && !(math.IsNaN(c.got) && math.IsNaN(c.want)) {
			t.Errorf("got %v, want %v", c.got, c.want)
		}
	}
	for _, n := range []int64{0, 1, -1, 1<<53 + 1, 1<<62 + 12345, math.MinInt64} {
		if got := FromInt(n).Round(); got != n {
			t.Errorf("FromInt(%d).Round() = %d", n, got)
		}
	}
}

// TestSameBitsOnEveryCPU holds the digest of many results against one made on
// amd64. GOAMD64=v3 lets the compiler fuse on amd64, too; GOARCH=arm64 needs
// such a machine or qemu-user (go test -exec qemu-aarch64-static).
func TestSameBitsOnEveryCPU(t *testing.T) {
	const want = "3ca9027743647c8c207339cdf90788154d2cebdc9dd4f8f208a6a6272b1c59ad"
	h := sha256.New()
	put := func(values ...float64) {
		for _, v := range values {
			h.Write(binary.LittleEndian.AppendUint64(nil, math.Float64bits(v)))
		}
	}
	draws := draw.NewStream(2, "test", 0)
	for i := range int64(5000) {
		u, v := draws.Uniform(i, 0), draws.Uniform(i, 1)
		put(Log(u), Exp(-float64(20*u)), Pow(1+u, float64(30*v)), FromFloat(u).Div(FromFloat(v)).Float())
		put(FromFloat(u).Log().Float(), FromFloat(v).Exp().Float(), FromFloat(float64(u*9)).Atan().Float())
		s, c := SinCos(float64(1e5 * u))
		put(s.Hi, s.Lo, c.Hi, c.Lo)
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != want {
		t.Errorf("digest is %s, want %s", got, want)
	}
}

func BenchmarkLog(b *testing.B) {
	x := 0.3
	for b.Loop() {
		x = -Log(x)*0.1 + 0.1
	}
}

func BenchmarkPow(b *testing.B) {
	for b.Loop() {
		Pow(1.01, 300.5)
	}
}
