package schedule

import (
	"math/big"

	"github.com/stampede-bench/stampede/internal/exactmath"
)

// ramp is a rate that changes linearly from r0 to r1 over a duration. Up to time
// t it has asked for N(t) = r0·t + (r1-r0)·t²/2D entries; entry u stands where
// N(t) = u, at t = 2u / (r0 + sqrt(r0² + 2u·(r1-r0)/D)). Computed with 100 bits
// and rounded to the nanosecond, so that later entries never stand earlier.
type ramp struct {
	r0, r0Squared, slope2 exactmath.Wide // per nanosecond; slope2 = 2·(r1-r0)/D
	duration              int64
}

func newRamp(rate, endRate float64, duration int64) ramp {
	second := exactmath.FromInt(nanosPerSecond)
	perNano := func(x float64) exactmath.Wide {
		d := decimalOf(x)
		w := exactmath.FromInt(d.numerator)
		for range d.digits {
			w = w.Div(exactmath.FromFloat(10))
		}
		return w.Div(second)
	}
	r0, r1 := perNano(rate), perNano(endRate)
	slope := r1.Sub(r0).Div(exactmath.FromInt(duration))
	return ramp{r0: r0, r0Squared: r0.Mul(r0), slope2: slope.Times(2), duration: duration}
}

// rampTotal is N(D), the entries that the whole ramp asks for.
func rampTotal(rate, endRate float64, duration int64) *big.Rat {
	sum := new(big.Rat).Add(decimalOf(rate).rat(), decimalOf(endRate).rat())
	return sum.Mul(sum, big.NewRat(duration, 2*nanosPerSecond))
}

// at is the nanosecond at which u entries have been asked for.
func (r ramp) at(u exactmath.Wide) int64 {
	if u.Hi <= 0 {
		return 0
	}
	root := r.slope2.Mul(u).Add(r.r0Squared).Sqrt()
	below := root.Add(r.r0)
	if below.Hi <= 0 {
		return r.duration - 1
	}
	t := u.Times(2).Div(below)
	if t.Hi >= float64(r.duration) {
		return r.duration - 1 // rounding at the very end; N(t) < N(D) holds exactly
	}
	return min(t.Round(), r.duration-1)
}

// rampConstant is a ramp with even arrivals: entry k stands where N(t) = k.
type rampConstant struct{ ramp }

func (r rampConstant) offset(k int64) int64           { return r.at(exactmath.FromInt(k)) }
func (r rampConstant) cursor(int64) func(int64) int64 { return r.offset }

// atUnits is at for a number of entries in billionths.
func (r ramp) atUnits(units int64) int64 {
	return r.at(exactmath.FromInt(units).Div(exactmath.FromInt(unitsPerEntry)))
}

// rateAt is the rate in entries per second at nanosecond t.
func (r ramp) rateAt(t int64) float64 {
	return r.slope2.Times(float64(t)).Times(0.5).Add(r.r0).Times(nanosPerSecond).Float()
}
