package doctor

import (
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/stampede-bench/stampede/internal/clock"
)

// readClock asks the kernel whether the wall clock is synchronised.
func readClock() Clock {
	var t unix.Timex // modes 0: nothing is set
	state, err := unix.Adjtimex(&t)
	if err != nil {
		return Clock{}
	}
	return Clock{
		Known:        true,
		Synchronized: state != unix.TIME_ERROR && t.Status&unix.STA_UNSYNC == 0,
		MaxError:     time.Duration(t.Maxerror) * time.Microsecond,
	}
}

// lateness keeps deadlines 2 ms apart on a thread of its own, as dispatch does,
// and returns how late it woke, ascending, and how far the wall clock moved
// against the monotonic one meanwhile.
func lateness(probe time.Duration) (wakes []time.Duration, step time.Duration) {
	const every = 2 * time.Millisecond
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	before := clock.ReadPair()
	var due unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &due); err != nil {
		return nil, 0
	}
	for range int(probe / every) {
		due = unix.NsecToTimespec(due.Nano() + int64(every))
		for unix.ClockNanosleep(unix.CLOCK_MONOTONIC, unix.TIMER_ABSTIME, &due, nil) == unix.EINTR {
			continue
		}
		var now unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
			return nil, 0
		}
		wakes = append(wakes, time.Duration(now.Nano()-due.Nano()))
	}
	after := clock.ReadPair()
	slices.Sort(wakes)
	return wakes, time.Duration((after.Unix - before.Unix) - (after.Mono - before.Mono))
}
