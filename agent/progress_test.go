package agent

import (
	"testing"

	"github.com/stampede-bench/stampede/schedule"
)

// A closed loop that deals is told of, also while an open loop before it waits for
// permits; before it has begun, and after it, the current phase is.
func TestProgressTellsOfTheLoopThatDeals(t *testing.T) {
	known := func() *release {
		r := &release{done: make(chan struct{})}
		close(r.done)
		return r
	}
	waits := &phase{Phase: &schedule.Phase{Index: 0, Kind: schedule.Open}, release: known()}
	deals := &phase{Phase: &schedule.Phase{Index: 1, Kind: schedule.Closed}, release: known()}
	phases := []*phase{waits, deals}
	for _, test := range []struct {
		opened int
		dealt  bool
		want   *phase
	}{{0, false, waits}, {1, false, waits}, {2, false, deals}, {2, true, waits}} {
		deals.dispatched.Store(test.dealt)
		if got := dealing(phases, test.opened); got != test.want {
			t.Errorf("opened %d, dealt %t: phase %d", test.opened, test.dealt, got.Index)
		}
	}
}
