// Package interval estimates 95 % intervals of quantiles and means from the
// values of one run, which follow each other and so are not independent. It is
// pure arithmetic on sums over blocks of consecutive requests; it does not know
// figures or requests (package measure), and it says nothing about what another
// run would give.
//
// The unit is the request. A request has one value or, as with gaps between
// tokens, many, which are then far from independent of each other; a figure is a
// ratio of two sums over requests, and its variance comes from how these sums
// scatter over batches of consecutive requests (batch means). Three steps lead to
// the interval of a quantile:
//
//  1. The share of values at or below the quantile is a ratio; its variance says
//     how many independent values the run is worth.
//  2. The binomial distribution of that many values says which ranks enclose the
//     quantile with 95 %, whatever the values' distribution is.
//  3. The values of those ranks are the interval.
//
// Where a run is worth too few values there is no interval. The limits are such
// that the intervals hold the truth at least 93 times in 100 (coverage_test.go).
package interval

import "math"

// Blocks holds sums over blocks of consecutive requests of about equal number, in
// the order in which they were intended. All lists are of equal length; a block
// without values has zeros.
type Blocks struct {
	// Requests is how many requests with a value there are, in all blocks.
	Requests int64
	// Weight is how many values each block holds, Sum what they add up to.
	Weight, Sum []float64
	// Median counts the values at or below the sample's own median.
	Median []float64
}

// The least that a run must be worth.
const (
	minRequests = 30  // requests with a value
	minBatches  = 25  // that are not correlated
	minWorth    = 100 // independent values, at the median
	// minBeyond is how many independent values must be expected on either side of
	// a quantile. Values near the median are the most alike from one request to the
	// next, so it is their number that counts.
	minBeyond = 15
)

// Figure is one figure of a run, ready for questions about its intervals.
type Figure struct {
	blocks Blocks
	total  float64 // values
	worth  float64 // at the median
}

// New prepares the intervals of a figure; not ok means that the run is too short
// for any.
func New(b Blocks) (*Figure, bool) {
	f := &Figure{blocks: b}
	for _, w := range b.Weight {
		f.total += w
	}
	if b.Requests < minRequests || f.total <= 0 {
		return nil, false
	}
	e, ok := f.ratio(b.Median)
	f.worth = f.independent(&e)
	return f, ok && f.worth >= minWorth
}

// Mean returns the 95 % interval of the mean.
func (f *Figure) Mean() (low, high float64, ok bool) {
	e, ok := f.ratio(f.blocks.Sum)
	half := studentT(e.degrees) * math.Sqrt(e.variance)
	return e.ratio - half, e.ratio + half, ok
}

// Ranks returns between which ranks, of all values in ascending order, from 1 to
// their number, the quantile q of what was sampled lies with 95 %. below counts
// for each block the values at or below the sample's own quantile q.
func (f *Figure) Ranks(q float64, below []float64) (low, high int64, ok bool) {
	e, ok := f.ratio(below)
	if !ok {
		return 0, 0, false
	}
	worth := f.independent(&e)
	if min(worth, f.worth)*min(q, 1-q) < minBeyond {
		return 0, 0, false
	}
	return enclosing(q, worth, f.total)
}

// maxWorth bounds how much more than its number of values a run may be worth,
// which it is when what follows a slow request tends to be fast.
const maxWorth = 1.5

// independent is how many independent values have the variance that was found for
// a share. Few batches tell the variance badly; Student's t in place of the normal
// distribution widens the interval by that.
func (f *Figure) independent(e *estimate) float64 {
	z := studentT(math.Inf(1)) / studentT(e.degrees)
	binomial := e.ratio * (1 - e.ratio)
	if binomial <= 0 || e.variance <= 0 { // all values are alike
		return float64(f.blocks.Requests) * z * z
	}
	return min(binomial/e.variance, maxWorth*f.total) * z * z
}
