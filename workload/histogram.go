package workload

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// Further notations of a histogram: all values alike, and a file of them.
const (
	distValues = "values"
	distFile   = "file"
)

// maxBins bounds a histogram, and with it the spec that holds it.
const maxBins = 10_000

// histogram is a distribution that was counted: a bin is as likely as its weight,
// and a length in it as any other in it.
type histogram struct{ bins []bin }

// bin is one stretch of lengths.
type bin struct {
	from, to int // both in it
	weight   float64
	upTo     float64 // sum of the weights up to and with this bin
}

func parseHistogram(text string) (Dist, error) {
	var bins []bin
	for item := range strings.SplitSeq(text, ",") {
		lengths, weight, ok := strings.Cut(strings.TrimSpace(item), "=")
		if !ok {
			return Dist{}, fmt.Errorf("must be histogram:LENGTH=WEIGHT,FROM-TO=WEIGHT, got %s", quote(item))
		}
		b, err := parseBin(lengths, weight)
		if err != nil {
			return Dist{}, err
		}
		bins = append(bins, b)
	}
	return newHistogram(bins)
}

func parseValues(text string) (Dist, error) {
	var bins []bin
	for item := range strings.SplitSeq(text, ",") {
		b, err := parseBin(item, "1")
		if err != nil {
			return Dist{}, err
		}
		bins = append(bins, b)
	}
	return newHistogram(bins)
}

// parseBin reads a length or FROM-TO, and a weight.
func parseBin(lengths, weight string) (bin, error) {
	from, to, isRange := strings.Cut(strings.TrimSpace(lengths), "-")
	if !isRange {
		to = from
	}
	a, errA := wholeLength(from)
	b, errB := wholeLength(to)
	if errA != nil || errB != nil || b < a {
		return bin{}, fmt.Errorf("must have lengths from 1 to %d, or ranges FROM-TO of them, got %s", maxTokens, quote(lengths))
	}
	w, err := strconv.ParseFloat(strings.TrimSpace(weight), 64)
	if err != nil || isHexFloat(weight) || !(w >= 0) || w > 1e15 {
		return bin{}, fmt.Errorf("must have weights from 0 to 1e15, got %s", quote(weight))
	}
	return bin{from: a, to: b, weight: w}, nil
}

func wholeLength(s string) (int, error) {
	n, err := strconv.Atoi(strings.TrimSpace(s))
	if err != nil || n < 1 || n > maxTokens {
		return 0, fmt.Errorf("%s is no length", quote(s))
	}
	return n, nil
}

// newHistogram sorts bins, adds up those that are the same, and leaves out those
// without weight, so that what was counted is written in one way only.
func newHistogram(bins []bin) (Dist, error) {
	slices.SortStableFunc(bins, func(a, b bin) int {
		if a.from != b.from {
			return a.from - b.from
		}
		return a.to - b.to
	})
	h := &histogram{}
	sum := 0.0
	for _, b := range bins {
		last := len(h.bins) - 1
		switch {
		case b.weight == 0:
			continue
		case last >= 0 && h.bins[last].from == b.from && h.bins[last].to == b.to:
			h.bins[last].weight += b.weight
		default:
			h.bins = append(h.bins, b)
			last++
		}
		sum += b.weight
		h.bins[last].upTo = sum
	}
	switch {
	case len(h.bins) == 0:
		return Dist{}, errors.New("must have a length with a weight above 0")
	case len(h.bins) > maxBins:
		return Dist{}, fmt.Errorf("must have at most %d different lengths or ranges, got %d", maxBins, len(h.bins))
	}
	return Dist{Kind: DistHistogram, bins: h}, nil
}

// at picks a bin by u1 and a length in it by u2.
func (h *histogram) at(u1, u2 float64) int {
	point := float64(u1 * h.bins[len(h.bins)-1].upTo)
	i := sort.Search(len(h.bins)-1, func(i int) bool { return h.bins[i].upTo > point })
	b := h.bins[i]
	return min(b.from+int(math.Floor(float64(u2*float64(b.to-b.from+1)))), b.to)
}

func (h *histogram) mean() float64 {
	sum := 0.0
	for _, b := range h.bins {
		sum += float64(b.weight * float64(b.from+b.to) / 2)
	}
	return sum / h.bins[len(h.bins)-1].upTo
}

// String returns the notation that ParseDist reads.
func (h *histogram) String() string {
	var b strings.Builder
	b.WriteString(DistHistogram)
	for i, bin := range h.bins {
		if i == 0 {
			b.WriteByte(':')
		} else {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Itoa(bin.from))
		if bin.to > bin.from {
			b.WriteString("-" + strconv.Itoa(bin.to))
		}
		b.WriteString("=" + strconv.FormatFloat(bin.weight, 'g', -1, 64))
	}
	return b.String()
}
