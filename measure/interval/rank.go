package interval

import (
	"math"

	"gonum.org/v1/gonum/mathext"
	"gonum.org/v1/gonum/stat/distuv"
)

// tail is what lies on either side of a 95 % interval.
const tail = 0.025

// studentT is the quantile of Student's t distribution for a 95 % interval; of
// the normal distribution for infinitely many degrees of freedom.
func studentT(degrees float64) float64 {
	if math.IsInf(degrees, 1) {
		return distuv.UnitNormal.Quantile(1 - tail)
	}
	return distuv.StudentsT{Mu: 0, Sigma: 1, Nu: degrees}.Quantile(1 - tail)
}

// enclosing returns the ranks of n values, worth some number of independent ones,
// that enclose the quantile q: the share of a distribution that lies below the
// value of rank r of w independent ones is distributed as Beta(r, w-r+1). Ranks of
// independent values are rounded outward; not ok means that even the least or the
// greatest value does not bound the quantile.
func enclosing(q, worth, n float64) (low, high int64, ok bool) {
	below := func(r float64) float64 { return mathext.RegIncBeta(r, worth-r+1, q) } // P(share <= q)
	if worth < 1 || 1-below(1) > tail || below(worth) > tail {
		return 0, 0, false
	}
	// below falls as the rank grows; nine standard deviations away it has.
	at := q * (worth + 1)
	far := 9*math.Sqrt(worth*q*(1-q)) + 9
	l := bisect(max(at-far, 1), at, func(r float64) bool { return 1-below(r) <= tail })
	h := bisect(min(at+far, worth), at, func(r float64) bool { return below(r) <= tail })
	scale := (n + 1) / (worth + 1)
	low = int64(math.Floor(l*scale + 1e-9))
	high = int64(math.Ceil(h*scale - 1e-9))
	return max(low, 1), min(high, int64(n)), true
}

// bisect returns the last point from a towards b at which holds is true; it is
// true at a.
func bisect(a, b float64, holds func(float64) bool) float64 {
	if holds(b) {
		return b
	}
	for range 32 {
		if m := (a + b) / 2; holds(m) {
			a = m
		} else {
			b = m
		}
	}
	return a
}
