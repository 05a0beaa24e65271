package target

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/stampede-bench/stampede/internal/clock"
)

// rest lets arrivals gather for a moment when they come in quick succession: many
// sockets are then read for one wake-up, which is what costs most. When they came is
// known from their stamps all the same.
func (p *poller) rest() {
	if !p.relaxed || len(p.unread) > 0 || p.inflight.Load() == 0 {
		return
	}
	now := clock.Now()
	if left := p.woken + gather - now; p.crowded && left > 0 {
		ts := unix.NsecToTimespec(left)
		_, _, _ = unix.Syscall6(unix.SYS_CLOCK_NANOSLEEP, unix.CLOCK_MONOTONIC, 0, uintptr(unsafe.Pointer(&ts)), 0, 0, 0)
	}
}

// gauge decides by what a wait returned whether arrivals are crowded.
func (p *poller) gauge(n int) {
	if n == 0 {
		return
	}
	if p.crowded {
		p.crowded = n > 1
	} else {
		p.crowded = p.now-p.woken < gather/2
	}
	p.woken = p.now
}
