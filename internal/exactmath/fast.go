// Package exactmath computes elementary functions that give the same bits on
// every CPU. The standard library's do not: some are assembly on some
// architectures, and the compiler may fuse a multiplication and an addition
// into one rounding where the CPU can. Here every product that is added to
// something is rounded by an explicit conversion first. Log and Exp are fast and
// right to about one unit in the last place; the functions of Wide carry about
// 100 bits and are for those who need the last bit, not speed.
package exactmath

import "math"

// ln2 in two parts: multiples of the first by up to 2^11 are exact.
const (
	ln2Hi = 0x1.62e42feep-1
	ln2Lo = math.Ln2 - ln2Hi
)

// Log is the natural logarithm of x. It is -Inf at 0 and NaN below.
func Log(x float64) float64 {
	switch {
	case math.IsNaN(x) || math.IsInf(x, 1):
		return x
	case x < 0:
		return math.NaN()
	case x == 0:
		return math.Inf(-1)
	}
	m, exp := math.Frexp(x)
	if m < math.Sqrt2/2 {
		m *= 2
		exp--
	}
	// log m = 2 artanh(s) with s = (m-1)/(m+1), |s| below 0.172.
	s := (m - 1) / (m + 1)
	z := float64(s * s)
	p := 2.0 / 23
	p = float64(p*z) + 2.0/21
	p = float64(p*z) + 2.0/19
	p = float64(p*z) + 2.0/17
	p = float64(p*z) + 2.0/15
	p = float64(p*z) + 2.0/13
	p = float64(p*z) + 2.0/11
	p = float64(p*z) + 2.0/9
	p = float64(p*z) + 2.0/7
	p = float64(p*z) + 2.0/5
	p = float64(p*z) + 2.0/3
	e := float64(exp)
	low := float64(s*float64(p*z)) + float64(e*ln2Lo)
	return float64(e*ln2Hi) + (float64(2*s) + low)
}

// Exp is e raised to the power x.
func Exp(x float64) float64 {
	switch {
	case math.IsNaN(x):
		return x
	case x > 709.79:
		return math.Inf(1)
	case x < -745.2:
		return 0
	}
	k := math.RoundToEven(float64(x * (1 / math.Ln2)))
	r := (x - float64(k*ln2Hi)) - float64(k*ln2Lo)
	p := 1.0
	for n := 13; n > 0; n-- {
		p = float64(float64(r*p)/float64(n)) + 1
	}
	return math.Ldexp(p, int(k))
}
