package exactmath

import "math"

// Wide is the unevaluated sum of two float64s, a number of about 106 bits. Lo is
// at most half a unit in the last place of Hi. Infinities and NaN are not
// carried: callers keep their arguments finite.
type Wide struct{ Hi, Lo float64 }

// FromFloat is x, exactly.
func FromFloat(x float64) Wide { return Wide{Hi: x} }

// FromInt is n, exactly.
func FromInt(n int64) Wide {
	hi := float64(n)
	if hi == 1<<63 { // n rounded up beyond int64
		return Wide{hi, float64(n - math.MaxInt64 - 1)}
	}
	return Wide{hi, float64(n - int64(hi))}
}

// Float is w rounded to one float64.
func (w Wide) Float() float64 { return w.Hi + w.Lo }

// Round is w rounded to the nearest integer, for w below 2^63 - 1024 in size.
func (w Wide) Round() int64 {
	n := math.Floor(w.Hi)
	rest := (w.Hi - n) + w.Lo
	return int64(n) + int64(math.Floor(rest+0.5))
}

// twoSum is a+b with its rounding error.
func twoSum(a, b float64) Wide {
	s := a + b
	bb := s - a
	return Wide{s, (a - (s - bb)) + (b - bb)}
}

// quickSum is twoSum for |a| ≥ |b|.
func quickSum(a, b float64) Wide {
	s := a + b
	return Wide{s, b - (s - a)}
}

// twoProd is a·b with its rounding error, by one exact fused operation.
func twoProd(a, b float64) Wide {
	p := float64(a * b)
	return Wide{p, math.FMA(a, b, -p)}
}

// Add is w + v.
func (w Wide) Add(v Wide) Wide {
	s := twoSum(w.Hi, v.Hi)
	t := twoSum(w.Lo, v.Lo)
	s = quickSum(s.Hi, s.Lo+t.Hi)
	return quickSum(s.Hi, s.Lo+t.Lo)
}

// Sub is w - v.
func (w Wide) Sub(v Wide) Wide { return w.Add(v.Neg()) }

// Neg is -w.
func (w Wide) Neg() Wide { return Wide{-w.Hi, -w.Lo} }

// Mul is w · v.
func (w Wide) Mul(v Wide) Wide {
	p := twoProd(w.Hi, v.Hi)
	cross := float64(w.Hi*v.Lo) + float64(w.Lo*v.Hi)
	return quickSum(p.Hi, p.Lo+cross)
}

// Times is w · x.
func (w Wide) Times(x float64) Wide { return w.Mul(FromFloat(x)) }

// Div is w / v; v is not 0.
func (w Wide) Div(v Wide) Wide {
	q1 := w.Hi / v.Hi
	r := w.Sub(v.Times(q1))
	q2 := r.Hi / v.Hi
	r = r.Sub(v.Times(q2))
	q3 := r.Hi / v.Hi
	return quickSum(q1, q2).Add(FromFloat(q3))
}

// Sqrt is the square root of w; it is 0 for w ≤ 0.
func (w Wide) Sqrt() Wide {
	if w.Hi <= 0 {
		return Wide{}
	}
	s := math.Sqrt(w.Hi)
	rest := w.Sub(twoProd(s, s))
	return quickSum(s, rest.Hi/float64(2*s))
}

// scale is w · 2^k.
func (w Wide) scale(k int) Wide { return Wide{math.Ldexp(w.Hi, k), math.Ldexp(w.Lo, k)} }
