// Package clock gives the process one monotonic time line in integer
// nanoseconds, the pairs that tie it to wall time, and an estimate of how far
// another host's clock is off. It never sleeps, and it asks nobody: exchanges are
// its callers'.
package clock

import "time"

// base anchors the monotonic time line; it is the process's start, near enough.
var base = time.Now()

// Now returns nanoseconds since the process's base on the monotonic clock. It
// follows the fake clock inside a testing/synctest bubble only in differences.
func Now() int64 { return monotonic(int64(time.Since(base))) }

// Pair is one moment on both clocks.
type Pair struct {
	Mono int64 // as Now
	Unix int64 // wall clock, nanoseconds since the Unix epoch
}

// ReadPair returns the present moment on both clocks, taken in one reading.
func ReadPair() Pair {
	t := time.Now()
	since := int64(t.Sub(base))
	return Pair{Mono: monotonic(since), Unix: wall(since, t.UnixNano())}
}

// Stamp is a time that the kernel took on the wall clock, 0 for none, as the
// clocks of this package show it.
func Stamp(unix int64) int64 {
	if unix == 0 {
		return 0
	}
	return wall(unix-base.UnixNano(), unix)
}

// At maps a monotonic instant to wall time by the pair.
func (p Pair) At(mono int64) int64 { return p.Unix + mono - p.Mono }
