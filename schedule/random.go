package schedule

import (
	"math"
	"sort"

	"github.com/stampede-bench/stampede/internal/draw"
	"github.com/stampede-bench/stampede/internal/exactmath"
)

// gaps draws the distances between random arrivals: gamma with the burstiness as
// its shape, as in vLLM, which for 1 is the exponential of a Poisson process.
// Gap i is a pure function of (seed, stream, i), rounded to an integer, so sums
// of gaps are exact in any order.
type gaps struct {
	draws draw.Stream
	shape float64
	scale float64 // mean gap in the unit of the sum, divided by the shape
}

func newGaps(draws draw.Stream, shape, mean float64) gaps {
	return gaps{draws: draws, shape: shape, scale: mean / shape}
}

// at is gap i.
func (g *gaps) at(i int64) int64 {
	var x float64
	if g.shape == 1 {
		x = -exactmath.Log(g.draws.Uniform(i, 0))
	} else {
		x = g.gamma(i)
	}
	return int64(min(float64(x*g.scale)+0.5, maxNanos))
}

// gamma is a draw of the gamma distribution by Marsaglia and Tsang's method
// (2000): attempts until one is accepted, each with draws of its own.
func (g *gaps) gamma(i int64) float64 {
	shape, boost := g.shape, 1.0
	if shape < 1 {
		boost = exactmath.Exp(exactmath.Log(g.draws.Uniform(i, 0)) / shape)
		shape++
	}
	d := shape - 1.0/3
	c := 1 / math.Sqrt(float64(9*d))
	for j := uint64(1); ; j += 3 {
		x, ok := normal(g.draws.Uniform(i, j), g.draws.Uniform(i, j+1))
		v := 1 + float64(c*x)
		if !ok || v <= 0 {
			continue
		}
		v = float64(v*v) * v
		u := g.draws.Uniform(i, j+2)
		if exactmath.Log(u) < float64(0.5*float64(x*x))+d-float64(d*v)+float64(d*exactmath.Log(v)) {
			return float64(d*v) * boost
		}
	}
}

// normal is a standard normal by the polar method, from two uniforms; not ok
// asks for another two.
func normal(u1, u2 float64) (float64, bool) {
	a, b := float64(2*u1)-1, float64(2*u2)-1
	s := float64(a*a) + float64(b*b)
	if s >= 1 || s == 0 {
		return 0, false
	}
	return a * math.Sqrt(float64(-2*exactmath.Log(s))/s), true
}

// markEvery is how many entries lie between two remembered sums.
const markEvery = 256

// random is the prefix sums of gaps, remembered every markEvery entries and put
// on the time line by to, when the rate changes.
type random struct {
	gaps  gaps
	to    func(sum int64) int64 // nil: sums are nanoseconds
	marks []int64               // sum of the gaps before entry j·markEvery
	n     int64
}

// newRandom draws until a sum reaches limit (0: no limit) or until most entries
// (-1: no bound). It also returns the sum at which entry n would stand, and false
// when maxSessions or the sum highest is passed before, or ended says so.
func newRandom(ended func() bool, g gaps, limit, most, highest int64) (*random, int64, bool) {
	r := &random{gaps: g}
	var sum int64
	for {
		if r.n%markEvery == 0 {
			if ended() {
				return nil, 0, false
			}
			r.marks = append(r.marks, sum)
		}
		next := sum + r.gaps.at(r.n)
		if (limit > 0 && next >= limit) || r.n == most {
			return r, next, true
		}
		if r.n == maxSessions || next > highest {
			return nil, 0, false
		}
		sum = next
		r.n++
	}
}

func (r *random) offset(k int64) int64 { return r.cursor(k)(k) }

func (r *random) cursor(k int64) func(int64) int64 {
	i := k / markEvery * markEvery
	sum := r.marks[i/markEvery]
	return func(k int64) int64 {
		for ; i <= k; i++ {
			sum += r.gaps.at(i)
		}
		return r.place(sum)
	}
}

// before finds the mark by bisection and walks from there.
func (r *random) before(offset int64) int64 {
	j := sort.Search(len(r.marks), func(j int) bool { return j > 0 && r.place(r.marks[j]) >= offset })
	k := int64(max(j-1, 0)) * markEvery
	at := r.cursor(k)
	for k < r.n && at(k) < offset {
		k++
	}
	return k
}

func (r *random) place(sum int64) int64 {
	if r.to == nil {
		return sum
	}
	return r.to(sum)
}
