package report

import (
	"reflect"
	"strings"

	"github.com/stampede-bench/stampede/measure"
)

// metrics are the trials' distributions, value by value.
func (c *combiner) metrics(of func(*Report) Metrics) Metrics {
	m := Metrics{}
	for _, f := range measure.Figures() {
		m[f] = nil
		var each []*measure.Distribution
		for _, t := range c.trials {
			if d := of(t)[f]; d != nil {
				each = append(each, d)
			}
		}
		if len(each) == 0 {
			continue
		}
		d := &measure.Distribution{Unit: each[0].Unit}
		ci := map[string][2]float64{}
		meanFields(d, each, func(name string, ends [2]float64) { ci[name] = ends })
		if len(ci) > 0 {
			d.CI95 = ci
		}
		m[f] = d
	}
	return m
}

func (c *combiner) throughput(path string, of func(*Report) *measure.Throughput) measure.Throughput {
	each := make([]*measure.Throughput, len(c.trials))
	for i, t := range c.trials {
		each[i] = of(t)
	}
	var mean measure.Throughput
	meanFields(&mean, each, func(name string, ends [2]float64) { c.ci[path+name] = ends })
	return mean
}

// meanFields fills in the fields of a struct from some others: figures are means,
// with their intervals noted by JSON name, counts are sums.
func meanFields[T any](into *T, from []*T, note func(name string, ends [2]float64)) {
	dst := reflect.ValueOf(into).Elem()
	for i := range dst.NumField() {
		switch field := dst.Field(i).Addr().Interface().(type) {
		case **float64:
			var values []float64
			for _, f := range from {
				if v, _ := reflect.ValueOf(f).Elem().Field(i).Interface().(*float64); v != nil {
					values = append(values, *v)
				}
			}
			mean, ends := between(values)
			*field = mean
			if ends != nil {
				note(jsonName(dst.Type().Field(i)), *ends)
			}
		case *int64:
			for _, f := range from {
				*field += reflect.ValueOf(f).Elem().Field(i).Int()
			}
		}
	}
}

func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

// generator is the trials' own error at its worst.
func (c *combiner) generator(m Metrics) Generator {
	g := Generator{Lateness: m[measure.Lateness], StampUncertainty: m[measure.StampUncertainty], ReadDelay: m[measure.ReadDelay]}
	g.KernelStamped = c.mean("", func(t *Report) *float64 { return t.Generator.KernelStamped })
	for _, t := range c.trials {
		o := &t.Generator
		g.Agents = max(g.Agents, o.Agents)
		g.ClockBound = greater(g.ClockBound, o.ClockBound)
		g.CoalescedChunks += o.CoalescedChunks
		g.Overflow += o.Overflow
		g.SamplesShed += o.SamplesShed
		if g.JournalProblem == nil {
			g.JournalProblem = o.JournalProblem
		}
		g.add(&o.AuditReport)
	}
	return g
}

// add takes in another audit: counts add up, the rest is the greater.
func (a *AuditReport) add(o *AuditReport) {
	a.CPUMax, a.GCPauseMax = greater(a.CPUMax, o.CPUMax), greater(a.GCPauseMax, o.GCPauseMax)
	a.SchedulerP99, a.MemoryMax = greater(a.SchedulerP99, o.SchedulerP99), greater(a.MemoryMax, o.MemoryMax)
	a.CPUSeconds, a.CPUWait = added(a.CPUSeconds, o.CPUSeconds), added(a.CPUWait, o.CPUWait)
	a.GCCount, a.DetailShed, a.ClockSteps = added(a.GCCount, o.GCCount), added(a.DetailShed, o.DetailShed), added(a.ClockSteps, o.ClockSteps)
	a.Connections, a.StaleConnections = added(a.Connections, o.Connections), added(a.StaleConnections, o.StaleConnections)
	a.ColdConnections = added(a.ColdConnections, o.ColdConnections)
}

func greater[T int64 | float64](a, b *T) *T {
	if a == nil || b != nil && *b > *a {
		return b
	}
	return a
}

func added[T int64 | float64](a, b *T) *T {
	if a == nil || b == nil {
		return greater(a, b)
	}
	sum := *a + *b
	return &sum
}
