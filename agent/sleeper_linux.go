//go:build linux && (amd64 || arm64)

package agent

import (
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/stampede-bench/stampede/internal/clock"
)

// From linux/futex.h; package unix does not have them.
const (
	futexWaitBitset = 9 | 128 // FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG: the timeout is absolute, on CLOCK_MONOTONIC
	futexWake       = 1 | 128 // FUTEX_WAKE | FUTEX_PRIVATE_FLAG
	matchAny        = 0xffffffff
)

// States of a futexSleeper's word.
const (
	awake int32 = iota
	signalled
	asleep
)

// The runtime takes a goroutine that does not yield for 10 ms for one that hogs its
// processor. It then looks every 20 µs whether it can take that away, at the cost of
// up to 40 ms of CPU a second. One that yields before it sleeps goes on at once, on
// the same thread, unless there is other work and no processor free for it.
const (
	yieldEvery = int64(7 * time.Millisecond)
	yieldRoom  = int64(100 * time.Microsecond) // left until the deadline
	yieldMust  = int64(9 * time.Millisecond)
)

// futexSleeper sleeps in the kernel to an absolute instant: the same timer as
// clock_nanosleep's, but one that can be woken. The system call goes through
// Syscall, so the scheduler gives the thread's processor to others meanwhile.
type futexSleeper struct {
	word    atomic.Int32
	shift   int64 // CLOCK_MONOTONIC minus clock.Now
	yielded int64
}

// newSleeper returns the best sleeper there is.
func newSleeper() sleeper {
	if fakeTime() {
		return newTimerSleeper()
	}
	return &futexSleeper{shift: monotonicShift()}
}

// fakeTime reports whether the process's clock is not the kernel's, as in a
// testing/synctest bubble, where sleeping in the kernel would stop time.
func fakeTime() bool {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_REALTIME, &ts); err != nil {
		return true
	}
	return time.Since(time.Unix(ts.Unix())).Abs() > time.Hour
}

// monotonicShift reads both clocks and keeps the closest of several readings.
func monotonicShift() int64 {
	best, shift := never, int64(0)
	for range 8 {
		var ts unix.Timespec
		before := clock.Now()
		if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
			return 0
		}
		after := clock.Now()
		if after-before < best {
			best, shift = after-before, ts.Nano()-(before+after)/2
		}
	}
	return shift
}

func (s *futexSleeper) sleep(until int64) {
	if s.word.CompareAndSwap(signalled, awake) {
		return
	}
	if left := until - clock.Now(); left <= 0 || s.yield(left) && until <= clock.Now() {
		return
	}
	if !s.word.CompareAndSwap(awake, asleep) {
		s.word.Store(awake)
		return
	}
	var timeout *unix.Timespec
	if until != never {
		ts := unix.NsecToTimespec(until + s.shift)
		timeout = &ts
	}
	tightTimers()
	// Whatever it returns (woken, timed out, interrupted) the caller looks again.
	_, _, _ = syscall.Syscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&s.word)), futexWaitBitset,
		uintptr(asleep), uintptr(unsafe.Pointer(timeout)), 0, matchAny)
	s.word.Store(awake)
}

func (s *futexSleeper) wake() {
	if s.word.Swap(signalled) != asleep {
		return
	}
	// It returns at once, so the scheduler need not hear of it.
	_, _, _ = syscall.RawSyscall6(unix.SYS_FUTEX, uintptr(unsafe.Pointer(&s.word)), futexWake, 1, 0, 0, 0)
}

// yield lets the runtime see that the goroutine is no hog, if there is reason to and
// room for it.
func (s *futexSleeper) yield(left int64) bool {
	since := clock.Now() - s.yielded
	if since < yieldEvery || left < yieldRoom && since < yieldMust {
		return false
	}
	runtime.Gosched()
	s.yielded = clock.Now()
	return true
}

// tightTimers makes the timers of the thread that calls it exact. The default slack
// of 50 µs would be added to every sleep; without the right to change it we are that
// much later. It is said each time, as the goroutine may have changed threads; that
// costs less than to ask.
func tightTimers() {
	_, _, _ = syscall.RawSyscall6(unix.SYS_PRCTL, unix.PR_SET_TIMERSLACK, 1, 0, 0, 0, 0)
}
