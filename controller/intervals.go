package controller

import (
	"reflect"

	"github.com/stampede-bench/stampede/internal/wire"
	"github.com/stampede-bench/stampede/measure"
	"github.com/stampede-bench/stampede/workload"
)

// intervals reads the run's samples once more for the intervals of its figures.
// There are none without a journal, and none for stages whose load changed.
func (r *run) intervals() *measure.Intervals {
	spans := r.steadySpans()
	if r.segment.problem != nil || len(spans) == 0 {
		return nil
	}
	intervals := r.set.Intervals(spans)
	var d wire.Decoder
	var s measure.Sample
	err := readRows(r.c.files.segment(r.testID, r.id), func(batch rows) error {
		return batch.each(&d, &s, func() error {
			intervals.Fold(&s) // what is lost is in none
			return nil
		})
	})
	if err != nil {
		r.log.Error("there are no intervals: the journal can't be read", "err", err)
		return nil
	}
	return intervals
}

// steadySpans are the stages whose load was the same all along, and all of them
// together when they are alike.
func (r *run) steadySpans() []measure.Span {
	var spans []measure.Span
	stages := r.eff.Load.Stages
	alike := true
	for _, p := range r.phases[r.firstStagePhase():] {
		if !p.released || !p.Steady(&stages[p.Stage]) {
			alike = false
			continue
		}
		alike = alike && sameLoad(stages[0], stages[p.Stage])
		spans = append(spans, measure.Span{
			Scope: measure.Scope(p.Index), First: p.firstIndex,
			End: r.corpus.EntriesBefore(p.firstSession + r.begunIn(p) - r.beyond(p)),
		})
	}
	if alike && len(spans) > 0 {
		spans = append(spans, measure.Span{Scope: measure.Measured, First: spans[0].First, End: spans[len(spans)-1].End})
	}
	return spans
}

// sameLoad reports whether two stages differ in nothing but name and length.
func sameLoad(a, b workload.Stage) bool {
	for _, s := range []*workload.Stage{&a, &b} {
		s.Name, s.Duration, s.Requests, s.Drain = "", 0, 0, ""
	}
	return reflect.DeepEqual(a, b)
}
