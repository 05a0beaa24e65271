package target

import (
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// epollET is unix.EPOLLET, whose sign does not fit an EpollEvent.
const epollET = 1 << 31

// epollWait waits at most timeout, for ever when it is negative. It lets other
// goroutines run, and returns 0 when a signal cut it short.
func epollWait(epfd int, events []unix.EpollEvent, timeout time.Duration) int {
	var ts *unix.Timespec
	if timeout >= 0 {
		t := unix.NsecToTimespec(int64(timeout))
		ts = &t
	}
	if !noPwait2.Load() {
		n, _, e := unix.Syscall6(unix.SYS_EPOLL_PWAIT2, uintptr(epfd), uintptr(unsafe.Pointer(&events[0])),
			uintptr(len(events)), uintptr(unsafe.Pointer(ts)), 0, 0)
		if e == 0 {
			return int(n)
		}
		if e != unix.ENOSYS && e != unix.EPERM { // as kernels before 5.11 and some sandboxes say
			return -1
		}
		noPwait2.Store(true)
	}
	ms := -1
	if timeout >= 0 {
		ms = int((timeout + time.Millisecond - 1) / time.Millisecond)
	}
	n, err := unix.EpollWait(epfd, events, ms)
	if err != nil {
		return -1
	}
	return n
}

var noPwait2 atomic.Bool
