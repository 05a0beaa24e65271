package measure

import (
	"math"
	"slices"
)

// Series points stand a second apart, or a power of two of seconds when the run
// is longer than maxPoints of them.
const (
	pointNanos = 1_000_000_000
	maxPoints  = 7200
)

// Second is one point of the series: what happened in the stretch that begins T
// seconds after the run's anchor.
type Second struct {
	T            float64  `json:"t"`
	Sent         int64    `json:"sent"`
	Done         int64    `json:"done"` // succeeded, by their end
	Failed       int64    `json:"failed"`
	InFlight     int64    `json:"in_flight"` // at the stretch's begin
	OutputTokens int64    `json:"output_tokens"`
	TTFTP50      *float64 `json:"ttft_p50"` // s, by arrival of the first token
	TTFTP99      *float64 `json:"ttft_p99"`
}

type point struct {
	sent, done, failed, tokens int64
	ttft                       sketch
}

type series struct {
	width  int64
	points []point
}

func newSeries() series { return series{width: pointNanos} }

func (s *series) at(nanos int64) *point {
	i := max(nanos, 0) / s.width
	for i >= maxPoints {
		s.join()
		i /= 2
	}
	for int64(len(s.points)) <= i {
		s.points = append(s.points, point{})
	}
	return &s.points[i]
}

func (s *series) join() {
	joined := make([]point, (len(s.points)+1)/2, maxPoints)
	for i := range s.points {
		joined[i/2].merge(&s.points[i])
	}
	s.points, s.width = joined, 2*s.width
}

func (p *point) merge(o *point) {
	p.sent += o.sent
	p.done += o.done
	p.failed += o.failed
	p.tokens += o.tokens
	p.ttft.merge(&o.ttft)
}

func (s *series) merge(o *series) {
	other := series{width: o.width, points: o.points}
	for other.width < s.width {
		other.join()
	}
	for s.width < other.width {
		s.join()
	}
	for i := range other.points {
		s.at(int64(i) * s.width).merge(&other.points[i])
	}
}

// sketch is a small histogram in logarithmic buckets of 2 %.
type sketch struct{ buckets []bucket }

type bucket struct {
	key   int16
	count uint32
}

const sketchGrowth = 1.02

func (k *sketch) add(nanos int64, n uint32) {
	key := int16(math.Round(math.Log(float64(max(nanos, 1))) / math.Log(sketchGrowth)))
	k.addKey(key, n)
}

func (k *sketch) addKey(key int16, n uint32) {
	i, found := slices.BinarySearchFunc(k.buckets, key, func(b bucket, key int16) int { return int(b.key) - int(key) })
	if found {
		k.buckets[i].count += n
		return
	}
	k.buckets = slices.Insert(k.buckets, i, bucket{key, n})
}

func (k *sketch) merge(o *sketch) {
	for _, b := range o.buckets {
		k.addKey(b.key, b.count)
	}
}

// quantile in seconds, to 1 %.
func (k *sketch) quantile(q float64) *float64 {
	n := uint64(0)
	for _, b := range k.buckets {
		n += uint64(b.count)
	}
	rank := uint64(math.Ceil(q * float64(n)))
	seen := uint64(0)
	for _, b := range k.buckets {
		if seen += uint64(b.count); seen >= rank {
			v := math.Pow(sketchGrowth, float64(b.key)) / 1e9
			return &v
		}
	}
	return nil
}
