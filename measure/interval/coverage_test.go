package interval

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"gonum.org/v1/gonum/stat/distuv"
)

// process makes the values of a run's requests, one slice a request, of a
// distribution whose quantiles and mean are known.
type process struct {
	name     string
	values   func(rng *rand.Rand, n int) [][]float64
	quantile func(q float64) float64
	mean     float64
}

func iid(name string, at func(u float64) float64, mean float64) process {
	return process{name: name, quantile: at, mean: mean, values: func(rng *rand.Rand, n int) [][]float64 {
		all := make([][]float64, n)
		for i := range all {
			all[i] = []float64{at(rng.Float64())}
		}
		return all
	}}
}

// correlated is a first-order autoregression of normal values behind a monotone
// map.
func correlated(rho float64, at func(z float64) float64, mean float64) process {
	return process{
		name: fmt.Sprintf("AR(1) %g", rho), mean: mean,
		quantile: func(q float64) float64 { return at(distuv.UnitNormal.Quantile(q)) },
		values: func(rng *rand.Rand, n int) [][]float64 {
			all, z := make([][]float64, n), rng.NormFloat64()
			for i := range all {
				z = rho*z + math.Sqrt(1-rho*rho)*rng.NormFloat64()
				all[i] = []float64{at(z)}
			}
			return all
		},
	}
}

// clustered are gaps of requests that are slow or fast as a whole: a share of the
// variance is the request's own, and that follows an autoregression.
func clustered(share, rho float64, length func(*rand.Rand) int) process {
	return process{
		name: fmt.Sprintf("clusters %g, AR(1) %g", share, rho), mean: math.Exp(0.125),
		quantile: func(q float64) float64 { return math.Exp(0.5 * distuv.UnitNormal.Quantile(q)) },
		values: func(rng *rand.Rand, n int) [][]float64 {
			all, own := make([][]float64, n), rng.NormFloat64()
			for i := range all {
				own = rho*own + math.Sqrt(1-rho*rho)*rng.NormFloat64()
				all[i] = make([]float64, length(rng))
				for j := range all[i] {
					all[i][j] = math.Exp(0.5 * (math.Sqrt(share)*own + math.Sqrt(1-share)*rng.NormFloat64()))
				}
			}
			return all
		},
	}
}

func exponential(u float64) float64 { return -math.Log1p(-u) }
func lognormal(z float64) float64   { return math.Exp(0.5 * z) }

// sums adds up over blocks what count makes of a request.
func sums(values [][]float64, count func([]float64) float64) []float64 {
	k := min(len(values), 4096)
	sum := make([]float64, k)
	for i, v := range values {
		sum[i*k/len(values)] += count(v)
	}
	return sum
}

func total(v []float64) (sum float64) {
	for _, x := range v {
		sum += x
	}
	return sum
}

func below(at float64) func([]float64) float64 {
	return func(v []float64) (n float64) {
		for _, x := range v {
			if x <= at {
				n++
			}
		}
		return n
	}
}

// nearest is the value of nearest rank.
func nearest(sorted []float64, q float64) float64 {
	return sorted[max(int(math.Ceil(q*float64(len(sorted))-1e-9)), 1)-1]
}

// tally counts intervals that hold the truth.
type tally struct {
	given, held int
	worth       float64
}

var quantiles = []float64{0.05, 0.5, 0.9, 0.95, 0.99}

// simulate runs a process often and tallies by quantile, the mean last.
func simulate(p process, n, runs int, seed uint64) []tally {
	tallies := make([]tally, len(quantiles)+1)
	seeds, first := make([]uint64, 2*runs), rand.New(rand.NewPCG(seed, 0))
	for i := range seeds {
		seeds[i] = first.Uint64()
	}
	var mu sync.Mutex
	var next atomic.Int64
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for i := next.Add(1) - 1; i < int64(runs); i = next.Add(1) - 1 {
				one := simulateOnce(p, n, rand.New(rand.NewPCG(seeds[2*i], seeds[2*i+1])))
				mu.Lock()
				for j := range one {
					tallies[j].given += one[j].given
					tallies[j].held += one[j].held
					tallies[j].worth += one[j].worth
				}
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	return tallies
}

func simulateOnce(p process, n int, rng *rand.Rand) []tally {
	values := p.values(rng, n)
	var sorted []float64
	for _, v := range values {
		sorted = append(sorted, v...)
	}
	slices.Sort(sorted)
	tallies := make([]tally, len(quantiles)+1)
	f, ok := New(Blocks{
		Requests: int64(n), Sum: sums(values, total), Median: sums(values, below(nearest(sorted, 0.5))),
		Weight: sums(values, func(v []float64) float64 { return float64(len(v)) }),
	})
	if !ok {
		return tallies
	}
	for i, q := range quantiles {
		if low, high, ok := f.Ranks(q, sums(values, below(nearest(sorted, q)))); ok {
			tallies[i] = count(sorted[low-1], p.quantile(q), sorted[high-1], f.worth)
		}
	}
	if low, high, ok := f.Mean(); ok {
		tallies[len(quantiles)] = count(low, p.mean, high, f.worth)
	}
	return tallies
}

func count(low, truth, high, worth float64) tally {
	t := tally{given: 1, worth: worth}
	if low <= truth && truth <= high {
		t.held = 1
	}
	return t
}

// TestCoverage holds the intervals against known truths: where they are given as
// a rule, they hold it in 93 runs of 100 or more, and in no more than 97 where at
// least 100 independent values lie beyond the quantile.
func TestCoverage(t *testing.T) {
	fixed := func(*rand.Rand) int { return 20 }
	varied := func(r *rand.Rand) int { return 1 + int(r.ExpFloat64()*15) }
	m := math.Exp(0.125)
	normal := func(u float64) float64 { return lognormal(distuv.UnitNormal.Quantile(u)) }
	for _, tt := range []struct {
		p          process
		n, runs    int
		givesNone  bool // the run is worth too little
		almostNone bool // so little that intervals are rare and may miss
	}{
		{p: iid("exponential", exponential, 1), n: 50, runs: 200, givesNone: true},
		{p: iid("exponential", exponential, 1), n: 200, runs: 2000},
		{p: iid("exponential", exponential, 1), n: 2000, runs: 1500},
		{p: iid("exponential", exponential, 1), n: 10_500, runs: 1000},
		{p: iid("lognormal", normal, m), n: 3000, runs: 1000},
		{p: correlated(0.3, lognormal, m), n: 3000, runs: 1000},
		{p: correlated(0.6, lognormal, m), n: 3000, runs: 1000},
		{p: correlated(0.9, lognormal, m), n: 300, runs: 500, almostNone: true},
		{p: correlated(0.9, lognormal, m), n: 6000, runs: 1000},
		{p: correlated(0.97, lognormal, m), n: 2000, runs: 500, almostNone: true},
		{p: clustered(0.5, 0, fixed), n: 400, runs: 1000},
		{p: clustered(0.2, 0, varied), n: 400, runs: 1000},
		{p: clustered(0.2, 0, varied), n: 1000, runs: 600},
		{p: clustered(0.5, 0.6, varied), n: 2000, runs: 500},
		{p: clustered(0.9, 0.9, varied), n: 500, runs: 400, almostNone: true},
	} {
		t.Run(fmt.Sprintf("%s of %d", tt.p.name, tt.n), func(t *testing.T) {
			runs := int(effort * float64(tt.runs))
			for i, y := range simulate(tt.p, tt.n, runs, 1234) {
				judge(t, i, y, runs, tt.givesNone, tt.almostNone)
			}
		})
	}
}

func judge(t *testing.T, i int, y tally, runs int, givesNone, almostNone bool) {
	t.Helper()
	name, beyond := "mean", 0.0
	if i < len(quantiles) {
		name = fmt.Sprintf("p%g", 100*quantiles[i])
	}
	given, missed := float64(y.given)/float64(runs), float64(y.given-y.held)/float64(runs)
	if i < len(quantiles) && y.given > 0 {
		beyond = y.worth / float64(y.given) * min(quantiles[i], 1-quantiles[i])
	}
	coverage := float64(y.held) / float64(y.given)
	t.Logf("%-4s given in %5.1f %% of runs, holds the truth in %5.1f %% of them", name, 100*given, 100*coverage)
	switch {
	case givesNone:
		if y.given > 0 {
			t.Errorf("%s: %d intervals, want none", name, y.given)
		}
	case missed > 0.07+slack:
		t.Errorf("%s: %.1f %% of runs have an interval without the truth", name, 100*missed)
	case almostNone || given < 0.9:
	case coverage < 0.93-slack:
		t.Errorf("%s: holds the truth in %.1f %%, want 93 %% or more", name, 100*coverage)
	case beyond >= 100 && coverage > 0.97+slack:
		t.Errorf("%s: holds the truth in %.1f %%, want 97 %% or less with %.0f values beyond", name, 100*coverage, beyond)
	}
}
