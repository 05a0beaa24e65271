package workload

import (
	"math"
	"strings"
)

// Arrival processes and what a stage does at its end.
const (
	ArrivalConstant = "constant"
	ArrivalPoisson  = "poisson"
	ArrivalGamma    = "gamma"
	DrainNone       = "none"
	DrainFull       = "full"
)

// What concurrency counts.
const (
	OfRequests = "requests"
	OfSessions = "sessions"
)

// Loads returns which of rate, concurrency, func and replay the stage has. A
// valid stage has exactly one.
func (s *Stage) Loads() []string {
	var loads []string
	for _, l := range []struct {
		name  string
		given bool
	}{{"rate", s.Rate != nil}, {"concurrency", s.Concurrency != nil}, {"func", s.Func != nil}, {"replay", s.Replay != nil}} {
		if l.given {
			loads = append(loads, l.name)
		}
	}
	return loads
}

func (c *checker) load(l *Load) {
	c.duration("load.skip_idle_min", l.SkipIdleMin)
	if len(l.Stages) > maxStages {
		c.bad("load.stages", "must be at most %d, got %d", maxStages, len(l.Stages))
		return
	}
	for i := range l.Stages {
		c.stage(at("load.stages", i), &l.Stages[i])
	}
	c.warmup(l)
}

func (c *checker) warmup(l *Load) {
	c.duration("load.warmup.duration", l.Warmup.Duration)
	c.between("load.warmup.requests", l.Warmup.Requests, 0, maxRequests)
	if l.Warmup == (Warmup{}) || len(l.Stages) == 0 {
		return
	}
	first := &l.Stages[0]
	switch {
	case len(first.Loads()) == 1 && first.Rate == nil && first.Concurrency == nil:
		c.badHint("load.warmup", "put a stage with a rate or a concurrency first", "needs a first stage with a rate or a concurrency to take its load from")
	case first.Rate != nil && first.Rate.Inf() && l.Warmup.Requests == 0:
		c.bad("load.warmup.requests", "is required, because the first stage's rate is inf")
	}
}

func (c *checker) stage(p string, s *Stage) {
	c.line(p+".name", s.Name, 200)
	c.duration(p+".duration", s.Duration)
	c.between(p+".requests", s.Requests, 0, maxRequests)
	c.oneOf(p+".drain", s.Drain, DrainNone, DrainFull)
	loads := s.Loads()
	if len(loads) != 1 {
		got := "none of them"
		if len(loads) > 0 {
			got = strings.Join(loads, " and ")
		}
		c.bad(p, "must have exactly one of rate, concurrency, func and replay, got %s", got)
		return
	}
	c.rateKeys(p, s)
	c.closedKeys(p, s)
	if s.Func != nil {
		c.function(p, *s.Func)
	} else if s.Spread {
		c.bad(p+".spread", "needs func")
	}
	if s.Replay != nil {
		c.positive(p+".replay.time_scale", s.Replay.TimeScale, 1e9)
		c.duration(p+".replay.offset", s.Replay.Offset)
		if s.Replay.Loop && s.Duration == 0 && s.Requests == 0 {
			c.bad(p+".replay.loop", "needs a duration or requests, or the stage would never end")
		}
	}
}

func (c *checker) function(p, text string) {
	switch {
	case strings.TrimSpace(text) == "":
		c.bad(p+".func", "must be a lambda such as lambda t: 10 * t if t < 60 else None, got nothing")
	case len(text) > 4096:
		c.bad(p+".func", "must have at most 4096 characters, got %d", len(text))
	}
}

// closedKeys checks concurrency and what belongs to it.
func (c *checker) closedKeys(p string, s *Stage) {
	c.duration(p+".think_time", s.ThinkTime)
	c.oneOf(p+".concurrency_of", s.ConcurrencyOf, OfRequests, OfSessions)
	if s.Concurrency == nil {
		if s.ConcurrencyOf != "" {
			c.bad(p+".concurrency_of", "needs concurrency")
		}
		if s.ThinkTime > 0 {
			c.bad(p+".think_time", "needs concurrency")
		}
		c.between(p+".max_concurrency", int64(s.MaxConcurrency), 0, maxConcurrency)
		return
	}
	c.between(p+".concurrency", int64(*s.Concurrency), 1, maxConcurrency)
	if s.MaxConcurrency != 0 {
		c.bad(p+".max_concurrency", "must not be given together with concurrency, which is the cap already")
	}
}

// rateKeys checks rate and what belongs to it.
func (c *checker) rateKeys(p string, s *Stage) {
	if s.Rate == nil {
		for _, k := range []struct {
			name  string
			given bool
		}{{"end_rate", s.EndRate != nil}, {"arrival", s.Arrival != ""}, {"burstiness", s.Burstiness != nil}} {
			if k.given {
				c.bad(p+"."+k.name, "needs rate")
			}
		}
		return
	}
	c.rate(p+".rate", *s.Rate)
	if s.Rate.Inf() && s.Requests == 0 && !c.draft {
		c.missing(p+".requests", "a rate of inf sends all requests at once, so say how many")
	}
	if s.EndRate != nil {
		c.ramp(p, s)
	}
	c.arrival(p, s)
}

func (c *checker) rate(p string, r Rate) {
	switch f := float64(r); {
	case math.IsNaN(f), f <= 0:
		c.bad(p, "must be greater than 0, got %s", r)
	case !r.Inf() && f > maxRate:
		c.bad(p, "must be at most %g or inf, got %s", maxRate, r)
	}
}

func (c *checker) ramp(p string, s *Stage) {
	if s.Rate.Inf() || s.EndRate.Inf() {
		c.bad(p+".end_rate", "must be finite, as must rate, for a ramp between them")
		return
	}
	c.rate(p+".end_rate", *s.EndRate)
	if s.Duration == 0 && s.Requests > 0 && !c.draft {
		c.missing(p+".duration", "a ramp needs the time it takes from rate to end_rate")
	}
}

func (c *checker) arrival(p string, s *Stage) {
	if !c.oneOf(p+".arrival", s.Arrival, ArrivalConstant, ArrivalPoisson, ArrivalGamma) || s.Burstiness == nil {
		return
	}
	c.positive(p+".burstiness", s.Burstiness, 1e6)
	if *s.Burstiness != 1 && (s.Arrival == ArrivalConstant || s.Arrival == ArrivalPoisson) {
		c.badHint(p+".burstiness", "use arrival: gamma", "must be 1 for arrival %s, got %g", s.Arrival, *s.Burstiness)
	}
}
