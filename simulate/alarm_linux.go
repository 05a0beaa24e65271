package simulate

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/stampede-bench/stampede/internal/clock"
)

// alarm lets the scheduler's thread sleep to an absolute deadline, to the
// precision of the kernel's timers, and lets others wake it earlier.
type alarm struct {
	event int          // an eventfd
	until atomic.Int64 // what the sleeper sleeps to; 0 while it is awake
	poll  [1]unix.PollFd
	hold  int64 // the longest sleep that keeps the processor, ns
	yield bool
}

// The longest sleeps, in ns, through which the thread keeps its Go processor. Go's
// monitor thread looks at processors that sit in system calls at up to 50 kHz as
// long as it takes some away; that alone was a fifth of the process's time. A
// process that has other work shares its processor during all but short sleeps.
const (
	holdShared    = 200_000
	holdDedicated = 20_000_000
)

func (a *alarm) init() error {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return fmt.Errorf("make an eventfd: %w", err)
	}
	a.event = fd
	a.poll[0] = unix.PollFd{Fd: int32(fd), Events: unix.POLLIN}
	return nil
}

// prepareThread makes the calling thread's timers exact; 50 µs late is Linux's
// default.
func (a *alarm) prepareThread(dedicated bool) {
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
	a.yield = dedicated
	switch {
	case runtime.GOMAXPROCS(0) == 1:
		a.hold = 0
	case dedicated:
		a.hold = holdDedicated
	default:
		a.hold = holdShared
	}
}

// close ends the alarm; nobody may call before any more.
func (a *alarm) close() { _ = unix.Close(a.event) }

// before sees to it that the sleeper is awake by due.
func (a *alarm) before(due int64) {
	if due < a.until.Load() {
		_, _ = unix.Write(a.event, binary.NativeEndian.AppendUint64(nil, 1))
	}
}

// sleep returns at the monotonic instant until, or earlier. It returns at once
// when orders wait or the scheduler is to stop.
func (a *alarm) sleep(until int64, orders *atomic.Int32, stopped *atomic.Bool) {
	a.until.Store(until)
	defer a.until.Store(0)
	if orders.Load() > 0 || stopped.Load() {
		return
	}
	var timeout *unix.Timespec
	left := int64(0)
	if until != never {
		if left = until - clock.Now(); left <= 0 {
			return
		}
		ts := unix.NsecToTimespec(left)
		timeout = &ts
	}
	if a.wait(timeout, left > 0 && left <= a.hold) {
		var b [8]byte
		_, _ = unix.Read(a.event, b[:])
		return
	}
	if a.yield {
		// Who was woken at the same instant on the same core goes first: a client whose
		// request is due when tokens are would wait until all of those are written.
		_, _, _ = unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0)
	}
}

// wait reports whether somebody called before within the timeout.
func (a *alarm) wait(timeout *unix.Timespec, hold bool) bool {
	if !hold {
		n, err := unix.Ppoll(a.poll[:], timeout, nil)
		return err == nil && n > 0
	}
	n, _, errno := unix.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&a.poll[0])), 1, uintptr(unsafe.Pointer(timeout)), 0, 0, 0)
	return errno == 0 && n > 0
}
