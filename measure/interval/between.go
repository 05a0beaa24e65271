package interval

import "math"

// Between returns the mean of a figure over whole repeats of a run and its 95 %
// interval by Student's t distribution: what one repeat differs from another by,
// which a single run can't tell. There is none for fewer than two.
func Between(values []float64) (mean, low, high float64, ok bool) {
	n := float64(len(values))
	if len(values) == 0 {
		return 0, 0, 0, false
	}
	for _, v := range values {
		mean += v / n
	}
	squares := 0.0
	for _, v := range values {
		squares += (v - mean) * (v - mean)
	}
	if len(values) < 2 {
		return mean, 0, 0, false
	}
	half := studentT(n-1) * math.Sqrt(squares/(n-1)/n)
	return mean, mean - half, mean + half, true
}
