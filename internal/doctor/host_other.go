//go:build !linux

package doctor

import (
	"slices"
	"time"

	"github.com/stampede-bench/stampede/internal/clock"
)

// readClock knows nothing: other systems don't tell.
func readClock() Clock { return Clock{} }

// lateness keeps deadlines 2 ms apart and returns how late it woke, ascending, and
// how far the wall clock moved against the monotonic one meanwhile.
func lateness(probe time.Duration) (wakes []time.Duration, step time.Duration) {
	const every = 2 * time.Millisecond
	before := clock.ReadPair()
	due := before.Mono
	for range int(probe / every) {
		due += int64(every)
		time.Sleep(time.Duration(due - clock.Now()))
		wakes = append(wakes, time.Duration(max(clock.Now()-due, 0)))
	}
	after := clock.ReadPair()
	slices.Sort(wakes)
	return wakes, time.Duration((after.Unix - before.Unix) - (after.Mono - before.Mono))
}

// probeStamps says that there are none.
func probeStamps() Stamps { return Stamps{} }
