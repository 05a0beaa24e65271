package interval

import "math"

// estimate is a ratio of sums with the variance that batches show.
type estimate struct {
	ratio    float64
	variance float64
	degrees  float64 // of freedom of the variance
}

// ratio estimates the sum of what over the number of values. There is no estimate
// when batches that are long enough to be uncorrelated are too few.
func (f *Figure) ratio(what []float64) (estimate, bool) {
	sum := 0.0
	for _, v := range what {
		sum += v
	}
	e := estimate{ratio: sum / f.total, degrees: minBatches - 1}
	deviations := make([]float64, len(what))
	for i := range deviations {
		deviations[i] = what[i] - e.ratio*f.blocks.Weight[i]
	}
	batches, hidden, ok := uncorrelated(deviations, f.blocks.Requests)
	if !ok {
		return e, false
	}
	squares := 0.0
	for _, s := range batches {
		squares += s * s
	}
	k := float64(len(batches))
	e.degrees = k - 1
	e.variance = squares * k / (k - 1) / (f.total * f.total) / (1 - hidden)
	return e, true
}

// uncorrelated adds up deviations over batches. They are as long as the
// correlation between neighbours advises, at least the cube root of the number of
// requests, and longer while neighbouring batches still move together. Hidden is
// the part of the variance that batches of that length do not show.
func uncorrelated(deviations []float64, requests int64) (batches []float64, hidden float64, ok bool) {
	blocks := float64(len(deviations))
	r := correlation(deviations)
	length := max(math.Cbrt(float64(requests))*blocks/float64(requests), advised(r, blocks), 1)
	for {
		k := int(blocks / length)
		if k < minBatches {
			return nil, 0, false
		}
		batches = gather(deviations, k)
		if correlation(batches) <= tolerated(k) {
			if r > tolerated(len(deviations)) {
				hidden = reach(r) / length
			}
			return batches, hidden, true
		}
		length *= math.Sqrt2
	}
}

// reach is how many blocks a correlation reaches that dies away geometrically
// from r between neighbours.
func reach(r float64) float64 {
	r = min(max(r, 0), 0.99)
	return 2 * r / (1 - r*r)
}

// advised is the length of batches, in blocks, for a correlation that dies away
// geometrically from r between neighbours: twice what makes the error of the
// variance least (Carlstein 1986), since an interval suffers more from a variance
// that is too small than from one that scatters.
func advised(r, blocks float64) float64 {
	return 2 * math.Pow(reach(r), 2.0/3) * math.Cbrt(1.5*blocks)
}

// tolerated is the correlation between neighbours that k independent batches
// exceed once in ten times.
func tolerated(k int) float64 { return 1.28 / math.Sqrt(float64(k)) }

// gather adds up consecutive items over k parts of equal length, to within one.
func gather(items []float64, k int) []float64 {
	parts := make([]float64, k)
	for i := range parts {
		for _, v := range items[i*len(items)/k : (i+1)*len(items)/k] {
			parts[i] += v
		}
	}
	return parts
}

// correlation is that between neighbours, of items whose mean is 0.
func correlation(items []float64) float64 {
	products, squares := 0.0, 0.0
	for i, v := range items {
		squares += v * v
		if i > 0 {
			products += v * items[i-1]
		}
	}
	if squares == 0 {
		return 0
	}
	return products / squares
}
