package measure

import (
	"fmt"
	"math"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// scale fixes the bounds of a kind of value; they are the same everywhere, so
// that histograms merge.
type scale struct {
	unit      string
	low, high int64
	// per is how many of the recorded integers make one of the unit.
	per float64
}

var (
	nanoseconds     = scale{unit: "s", low: 1_000, high: 24 * 3600 * 1_000_000_000, per: 1e9}
	tokens          = scale{unit: "tokens", low: 1, high: math.MaxInt32, per: 1}
	milliPerSecond  = scale{unit: "1/s", low: 1, high: 1e15, per: 1e3}  // a reply that is there at once
	partsPerMillion = scale{unit: "ratio", low: 1, high: 1e9, per: 1e6} // endpoints tell shares above 1, too
)

// Digits of precision: whole histograms, and the parts kept per agent.
const (
	fullDigits = 3
	partDigits = 2
)

// Histogram is a distribution of integers: quantiles to its digits of precision,
// and count, mean, standard deviation, minimum and maximum exactly, beside them.
// One goroutine owns it.
type Histogram struct {
	scale  *scale
	digits int
	hdr    *hdrhistogram.Histogram // made on the first value

	count    int64
	sums     sums
	min, max int64
	overflow int64
}

func newHistogram(s *scale, digits int) *Histogram {
	return &Histogram{scale: s, digits: digits, min: math.MaxInt64, max: math.MinInt64}
}

// Record adds v n times. A value beyond the bounds is counted as overflow; it is
// in count, mean and extremes but in no quantile.
func (h *Histogram) Record(v, n int64) {
	if n <= 0 {
		return
	}
	if h.hdr == nil {
		h.hdr = hdrhistogram.New(h.scale.low, h.scale.high, h.digits)
	}
	if v < 0 || h.hdr.RecordValues(v, n) != nil {
		h.overflow += n
	}
	h.min, h.max = min(h.min, v), max(h.max, v)
	h.count += n
	h.sums.add(v, n)
}

// Merge adds o to h and returns how many values h could not take; they are
// counted as overflow.
func (h *Histogram) Merge(o *Histogram) (dropped int64, err error) {
	if o == nil || o.count == 0 {
		return 0, nil
	}
	if h.scale != o.scale {
		return 0, fmt.Errorf("merge histograms: bounds of %s and %s differ", h.scale.unit, o.scale.unit)
	}
	switch {
	case o.hdr == nil:
	case h.hdr == nil && h.digits == o.digits:
		h.hdr = o.hdr.Clone()
	default:
		if h.hdr == nil {
			h.hdr = hdrhistogram.New(h.scale.low, h.scale.high, h.digits)
		}
		dropped = h.hdr.Merge(o.hdr)
	}
	h.overflow += o.overflow + dropped
	h.min, h.max = min(h.min, o.min), max(h.max, o.max)
	h.count += o.count
	h.sums.merge(&o.sums)
	return dropped, nil
}

// Count is how many values there are.
func (h *Histogram) Count() int64 { return h.count }

// Overflow is how many of them lie beyond the bounds.
func (h *Histogram) Overflow() int64 { return h.overflow }

// Quantile returns the value of nearest rank ceil(q·n), to the histogram's
// precision, in the scale's integers.
func (h *Histogram) Quantile(q float64) (int64, bool) {
	if h.hdr == nil {
		return 0, false
	}
	n := h.hdr.TotalCount()
	if n == 0 {
		return 0, false
	}
	k := max(int64(math.Ceil(q*float64(n)-1e-9)), 1)
	// The library rounds q·n to the nearest rank; k/n hits k exactly.
	v := h.hdr.ValueAtQuantile(100 * float64(k) / float64(n))
	switch {
	case k == 1 && h.overflow == 0:
		v = h.min
	case v < h.scale.low:
		v = 0 // below the first bucket's end there is no telling
	}
	return min(max(v, h.min), h.max), true
}

// Distribution is a figure in a report. Values are in Unit; nil is null, which
// means that there is none.
type Distribution struct {
	Unit  string   `json:"unit"`
	Count int64    `json:"count"`
	Min   *float64 `json:"min"`
	Max   *float64 `json:"max"`
	Mean  *float64 `json:"mean"`
	Std   *float64 `json:"std"` // of the population
	P1    *float64 `json:"p1"`
	P5    *float64 `json:"p5"`
	P10   *float64 `json:"p10"`
	P25   *float64 `json:"p25"`
	P50   *float64 `json:"p50"`
	P75   *float64 `json:"p75"`
	P90   *float64 `json:"p90"`
	P95   *float64 `json:"p95"`
	P99   *float64 `json:"p99"`
	P999  *float64 `json:"p999"`
	// CI95 holds 95 % intervals, lower and upper end, by the name of the value.
	CI95 map[string][2]float64 `json:"ci95"`
}

// Distribution returns the figure that h makes; all its values are nil when h is
// empty.
func (h *Histogram) Distribution() *Distribution {
	d := &Distribution{Unit: h.scale.unit, Count: h.count}
	if h.count == 0 {
		return d
	}
	in := func(v float64) *float64 { v /= h.scale.per; return &v }
	d.Min, d.Max = in(float64(h.min)), in(float64(h.max))
	d.Mean, d.Std = in(h.sums.mean(h.count)), in(math.Sqrt(h.sums.variance(h.count)))
	for _, q := range []struct {
		q  float64
		to **float64
	}{
		{0.01, &d.P1}, {0.05, &d.P5}, {0.1, &d.P10}, {0.25, &d.P25}, {0.5, &d.P50}, {0.75, &d.P75},
		{0.9, &d.P90}, {0.95, &d.P95}, {0.99, &d.P99}, {0.999, &d.P999},
	} {
		if v, ok := h.Quantile(q.q); ok {
			*q.to = in(float64(v))
		}
	}
	return d
}
