package report

import (
	"fmt"
	"net/url"
	"strings"

	"github.com/stampede-bench/stampede/measure"
	"github.com/stampede-bench/stampede/workload"
)

// Describe says a stage's load in words: "10/s poisson for 1m0s".
func Describe(s *workload.Stage) string {
	var parts []string
	switch {
	case s.Rate != nil && s.Rate.Inf():
		parts = append(parts, "all at once")
	case s.Rate != nil && s.EndRate != nil:
		parts = append(parts, fmt.Sprintf("%s to %s/s %s", number3(float64(*s.Rate)), number3(float64(*s.EndRate)), arrival(s)))
	case s.Rate != nil:
		parts = append(parts, fmt.Sprintf("%s/s %s", number3(float64(*s.Rate)), arrival(s)))
	case s.Concurrency != nil:
		parts = append(parts, fmt.Sprintf("concurrency %d", *s.Concurrency))
		if s.ConcurrencyOf == workload.OfSessions {
			parts[0] += " sessions"
		}
	case s.Func != nil:
		parts = append(parts, *s.Func)
	case s.Replay != nil:
		parts = append(parts, replay(s.Replay))
	}
	if s.MaxConcurrency > 0 {
		parts = append(parts, fmt.Sprintf("at most %d in flight", s.MaxConcurrency))
	}
	if s.ThinkTime > 0 {
		parts = append(parts, fmt.Sprintf("think time %s", s.ThinkTime.D()))
	}
	if s.Duration > 0 {
		parts = append(parts, s.Duration.D().String())
	}
	if s.Requests > 0 {
		parts = append(parts, integer(s.Requests)+plural(s.Requests, " request", " requests"))
	}
	return strings.Join(parts, ", ")
}

// replay says how a recording is played.
func replay(r *workload.Replay) string {
	text := "replay"
	if r.TimeScale != nil && *r.TimeScale != 1 {
		text += " at " + number3(*r.TimeScale) + " times the speed"
	}
	if r.Offset > 0 {
		text += " from " + r.Offset.D().String()
	}
	if r.Loop {
		text += " round and round"
	}
	return text
}

func arrival(s *workload.Stage) string {
	if s.Arrival == "gamma" && s.Burstiness != nil {
		return fmt.Sprintf("gamma, burstiness %s", number3(*s.Burstiness))
	}
	return s.Arrival
}

// number3 shows what a person wrote: 10, 0.5, 12.25.
func number3(v float64) string { return fmt.Sprintf("%.6g", v) }

// publicURL is an endpoint's URL without user, password and query.
func publicURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	u.User, u.RawQuery = nil, ""
	return u.String()
}

// objectives are a spec's objectives in nanoseconds.
func objectives(s workload.SLO) measure.SLO {
	return measure.SLO{TTFT: int64(s.TTFT), TPOT: int64(s.TPOT), E2E: int64(s.E2E)}
}
