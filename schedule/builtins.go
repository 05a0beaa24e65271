package schedule

import (
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"

	"github.com/stampede-bench/stampede/internal/exactmath"
	"go.starlark.net/starlark"
)

// maxPowerBits bounds the size of an integer power.
const maxPowerBits = 4096

// functionNames may be called in a load function by their bare name.
var functionNames = []string{"int", "float", "min", "max", "abs", "round", "pow"}

func isFunction(name string) bool { return slices.Contains(functionNames, name) }

// mathName is how math.NAME is called in translated code; a load function can't
// write such a name, since none of its names reach the code unchecked.
func mathName(name string) string { return "math_" + name }

// builtins are the names beside Starlark's own that translated code may use.
var builtins = predeclared()

func predeclared() starlark.StringDict {
	names := starlark.StringDict{
		"pow":   starlark.NewBuiltin("pow", power),
		"round": starlark.NewBuiltin("round", round),
	}
	for name, value := range mathConstants {
		names[mathName(name)] = starlark.Float(value)
	}
	for name, f := range mathFunctions {
		names[mathName(name)] = starlark.NewBuiltin("math."+name, f.call)
	}
	return names
}

// power is Python's **: exact for integers, and a float for the rest.
func power(_ *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var base, exponent starlark.Value
	if err := starlark.UnpackPositionalArgs(b.Name(), args, kwargs, 2, &base, &exponent); err != nil {
		return nil, err
	}
	x, xInt := base.(starlark.Int)
	y, yInt := exponent.(starlark.Int)
	if xInt && yInt && y.Sign() >= 0 {
		return intPower(x, y)
	}
	floats, err := floatsOf(b.Name(), base, exponent)
	if err != nil {
		return nil, err
	}
	z, err := floatPower(floats[0], floats[1])
	return starlark.Float(z), err
}

func intPower(x, y starlark.Int) (starlark.Value, error) {
	base := x.BigInt()
	if base.CmpAbs(big.NewInt(1)) > 0 {
		n, ok := y.Int64()
		if !ok || n > maxPowerBits || int64(base.BitLen())*n > maxPowerBits {
			return nil, fmt.Errorf("%s ** %s is larger than 2^%d", clip(x.String()), clip(y.String()), maxPowerBits)
		}
	} else if y.BigInt().Bit(0) == 0 && y.Sign() > 0 { // 0 or ±1: only parity counts
		return starlark.MakeBigInt(base.Abs(base)), nil
	} else if y.Sign() > 0 {
		return x, nil
	}
	return starlark.MakeBigInt(new(big.Int).Exp(base, y.BigInt(), nil)), nil
}

// floatPower follows C's pow, with an error where Python raises one.
func floatPower(x, y float64) (float64, error) {
	whole := y == math.Trunc(y)
	switch {
	case y == 0 || x == 1:
		return 1, nil
	case math.IsNaN(x) || math.IsNaN(y) || math.IsInf(x, 0) || math.IsInf(y, 0):
		return math.Pow(x, y), nil // special values only, no rounding
	case x == 0 && y < 0:
		return 0, fmt.Errorf("0 can't be raised to the negative power %v", y)
	case x == 0:
		return 0, nil
	case x < 0 && !whole:
		return 0, fmt.Errorf("the negative number %v can't be raised to the fractional power %v", x, y)
	}
	z := exactmath.Pow(math.Abs(x), y)
	if math.IsInf(z, 0) {
		return 0, fmt.Errorf("%v ** %v is too large", x, y)
	}
	if x < 0 && math.Mod(y, 2) != 0 {
		z = -z
	}
	return z, nil
}

// round is Python's: to even at a tie; with digits it returns a float.
func round(_ *starlark.Thread, b *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple) (starlark.Value, error) {
	var x starlark.Value
	digits := starlark.MakeInt(-1)
	if err := starlark.UnpackPositionalArgs(b.Name(), args, kwargs, 1, &x, &digits); err != nil {
		return nil, err
	}
	if n, ok := x.(starlark.Int); ok {
		return n, nil
	}
	floats, err := floatsOf(b.Name(), x)
	if err != nil {
		return nil, err
	}
	if len(args) == 1 {
		return starlark.NumberToInt(starlark.Float(math.RoundToEven(floats[0])))
	}
	n, ok := digits.Int64()
	if !ok || n < 0 || n > 300 {
		return nil, fmt.Errorf("round to %s digits, want 0 to 300", clip(digits.String()))
	}
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(floats[0], 'f', int(n), 64), 64)
	return starlark.Float(rounded), err
}

// floatsOf takes ints and floats as float64s.
func floatsOf(function string, values ...starlark.Value) ([]float64, error) {
	floats := make([]float64, len(values))
	for i, v := range values {
		f, ok := starlark.AsFloat(v)
		if !ok {
			return nil, fmt.Errorf("%s: got %s, want a number", function, v.Type())
		}
		floats[i] = f
	}
	return floats, nil
}
