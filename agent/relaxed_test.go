package agent

import (
	"testing"

	"github.com/stampede-bench/stampede/schedule"
)

func TestRelaxed(t *testing.T) {
	open := &schedule.Phase{Kind: schedule.Open}
	capped := &schedule.Phase{Kind: schedule.Open, MaxConcurrency: 1}
	closed := &schedule.Phase{Kind: schedule.Closed}
	for name, test := range map[string]struct {
		phases []*schedule.Phase
		want   bool
	}{
		"open":                     {[]*schedule.Phase{open, open}, true},
		"a place is waited for":    {[]*schedule.Phase{open, capped}, false},
		"a slot is refilled":       {[]*schedule.Phase{open, closed}, false},
		"closed with nothing else": {[]*schedule.Phase{closed}, false},
	} {
		if got := relaxed(&schedule.Plan{Phases: test.phases}); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}
