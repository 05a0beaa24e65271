package schedule

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/stampede-bench/stampede/internal/exactmath"
	"go.starlark.net/starlark"
)

var mathConstants = map[string]float64{"pi": math.Pi, "e": math.E, "tau": 2 * math.Pi, "inf": math.Inf(1)}

// errDomain is Python's word for an argument that a function is not defined at.
var errDomain = errors.New("math domain error")

// mathFunction is a member of math: one or two numbers, the result finite.
type mathFunction struct {
	optional bool // the second argument may be left out: NaN
	one      func(x float64) float64
	two      func(x, y float64) float64
	whole    bool // the result is an int
}

// mathFunctions give the same bits on every CPU, which the standard library does
// not promise; what needs no rounding is taken from there.
var mathFunctions = map[string]mathFunction{
	"floor": {one: math.Floor, whole: true},
	"ceil":  {one: math.Ceil, whole: true},
	"trunc": {one: math.Trunc, whole: true},
	"fabs":  {one: math.Abs},
	"sqrt":  {one: math.Sqrt},
	"exp":   {one: func(x float64) float64 { return wide(x).Exp().Float() }},
	"log":   {two: logarithm, optional: true},
	"log2":  {one: func(x float64) float64 { return logarithm(x, 2) }},
	"log10": {one: func(x float64) float64 { return logarithm(x, 10) }},

	"sin":  {one: func(x float64) float64 { s, _ := sinCos(x); return s.Float() }},
	"cos":  {one: func(x float64) float64 { _, c := sinCos(x); return c.Float() }},
	"tan":  {one: func(x float64) float64 { s, c := sinCos(x); return s.Div(c).Float() }},
	"atan": {one: func(x float64) float64 { return wide(x).Atan().Float() }},
	"asin": {one: func(x float64) float64 { return arcSine(x).Float() }},
	"acos": {one: func(x float64) float64 { return halfPi().Sub(arcSine(x)).Float() }},
	"sinh": {one: func(x float64) float64 { return hyperbolic(x, -1).Float() }},
	"cosh": {one: func(x float64) float64 { return hyperbolic(x, 1).Float() }},
	"tanh": {one: hyperbolicTangent},

	"degrees": {one: func(x float64) float64 { return wide(x).Times(180).Div(exactmath.Pi()).Float() }},
	"radians": {one: func(x float64) float64 { return wide(x).Mul(exactmath.Pi()).Div(wide(180)).Float() }},

	"pow":      {two: powerOrNaN},
	"fmod":     {two: math.Mod},
	"hypot":    {two: func(x, y float64) float64 { return wide(x).Times(x).Add(wide(y).Times(y)).Sqrt().Float() }},
	"atan2":    {two: arcTangent2},
	"copysign": {two: math.Copysign},
}

// mathMembers lists the names after the dot.
func mathMembers() []string {
	var names []string
	for name := range mathFunctions {
		names = append(names, name)
	}
	for name := range mathConstants {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// call evaluates the function for the interpreter.
func (f mathFunction) call(_ *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	want := 1
	if f.two != nil {
		want = 2
	}
	fits := len(args) == want || f.optional && len(args) == 1
	if len(kwargs) > 0 || !fits {
		return nil, fmt.Errorf("%s takes %d arguments, got %d", b.Name(), want, len(args))
	}
	if n, ok := args[0].(starlark.Int); ok && f.whole {
		return n, nil
	}
	x, err := floatsOf(b.Name(), args...)
	if err != nil {
		return nil, err
	}
	var result float64
	switch {
	case f.one != nil:
		result = f.one(x[0])
	case len(x) == 1:
		result = f.two(x[0], math.NaN())
	default:
		result = f.two(x[0], x[1])
	}
	if math.IsNaN(result) || math.IsInf(result, 0) {
		return nil, fmt.Errorf("%s%s: %w", b.Name(), clip(args.String()), errDomain)
	}
	if f.whole {
		return starlark.NumberToInt(starlark.Float(result))
	}
	return starlark.Float(result), nil
}

func wide(x float64) exactmath.Wide { return exactmath.FromFloat(x) }

func halfPi() exactmath.Wide { return exactmath.Pi().Times(0.5) }

// nan makes a call fail.
func nan() exactmath.Wide { return wide(math.NaN()) }

// logarithm of x to a base; NaN stands for e.
func logarithm(x, base float64) float64 {
	if !(x > 0) || math.IsInf(x, 0) || base <= 0 || base == 1 {
		return math.NaN()
	}
	l := wide(x).Log()
	if !math.IsNaN(base) {
		l = l.Div(wide(base).Log())
	}
	return l.Float()
}

func sinCos(x float64) (sin, cos exactmath.Wide) {
	if !(math.Abs(x) <= exactmath.MaxAngle) {
		return nan(), nan()
	}
	return exactmath.SinCos(x)
}

func arcSine(x float64) exactmath.Wide {
	switch {
	case !(math.Abs(x) <= 1):
		return nan()
	case math.Abs(x) == 1:
		return halfPi().Times(x)
	}
	return wide(x).Div(wide(1).Sub(wide(x).Times(x)).Sqrt()).Atan()
}

func arcTangent2(y, x float64) float64 {
	switch {
	case x > 0:
		return wide(y).Div(wide(x)).Atan().Float()
	case x < 0 && y >= 0:
		return wide(y).Div(wide(x)).Atan().Add(exactmath.Pi()).Float()
	case x < 0:
		return wide(y).Div(wide(x)).Atan().Sub(exactmath.Pi()).Float()
	case y == 0:
		return 0
	}
	return math.Copysign(halfPi().Float(), y)
}

// hyperbolic is (e^x + sign·e^-x) / 2.
func hyperbolic(x, sign float64) exactmath.Wide {
	if math.Abs(x) < 1e-9 && sign < 0 {
		return wide(x)
	}
	return wide(x).Exp().Add(wide(-x).Exp().Times(sign)).Times(0.5)
}

func hyperbolicTangent(x float64) float64 {
	if math.Abs(x) > 20 {
		return math.Copysign(1, x)
	}
	return hyperbolic(x, -1).Div(hyperbolic(x, 1)).Float()
}

func powerOrNaN(x, y float64) float64 {
	z, err := floatPower(x, y)
	if err != nil {
		return math.NaN()
	}
	return z
}
