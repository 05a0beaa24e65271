package plot

import (
	"math"
	"strconv"
	"strings"
)

// scale maps a stretch of values to ticks at round numbers.
type scale struct {
	min, max float64
	step     float64
}

// countScale reaches from 0 to a round number at or above most, in about n steps.
func countScale(most float64, n int, whole bool) scale {
	step := niceStep(most/float64(n), []float64{1, 2, 2.5, 5, 10})
	if whole {
		step = math.Max(1, math.Ceil(step))
	}
	if !(most > 0) {
		step = 1
	}
	return scale{max: math.Max(step, math.Ceil(most/step-1e-9)*step), step: step}
}

// niceStep is the least of the nice numbers, times a power of ten, that is at
// least v.
func niceStep(v float64, nice []float64) float64 {
	if !(v > 0) || math.IsInf(v, 0) {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, n := range nice {
		if n*power >= v*(1-1e-9) {
			return n * power
		}
	}
	return 10 * power
}

// ticks are the round values within the scale.
func (s scale) ticks() []float64 {
	var all []float64
	for i := math.Ceil(s.min/s.step - 1e-9); i*s.step <= s.max*(1+1e-9); i++ {
		all = append(all, i*s.step)
	}
	return all
}

// label shows a tick with as many decimals as the step needs.
func (s scale) label(v float64) string {
	decimals := 0
	for step := s.step; decimals < 6 && math.Abs(step-math.Round(step)) > 1e-6*step; step *= 10 {
		decimals++
	}
	return grouped(v, decimals)
}

// timeUnit is what a time axis counts.
type timeUnit struct {
	name    string
	seconds float64
}

// timeScale spans begin to end, given in seconds, in the unit that reads best; a
// tick then stands for scale value times unit.seconds.
func timeScale(begin, end float64, n int) (scale, timeUnit) {
	u := timeUnit{"s", 1}
	switch span := end - begin; {
	case span > 3*3600:
		u = timeUnit{"h", 3600}
	case span > 600:
		u = timeUnit{"min", 60}
	}
	nice := []float64{1, 2, 5, 10}
	if u.seconds > 1 {
		nice = []float64{1, 2, 3, 5, 10}
	}
	s := scale{min: begin / u.seconds, max: end / u.seconds}
	s.step = niceStep((s.max-s.min)/float64(n), nice)
	return s, u
}

// grouped shows v with n decimals and commas between thousands.
func grouped(v float64, n int) string {
	s := strconv.FormatFloat(math.Abs(v), 'f', n, 64)
	whole, rest, _ := strings.Cut(s, ".")
	var b strings.Builder
	if v < 0 {
		b.WriteByte('-')
	}
	for i, c := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(c)
	}
	if rest != "" {
		b.WriteByte('.')
		b.WriteString(rest)
	}
	return b.String()
}

// short shows v with three digits or, when it is large, as a whole number.
func short(v float64) string {
	switch a := math.Abs(v); {
	case a >= 100 || a == math.Trunc(a):
		return grouped(v, 0)
	case a >= 10:
		return grouped(v, 1)
	default:
		return grouped(v, 2)
	}
}
