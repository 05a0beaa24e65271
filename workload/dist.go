package workload

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/stampede-bench/stampede/internal/exactmath"
)

// Kinds of Dist.
const (
	DistFixed     = "fixed"
	DistUniform   = "uniform"
	DistNormal    = "normal"
	DistLognormal = "lognormal"
	// DistHistogram draws from what was counted somewhere.
	DistHistogram = "histogram"
	// DistNone asks for no length at all: the model stops when it will, or at
	// sampling.max_tokens. It is meant for dataset.output_tokens.
	DistNone = "none"
)

// maxTokens is the greatest length a distribution may ask for or draw.
const maxTokens = 10_000_000

// Dist is a distribution of lengths in tokens. It is a value without state.
type Dist struct {
	// Kind is one of the Dist… constants.
	Kind string
	// A is the length (fixed), the least length (uniform) or the mean (normal,
	// lognormal); B is the greatest length or the standard deviation. For
	// lognormal both are those of the lengths, not of their logarithms.
	A, B float64
	// bins of a histogram, not to be changed.
	bins *histogram
}

const distForms = `a number such as 550, or uniform:100:200, normal:550:150, lognormal:550:150, histogram:50=3,100-200=1, file:PATH`

// ParseDist reads "550", "uniform:MIN:MAX", "normal:MEAN:SD", "lognormal:MEAN:SD",
// "histogram:LENGTH=WEIGHT,FROM-TO=WEIGHT", "values:LENGTH,LENGTH" or "none".
func ParseDist(text string) (Dist, error) {
	parts := strings.Split(strings.TrimSpace(text), ":")
	kind := parts[0]
	switch {
	case kind == DistNone && len(parts) == 1:
		return Dist{Kind: DistNone}, nil
	case kind == DistHistogram && len(parts) == 2:
		return parseHistogram(parts[1])
	case kind == distValues && len(parts) == 2:
		return parseValues(parts[1])
	case kind == distFile && len(parts) > 1:
		return Dist{}, fmt.Errorf("names the file %s, which only the stampede command reads; give histogram: or values: here", quote(strings.Join(parts[1:], ":")))
	case len(parts) == 1:
		return parseFixed(kind, text)
	case kind == DistFixed && len(parts) == 2:
		return parseFixed(parts[1], text)
	case kind != DistUniform && kind != DistNormal && kind != DistLognormal, len(parts) != 3:
		return Dist{}, fmt.Errorf("must be %s, got %s", distForms, quote(text))
	}
	a, errA := parseLength(parts[1])
	b, errB := parseLength(parts[2])
	if errA != nil || errB != nil {
		return Dist{}, fmt.Errorf("must have two numbers between 0 and %d after %q, got %s", maxTokens, kind+":", quote(text))
	}
	d := Dist{Kind: kind, A: a, B: b}
	return d, d.check(text)
}

func parseFixed(number, text string) (Dist, error) {
	a, err := parseLength(number)
	if err != nil {
		return Dist{}, fmt.Errorf("must be %s, got %s", distForms, quote(text))
	}
	d := Dist{Kind: DistFixed, A: a}
	return d, d.check(text)
}

func parseLength(s string) (float64, error) {
	f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil || math.IsNaN(f) || f < 0 || f > maxTokens || isHexFloat(s) {
		return 0, fmt.Errorf("%s is no length", quote(s))
	}
	return f, nil
}

func (d Dist) check(text string) error {
	switch d.Kind {
	case DistFixed:
		if d.A < 1 || d.A != math.Trunc(d.A) {
			return fmt.Errorf("must be a whole number of at least 1 token, got %s", quote(text))
		}
	case DistUniform:
		if d.A < 1 || d.A != math.Trunc(d.A) || d.B != math.Trunc(d.B) || d.B < d.A {
			return fmt.Errorf("must be uniform:MIN:MAX with whole numbers and 1 <= MIN <= MAX, got %s", quote(text))
		}
	default:
		if d.A < 1 {
			return fmt.Errorf("must have a mean of at least 1 token, got %s", quote(text))
		}
	}
	return nil
}

// String returns the notation that ParseDist reads.
func (d Dist) String() string {
	number := func(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }
	switch d.Kind {
	case DistFixed:
		return number(d.A)
	case DistNone:
		return DistNone
	case DistHistogram:
		return d.bins.String()
	default:
		return d.Kind + ":" + number(d.A) + ":" + number(d.B)
	}
}

// At maps two uniform draws from [0,1) to a length of at least 1. It is a pure
// function, the same on every CPU; fixed and uniform don't use u2. A Dist that
// asks for no length gives 0.
func (d Dist) At(u1, u2 float64) int {
	switch d.Kind {
	case DistNone:
		return 0
	case DistHistogram:
		return d.bins.at(u1, u2)
	case DistUniform:
		return clampLength(math.Floor(d.A + float64(u1*(d.B-d.A+1))))
	case DistNormal:
		return clampLength(math.Round(d.A + float64(d.B*gaussian(u1, u2))))
	case DistLognormal:
		ratio := d.B / d.A
		variance := exactmath.Log(1 + float64(ratio*ratio))
		mean := exactmath.Log(d.A) - variance/2
		return clampLength(math.Round(exactmath.Exp(mean + float64(math.Sqrt(variance)*gaussian(u1, u2)))))
	default:
		return clampLength(d.A)
	}
}

// Mean is the expected length, or near to it where draws are cut off at 1.
func (d Dist) Mean() float64 {
	switch d.Kind {
	case DistNone:
		return 0
	case DistUniform:
		return (d.A + d.B) / 2
	case DistHistogram:
		return d.bins.mean()
	default:
		return d.A
	}
}

// gaussian is Box and Muller's transform of two uniform draws from [0,1). It has
// the same bits on every CPU: the conversions keep products from being fused with
// sums.
func gaussian(u1, u2 float64) float64 {
	_, cos := exactmath.SinCos(2 * math.Pi * u2)
	return float64(math.Sqrt(-2*exactmath.Log(1-u1)) * cos.Float())
}

func clampLength(f float64) int {
	if !(f > 1) { // also what is no number
		return 1
	}
	return int(min(f, maxTokens))
}
