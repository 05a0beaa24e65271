package schedule

import (
	"errors"
	"fmt"
	"math"
	"math/big"

	"github.com/stampede-bench/stampede/internal/draw"
	"github.com/stampede-bench/stampede/workload"
)

// pace is an open loop, compiled.
type pace struct {
	times    timeline
	sessions int64
	duration int64
	rate     float64
}

// arrivals compiles the open loop of one stage.
type arrivals struct {
	ended  func() bool
	path   string
	stage  *workload.Stage
	seed   int64
	stream string
	number int64
	quick  *budget
}

func (a arrivals) fail(key, format string, args ...any) *workload.FieldError {
	return &workload.FieldError{Path: a.path + key, Message: fmt.Sprintf(format, args...)}
}

func (a arrivals) tooMany(n any) *workload.FieldError {
	return a.fail("", "asks for %v requests, at most %d are allowed", n, int64(maxSessions))
}

func (a arrivals) pace() (pace, *workload.FieldError) {
	if a.stage.Func != nil {
		return a.function()
	}
	rate := float64(*a.stage.Rate)
	bounded := a.stage.Duration > 0 || a.stage.Requests > 0
	switch {
	case math.IsInf(rate, 1):
		return a.infinite()
	case a.stage.EndRate != nil:
		return a.ramp(rate, float64(*a.stage.EndRate))
	case !(rate >= minRate && rate <= maxRate):
		return pace{}, a.fail(".rate", "must be from %v to %v, or inf, got %v", minRate, maxRate, rate)
	case !bounded:
		return pace{}, a.fail("", "needs a duration or requests, or it never ends")
	}
	shape, err := a.shape()
	switch {
	case err != nil:
		return pace{}, err
	case shape == 0:
		return a.constant(rate)
	}
	return a.random(rate, shape)
}

// shape is the gamma shape of the gaps, or 0 when they are all the same.
func (a arrivals) shape() (float64, *workload.FieldError) {
	shape := 1.0
	if a.stage.Burstiness != nil {
		shape = *a.stage.Burstiness
	}
	switch a.stage.Arrival {
	case "constant":
		return 0, nil
	case "", "poisson", "gamma":
	default:
		return 0, a.fail(".arrival", "must be constant, poisson or gamma, got %q", a.stage.Arrival)
	}
	if !(shape >= 1e-3 && shape <= 1e6) {
		return 0, a.fail(".burstiness", "must be from 0.001 to 1000000, got %v", shape)
	}
	return shape, nil
}

// infinite is all at once.
func (a arrivals) infinite() (pace, *workload.FieldError) {
	if a.stage.Requests == 0 {
		return pace{}, a.fail(".requests", "must be given with a rate of inf")
	}
	if a.stage.EndRate != nil {
		return pace{}, a.fail(".end_rate", "can't be reached from a rate of inf")
	}
	return pace{times: atOnce{}, sessions: a.stage.Requests, rate: math.Inf(1)}, nil
}

func (a arrivals) constant(rate float64) (pace, *workload.FieldError) {
	times := newConstant(rate)
	n, duration := a.stage.Requests, int64(a.stage.Duration)
	if inTime := times.before(duration); duration > 0 && (n == 0 || inTime < n) {
		n = inTime
	}
	if n > maxSessions {
		return pace{}, a.tooMany(n)
	}
	end := new(big.Rat).Mul(times.gap(), new(big.Rat).SetInt64(n))
	if duration == 0 && end.Cmp(big.NewRat(maxNanos, 1)) > 0 {
		return pace{}, a.tooLong()
	}
	if natural := ceil(end); n == a.stage.Requests && (duration == 0 || natural.Cmp(big.NewInt(duration)) < 0) {
		duration = natural.Int64()
	}
	return pace{times: times, sessions: n, duration: duration, rate: rate}, nil
}

func (a arrivals) tooLong() *workload.FieldError {
	return a.fail(".requests", "would take longer than 366 days")
}

// random is Poisson or gamma arrivals at a steady rate.
func (a arrivals) random(rate, shape float64) (pace, *workload.FieldError) {
	if a.stage.Requests == 0 {
		if expected := rate * a.stage.Duration.D().Seconds(); expected > maxSessions {
			return pace{}, a.tooMany(fmt.Sprintf("about %.3g", expected))
		}
	}
	if a.tooLongToDraw(rate * a.stage.Duration.D().Seconds()) {
		return pace{}, undecided
	}
	g := newGaps(draw.NewStream(a.seed, a.stream, a.number), shape, nanosPerSecond/rate)
	times, next, ok := newRandom(a.ended, g, int64(a.stage.Duration), a.most(), maxNanos)
	if !ok {
		return pace{}, a.fail("", "would take longer than 366 days or more than %d requests", int64(maxSessions))
	}
	return a.bounded(times, next, rate), nil
}

// tooLongToDraw reports whether as many entries as are expected of the duration, or
// asked for, are more than may be drawn.
func (a arrivals) tooLongToDraw(expected float64) bool {
	if n := float64(a.stage.Requests); n > 0 && (a.stage.Duration == 0 || n < expected) {
		expected = n
	}
	if a.quick == nil {
		return false
	}
	a.quick.draws -= expected
	return a.quick.draws < 0
}

// most is the bound by count, or -1.
func (a arrivals) most() int64 {
	if a.stage.Requests > 0 {
		return a.stage.Requests
	}
	return -1
}

// bounded completes random arrivals: next is where the entry after the last
// would stand.
func (a arrivals) bounded(times *random, next int64, rate float64) pace {
	duration := int64(a.stage.Duration)
	if times.n == a.stage.Requests && (duration == 0 || next < duration) {
		duration = max(next, times.offsetOrZero(times.n-1)+1)
	}
	return pace{times: times, sessions: times.n, duration: duration, rate: rate}
}

func (r *random) offsetOrZero(k int64) int64 {
	if k < 0 {
		return 0
	}
	return r.offset(k)
}

// ramp is a rate that changes linearly over the stage.
func (a arrivals) ramp(rate, endRate float64) (pace, *workload.FieldError) {
	shape, err := a.shape()
	ok := func(r float64) bool { return r == 0 || r >= minRate && r <= maxRate }
	switch {
	case err != nil:
		return pace{}, err
	case !ok(rate):
		return pace{}, a.fail(".rate", "must be from %v to %v, or 0, got %v", minRate, maxRate, rate)
	case !ok(endRate):
		return pace{}, a.fail(".end_rate", "must be from %v to %v, or 0, got %v", minRate, maxRate, endRate)
	case rate == 0 && endRate == 0:
		return pace{}, a.fail(".end_rate", "must be greater than 0 when rate is 0")
	case a.stage.Duration == 0:
		return pace{}, a.fail(".duration", "must be given with end_rate")
	}
	duration := int64(a.stage.Duration)
	total := rampTotal(rate, endRate, duration)
	if total.Cmp(big.NewRat(maxSessions, 1)) > 0 && a.stage.Requests == 0 {
		return pace{}, a.tooMany("about " + total.FloatString(0))
	}
	r := newRamp(rate, endRate, duration)
	if shape > 0 {
		return a.randomRamp(r, total, shape)
	}
	p := pace{times: rampConstant{r}, sessions: ceil(total).Int64(), duration: duration, rate: (rate + endRate) / 2}
	if n := a.stage.Requests; n > 0 && n < p.sessions {
		p.sessions = n
		p.duration = max(p.times.offset(n), p.times.offset(n-1)+1)
		p.rate = perSecond(n, p.duration)
	}
	return p, nil
}

// unitsPerEntry is the resolution of random arrivals before a ramp bends their
// time line: a billionth of an entry.
const unitsPerEntry = 1_000_000_000

// randomRamp draws arrivals of one per entry and lets the ramp say when they are.
func (a arrivals) randomRamp(r ramp, total *big.Rat, shape float64) (pace, *workload.FieldError) {
	const highest = 2 * maxSessions * unitsPerEntry
	limit := int64(highest)
	if units := ceil(new(big.Rat).Mul(total, big.NewRat(unitsPerEntry, 1))); units.Cmp(big.NewInt(limit)) < 0 {
		limit = max(units.Int64(), 1)
	}
	if expected, _ := total.Float64(); a.tooLongToDraw(expected) {
		return pace{}, undecided
	}
	g := newGaps(draw.NewStream(a.seed, a.stream, a.number), shape, unitsPerEntry)
	times, next, ok := newRandom(a.ended, g, limit, a.most(), highest)
	if !ok {
		return pace{}, a.tooMany("about " + total.FloatString(0))
	}
	times.to = r.atUnits
	p := a.bounded(times, r.atUnits(next), 0)
	p.rate = perSecond(p.sessions, p.duration)
	return p, nil
}

// perSecond is n entries in a number of nanoseconds as a rate; 0 in no time.
func perSecond(n, nanos int64) float64 {
	if nanos <= 0 {
		return 0
	}
	return float64(n) / (float64(nanos) / nanosPerSecond)
}

// function is a load function of the second.
func (a arrivals) function() (pace, *workload.FieldError) {
	f, err := compileFunction(*a.stage.Func)
	if err != nil {
		return pace{}, a.fail(".func", "%v", err)
	}
	f.budget = a.quick
	duration := int64(a.stage.Duration)
	issued, ended, err := f.evaluate(duration, a.stage.Requests)
	if errors.Is(err, errLong) {
		return pace{}, undecided
	}
	if err != nil {
		return pace{}, a.fail(".func", "%v", err)
	}
	if len(issued) == 0 {
		return pace{}, a.fail(".func", "asks for no request at all (it ends at t=%d)", ended)
	}
	times := seconds{issued: issued, spread: a.stage.Spread}
	p := pace{times: times, sessions: issued[len(issued)-1].end, duration: ended * nanosPerSecond}
	if n := a.stage.Requests; n > 0 {
		p.sessions = min(p.sessions, n)
	}
	if duration > 0 && duration < p.duration { // a last second that is cut short
		p.duration = duration
		p.sessions = (&Phase{times: times, Sessions: p.sessions}).Before(duration)
	}
	p.rate = perSecond(p.sessions, p.duration)
	return p, nil
}
