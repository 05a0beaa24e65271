package simulate

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"
)

// distKind names a distribution.
type distKind uint8

const (
	fixed distKind = iota
	uniform
	normal
	lognormal
	exponential
)

// dist is a distribution of durations in nanoseconds or of counts. lognormal
// keeps the parameters of the underlying normal.
type dist struct {
	kind distKind
	a, b float64
}

// maxDraw bounds what is drawn, so that sums of draws can't overflow.
const maxDraw = float64(24 * time.Hour)

// draw returns a value, at least 0.
func (d *dist) draw(r *rand.Rand) int64 {
	v := d.a
	switch d.kind {
	case uniform:
		v = d.a + (d.b-d.a)*r.Float64()
	case normal:
		v = d.a + d.b*r.NormFloat64()
	case lognormal:
		v = math.Exp(d.a + d.b*r.NormFloat64())
	case exponential:
		v = d.a * r.ExpFloat64()
	}
	return int64(math.Round(min(max(v, 0), maxDraw)))
}

func parseDurationDist(s string) (dist, error) {
	return parseDist(s, func(s string) (float64, error) {
		v, err := time.ParseDuration(s)
		if err != nil {
			return 0, fmt.Errorf("%q is not a duration such as 50ms", s)
		}
		if v > 24*time.Hour {
			return 0, fmt.Errorf("%s is more than 24h", s)
		}
		return float64(v), nil
	})
}

func parseCountDist(s string) (dist, error) {
	return parseDist(s, func(s string) (float64, error) {
		v, err := strconv.ParseFloat(s, 64)
		if err != nil || math.IsNaN(v) || v > 1e9 {
			return 0, fmt.Errorf("%q is not a number of at most 1e9", s)
		}
		return v, nil
	})
}

func parseDist(s string, number func(string) (float64, error)) (dist, error) {
	name, args, found := strings.Cut(s, ":")
	if !found {
		name, args = "fixed", s
	}
	kinds := map[string]struct {
		kind distKind
		args int
	}{
		"fixed": {fixed, 1}, "uniform": {uniform, 2}, "normal": {normal, 2}, "lognormal": {lognormal, 2}, "exp": {exponential, 1},
	}
	k, ok := kinds[name]
	if !ok {
		return dist{}, fmt.Errorf("unknown distribution %q: must be fixed, uniform, normal, lognormal or exp", name)
	}
	parts := strings.Split(args, ":")
	if len(parts) != k.args {
		return dist{}, fmt.Errorf("%s takes %d values, got %q", name, k.args, args)
	}
	d := dist{kind: k.kind}
	for i, to := range []*float64{&d.a, &d.b}[:k.args] {
		v, err := number(parts[i])
		if err != nil {
			return dist{}, err
		}
		if v < 0 {
			return dist{}, fmt.Errorf("%s must not be negative", parts[i])
		}
		*to = v
	}
	return d.finish(s)
}

// finish checks what single values can't tell, and turns lognormal's mean and
// standard deviation into its parameters.
func (d dist) finish(s string) (dist, error) {
	switch {
	case d.kind == uniform && d.b < d.a:
		return dist{}, fmt.Errorf("%s: the upper end is below the lower", s)
	case d.kind == lognormal && d.a == 0:
		return dist{}, fmt.Errorf("%s: the mean must be above 0", s)
	case d.kind == lognormal:
		v := math.Log1p(d.b * d.b / (d.a * d.a))
		d.a, d.b = math.Log(d.a)-v/2, math.Sqrt(v)
	}
	return d, nil
}
