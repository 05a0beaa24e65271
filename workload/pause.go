package workload

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// Pause is a distribution of durations, to the millisecond. It is a value
// without state.
type Pause struct{ dist Dist } // of milliseconds; Kind "" is always 0

const maxPause = 24 * time.Hour

// ParsePause reads "5s", "uniform:2s:8s", "normal:5s:1s" or "lognormal:8s:4s".
func ParsePause(text string) (Pause, error) {
	parts := strings.Split(strings.TrimSpace(text), ":")
	wrong := fmt.Errorf("must be a duration such as 5s, or uniform:2s:8s, normal:5s:1s, lognormal:8s:4s, each at most 24h, got %s", quote(text))
	kind := DistFixed
	if len(parts) == 3 {
		kind, parts = parts[0], parts[1:]
	}
	ms := make([]float64, len(parts))
	for i, part := range parts {
		d, err := ParseDuration(part)
		if err != nil || d < 0 || d.D() > maxPause {
			return Pause{}, wrong
		}
		ms[i] = math.Round(float64(d) / float64(time.Millisecond))
	}
	switch {
	case len(ms) == 1 && kind == DistFixed:
		if ms[0] == 0 {
			return Pause{}, nil
		}
		return Pause{Dist{Kind: DistFixed, A: ms[0]}}, nil
	case len(ms) != 2:
		return Pause{}, wrong
	case kind == DistUniform && ms[0] <= ms[1], (kind == DistNormal || kind == DistLognormal) && ms[0] >= 1:
		return Pause{Dist{Kind: kind, A: ms[0], B: ms[1]}}, nil
	}
	return Pause{}, wrong
}

// At maps two uniform draws from [0,1) to a duration. It is a pure function, the
// same on every CPU.
func (p Pause) At(u1, u2 float64) time.Duration {
	switch p.dist.Kind {
	case "":
		return 0
	case DistUniform: // may be 0, which no length is
		return time.Duration(p.dist.A+math.Floor(float64(u1*(p.dist.B-p.dist.A+1)))) * time.Millisecond
	}
	return min(time.Duration(p.dist.At(u1, u2))*time.Millisecond, maxPause)
}
