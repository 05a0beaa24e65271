package exactmath

import "math"

// Constants in parts that add up to more bits than a float64 holds.
const (
	log2A = 0x1.62e42fefa39efp-1
	log2B = math.Ln2 - log2A
	piA   = 0x1.921fb54442d18p1
	piB   = 0x1.1a62633145c07p-53
	piC   = math.Pi - piA - piB
)

var (
	one     = Wide{Hi: 1}
	ln2Wide = Wide{log2A, log2B}
	widePi  = Wide{piA, piB}
)

// Exp is e^w. It overflows to +Inf and underflows to 0.
func (w Wide) Exp() Wide {
	switch {
	case w.Hi > 709.79:
		return Wide{Hi: math.Inf(1)}
	case w.Hi < -745.2:
		return Wide{}
	}
	k := math.RoundToEven(w.Hi / math.Ln2)
	// With r small a few terms of e^r - 1 do, and nine squarings bring it back.
	const halvings = 9
	r := w.Sub(ln2Wide.Times(k)).scale(-halvings)
	sum := Wide{}
	for n := 10; n > 1; n-- {
		sum = sum.Add(one).Mul(r).Div(FromFloat(float64(n)))
	}
	sum = sum.Add(one).Mul(r)
	for range halvings {
		sum = sum.Add(sum).Add(sum.Mul(sum))
	}
	return sum.Add(one).scale(int(k))
}

// Log is the natural logarithm of w > 0: one step of Newton from Log.
func (w Wide) Log() Wide {
	y := FromFloat(Log(w.Hi))
	d := w.Mul(y.Neg().Exp()).Sub(one)
	return y.Add(d).Sub(d.Mul(d).scale(-1))
}

// Pow is x raised to the power y, for finite x > 0 and finite y.
func Pow(x, y float64) float64 {
	m, exp := math.Frexp(x) // keep Newton's exponential in range for any x
	l := FromFloat(m).Log().Add(ln2Wide.Times(float64(exp)))
	if math.Abs(l.Hi*y) > 800 {
		return FromFloat(l.Hi * y).Exp().Float()
	}
	return l.Times(y).Exp().Float()
}

// MaxAngle bounds the arguments of SinCos in size.
const MaxAngle = 1 << 30

// SinCos is sine and cosine of x radians, |x| ≤ MaxAngle.
func SinCos(x float64) (sin, cos Wide) {
	k := math.RoundToEven(x * (2 / math.Pi))
	h := k / 2
	r := FromFloat(x).Sub(twoProd(h, piA)).Sub(twoProd(h, piB)).Sub(FromFloat(float64(h * piC)))
	z := r.Mul(r).Neg()
	s, c := one, one
	for n := 26; n > 1; n -= 2 {
		s = s.Mul(z).Div(FromFloat(float64(n * (n + 1)))).Add(one)
		c = c.Mul(z).Div(FromFloat(float64(n * (n - 1)))).Add(one)
	}
	s = s.Mul(r)
	switch int64(k) & 3 {
	case 1:
		return c, s.Neg()
	case 2:
		return s.Neg(), c.Neg()
	case 3:
		return c.Neg(), s
	}
	return s, c
}

// Atan is the arc tangent of w in radians.
func (w Wide) Atan() Wide {
	if w.Hi < 0 {
		return w.Neg().Atan().Neg()
	}
	if w.Hi > 1 {
		return widePi.scale(-1).Sub(one.Div(w).Atan())
	}
	const halvings = 3
	for range halvings {
		w = w.Div(one.Add(w.Mul(w).Add(one).Sqrt()))
	}
	z := w.Mul(w).Neg()
	sum := Wide{}
	for n := 33; n > 0; n -= 2 {
		sum = sum.Mul(z).Add(one.Div(FromFloat(float64(n))))
	}
	return sum.Mul(w).scale(halvings)
}

// Pi is π to about 106 bits.
func Pi() Wide { return widePi }
