package target

import (
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	keeperTries = 20
	keeperPause = time.Millisecond
)

// keepStamping opens one stamped socket for the life of the process, and returns
// once packets are seen to be stamped or are not going to be. The kernel turns
// stamping on with the first such socket, and not at once: without this the first
// replies of a client would have no stamps.
var keepStamping = sync.OnceValue(func() (stamped bool) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return false
	}
	if stampSocket(fd) != nil {
		_ = unix.Close(fd)
		return false
	}
	for range keeperTries {
		if stampsItself(fd) {
			return true
		}
		time.Sleep(keeperPause)
	}
	return false
})

// stampsItself has a socket send a packet to itself and looks for its stamp.
func stampsItself(fd int) bool {
	self, err := unix.Getsockname(fd)
	if in, ok := self.(*unix.SockaddrInet4); err != nil || !ok || in.Port == 0 {
		if unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}) != nil {
			return false
		}
		if self, err = unix.Getsockname(fd); err != nil {
			return false
		}
	}
	if unix.Sendto(fd, []byte{1}, unix.MSG_DONTWAIT, self) != nil {
		return false
	}
	var r receiver
	r.init(64)
	n, stamp, err := r.receive(fd)
	return err == nil && n == 1 && stamp != 0
}
