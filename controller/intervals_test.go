package controller

import (
	"testing"

	"github.com/stampede-bench/stampede/measure"
)

// TestIntervalsOfSteadyLoads: there are some for each stage whose load was the same
// all along, and for all of them together when they are alike.
func TestIntervalsOfSteadyLoads(t *testing.T) {
	for name, tt := range map[string]struct {
		stages string
		whole  bool
		each   []bool
	}{
		"constant":        {"{rate: 20, arrival: constant, duration: 30s}", true, []bool{true}},
		"closed loop":     {"{concurrency: 4, duration: 20s}", true, []bool{true}},
		"ramp":            {"{rate: 20, end_rate: 40, arrival: constant, duration: 20s}", false, []bool{false}},
		"two alike":       {"{rate: 20, duration: 20s}, {rate: 20, duration: 30s, name: again}", true, []bool{true, true}},
		"two that differ": {"{rate: 20, duration: 20s}, {rate: 40, duration: 20s}", false, []bool{true, true}},
		"ramp, then flat": {"{rate: 20, end_rate: 40, duration: 20s}, {rate: 40, duration: 20s}", false, []bool{false, true}},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, Config{}, func(r *rig) {
				r.agent("a").join()
				r.agent("b").join()
				end := r.finished(r.run(endpoint + "load: {warmup: {requests: 10}, stages: [" + tt.stages + "]}"))
				rep := r.parsed(end.GetRunId())
				if got := rep.Metrics[measure.E2E].CI95 != nil; got != tt.whole {
					t.Errorf("intervals of the whole run: %v, want %v", got, tt.whole)
				}
				for i, want := range tt.each {
					if got := rep.Stages[i].Metrics[measure.E2E].CI95 != nil; got != want {
						t.Errorf("intervals of stage %d: %v, want %v", i, got, want)
					}
				}
			})
		})
	}
}
