package target

import (
	"encoding/binary"
	"fmt"
	"io"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/stampede-bench/stampede/internal/clock"
)

// receiver reads sockets together with the kernel's receive stamps, into one
// buffer and without allocating.
type receiver struct {
	buf []byte
	oob [128]byte
	iov unix.Iovec
	msg unix.Msghdr
}

func (r *receiver) init(size int) {
	r.buf = make([]byte, size)
	r.iov.Base = &r.buf[0]
	r.iov.SetLen(len(r.buf))
	r.msg.Iov = &r.iov
	r.msg.SetIovlen(1)
	r.msg.Control = &r.oob[0]
}

// receive reads once without waiting. stamp is the receive time of the last byte
// on the wall clock, 0 when the kernel gave none. n is 0 at the end of the stream.
func (r *receiver) receive(fd int) (n int, stamp int64, err error) {
	return r.receiveFrom(fd, 0)
}

func (r *receiver) receiveFrom(fd, flags int) (n int, stamp int64, err error) {
	for {
		r.msg.SetControllen(len(r.oob))
		got, _, e := unix.Syscall(unix.SYS_RECVMSG, uintptr(fd), uintptr(unsafe.Pointer(&r.msg)), uintptr(unix.MSG_DONTWAIT|flags))
		switch e {
		case 0:
			return int(got), clock.Stamp(stampIn(r.oob[:r.msg.Controllen])), nil
		case unix.EINTR:
		case unix.EAGAIN:
			return 0, 0, unix.EAGAIN
		default:
			return 0, 0, e
		}
	}
}

// clocks reads both.
func (p *poller) clocks() clock.Pair {
	pair := p.stamps.take(clock.ReadPair)
	p.now = pair.Mono
	return pair
}

// stampIn finds the software receive stamp among control messages.
func stampIn(oob []byte) int64 {
	const header = unix.SizeofCmsghdr
	for len(oob) >= header {
		h := (*unix.Cmsghdr)(unsafe.Pointer(&oob[0]))
		size := int(h.Len)
		if size < header || size > len(oob) {
			return 0
		}
		if h.Level == unix.SOL_SOCKET && h.Type == unix.SCM_TIMESTAMPING && size >= header+16 {
			sec := int64(binary.NativeEndian.Uint64(oob[header:]))
			nsec := int64(binary.NativeEndian.Uint64(oob[header+8:]))
			return sec*1e9 + nsec
		}
		oob = oob[min(len(oob), unix.CmsgSpace(size-header)):]
	}
	return 0
}

func eofOr(err error) error {
	if err == nil {
		return io.EOF
	}
	return err
}

// stampSocket asks the kernel for receive stamps, and for those of what is sent
// where a call asks for one, without the bytes.
func stampSocket(fd int) error {
	flags := unix.SOF_TIMESTAMPING_RX_SOFTWARE | unix.SOF_TIMESTAMPING_SOFTWARE | unix.SOF_TIMESTAMPING_OPT_TSONLY
	return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPING, flags)
}

// event64 is an eventfd.
type event64 struct{ fd int }

func newEvent64() (*event64, error) {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("create an eventfd: %w", err)
	}
	return &event64{fd}, nil
}

var one = [8]byte{1, 1, 1, 1, 1, 1, 1, 1}

func (e *event64) signal() { _, _ = unix.Write(e.fd, one[:]) }

func (e *event64) drain() {
	var b [8]byte
	_, _ = unix.Read(e.fd, b[:])
}

func (e *event64) close() { _ = unix.Close(e.fd) }
