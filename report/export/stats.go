package export

import (
	"math"
	"slices"
)

// sample is a set of values, sorted, with the moments that tools report.
type sample struct {
	sorted    []float64
	sum       float64
	mean, std float64 // of the population
}

// newSample takes the values over and sorts them; nil when there are none.
func newSample(values []float64) *sample {
	if len(values) == 0 {
		return nil
	}
	slices.Sort(values)
	s := &sample{sorted: values}
	for _, v := range values {
		s.sum += v
	}
	s.mean = s.sum / float64(len(values))
	squares := 0.0
	for _, v := range values {
		squares += (v - s.mean) * (v - s.mean)
	}
	s.std = math.Sqrt(squares / float64(len(values)))
	return s
}

func (s *sample) count() int   { return len(s.sorted) }
func (s *sample) min() float64 { return s.sorted[0] }
func (s *sample) max() float64 { return s.sorted[len(s.sorted)-1] }

// percentile interpolates linearly between the two nearest ranks, which is
// numpy's default: rank p/100·(n-1).
func (s *sample) percentile(p float64) float64 {
	rank := p / 100 * float64(len(s.sorted)-1)
	low := int(rank)
	if low >= len(s.sorted)-1 {
		return s.max()
	}
	return s.sorted[low] + (rank-float64(low))*(s.sorted[low+1]-s.sorted[low])
}

// weighted is a distribution of weighted values whose percentile is the least
// value that the share of the weight below it reaches.
type weighted struct {
	values []weightedValue // sorted
	weight float64
}

type weightedValue struct{ value, weight float64 }

// newWeighted takes the values over; nil when nothing has a weight.
func newWeighted(values []weightedValue) *weighted {
	values = slices.DeleteFunc(values, func(v weightedValue) bool { return !(v.weight > 0) })
	if len(values) == 0 {
		return nil
	}
	slices.SortFunc(values, func(a, b weightedValue) int {
		switch {
		case a.value < b.value:
			return -1
		case a.value > b.value:
			return 1
		}
		return 0
	})
	d := &weighted{values: values}
	for _, v := range values {
		d.weight += v.weight
	}
	return d
}

func (d *weighted) sum() float64 {
	sum := 0.0
	for _, v := range d.values {
		sum += v.value * v.weight
	}
	return sum
}

func (d *weighted) variance() float64 {
	mean, sum := d.sum()/d.weight, 0.0
	for _, v := range d.values {
		sum += v.weight * (v.value - mean) * (v.value - mean)
	}
	return sum / d.weight
}

func (d *weighted) percentile(p float64) float64 {
	reached, wanted := 0.0, p/100*d.weight*(1-1e-12)
	for _, v := range d.values {
		if reached += v.weight; reached >= wanted {
			return v.value
		}
	}
	return d.values[len(d.values)-1].value
}

// mode is the value that has the most weight, the least of several.
func (d *weighted) mode() float64 {
	best, most := d.values[0].value, 0.0
	for i := 0; i < len(d.values); {
		value, weight := d.values[i].value, 0.0
		for ; i < len(d.values) && d.values[i].value == value; i++ {
			weight += d.values[i].weight
		}
		if weight > most {
			best, most = value, weight
		}
	}
	return best
}
