package schedule

import (
	"math/big"
	"math/bits"
	"strconv"
	"strings"
)

const nanosPerSecond = 1_000_000_000

// decimal is the number that was written, numerator / 10^digits: the rate 0.1
// means a tenth, not the float64 nearest to it.
type decimal struct {
	numerator int64
	digits    int
}

// decimalOf recovers the shortest decimal that reads back as x, a finite number
// from 0 to 1e9.
func decimalOf(x float64) decimal {
	text := strconv.FormatFloat(x, 'e', -1, 64)
	mantissa, exponent, _ := strings.Cut(text, "e")
	whole, fraction, _ := strings.Cut(mantissa, ".")
	n, _ := strconv.ParseInt(whole+fraction, 10, 64) // at most 17 digits
	e, _ := strconv.Atoi(exponent)
	d := decimal{numerator: n, digits: len(fraction) - e}
	for ; d.digits < 0; d.digits++ {
		d.numerator *= 10
	}
	return d
}

// rat is d as an exact fraction.
func (d decimal) rat() *big.Rat {
	scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(d.digits)), nil)
	return new(big.Rat).SetFrac(big.NewInt(d.numerator), scale)
}

// constant places entry k at the nanosecond of k/rate, rounded down: one
// multiplication and one division of integers, so that nothing adds up.
type constant struct {
	hi, lo  uint64 // nanoseconds between entries = (hi·2^64 + lo) / divisor
	divisor uint64
}

// newConstant takes a rate from 1e-9 to 1e9 per second.
func newConstant(rate float64) constant {
	gap := new(big.Rat).Quo(new(big.Rat).SetInt64(nanosPerSecond), decimalOf(rate).rat())
	low := new(big.Int).And(gap.Num(), new(big.Int).SetUint64(1<<64-1))
	high := new(big.Int).Rsh(gap.Num(), 64)
	return constant{hi: high.Uint64(), lo: low.Uint64(), divisor: gap.Denom().Uint64()}
}

func (c constant) offset(k int64) int64 {
	p1, p0 := bits.Mul64(uint64(k), c.lo)
	carry, h := bits.Mul64(uint64(k), c.hi)
	p1, more := bits.Add64(p1, h, 0)
	p2 := carry + more
	// The quotient fits 63 bits (Compile bounds the duration), so p2·2^64 + p1 is
	// below 2^64 times the divisor.
	_, r := bits.Div64(p2%c.divisor, p1, c.divisor)
	q, _ := bits.Div64(r, p0, c.divisor)
	return int64(q)
}

func (c constant) cursor(int64) func(int64) int64 { return c.offset }

// before counts the entries with k/rate < offset, exactly.
func (c constant) before(offset int64) int64 {
	if offset <= 0 {
		return 0
	}
	n := ceil(new(big.Rat).Quo(new(big.Rat).SetInt64(offset), c.gap()))
	if !n.IsInt64() {
		return 1<<63 - 1
	}
	return n.Int64()
}

// gap is the nanoseconds between two entries.
func (c constant) gap() *big.Rat {
	a := new(big.Int).Lsh(new(big.Int).SetUint64(c.hi), 64)
	a.Or(a, new(big.Int).SetUint64(c.lo))
	return new(big.Rat).SetFrac(a, new(big.Int).SetUint64(c.divisor))
}

// ceil is the smallest integer that is at least x ≥ 0.
func ceil(x *big.Rat) *big.Int {
	n := new(big.Int).Add(x.Num(), x.Denom())
	n.Sub(n, big.NewInt(1))
	return n.Div(n, x.Denom())
}

// atOnce places every entry at 0: a rate of inf.
type atOnce struct{}

func (atOnce) offset(int64) int64               { return 0 }
func (a atOnce) cursor(int64) func(int64) int64 { return a.offset }
