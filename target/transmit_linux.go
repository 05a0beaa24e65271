package target

import (
	"encoding/binary"
	"unsafe"

	"golang.org/x/sys/unix"
)

// sendStamped is write with a transmit stamp asked for.
func (w *fdWire) sendStamped(b []byte) (int, error) {
	var control [unix.SizeofCmsghdr + 8]byte
	h := (*unix.Cmsghdr)(unsafe.Pointer(&control[0]))
	h.Level, h.Type = unix.SOL_SOCKET, unix.SO_TIMESTAMPING
	h.SetLen(unix.CmsgLen(4))
	binary.NativeEndian.PutUint32(control[unix.CmsgLen(0):], unix.SOF_TIMESTAMPING_TX_SOFTWARE)
	iov := unix.Iovec{Base: &b[0]}
	iov.SetLen(len(b))
	msg := unix.Msghdr{Iov: &iov, Control: &control[0]}
	msg.SetIovlen(1)
	msg.SetControllen(unix.CmsgSpace(4))
	n, _, e := unix.Syscall(unix.SYS_SENDMSG, uintptr(w.fd), uintptr(unsafe.Pointer(&msg)), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
	switch e {
	case 0:
		w.stamped = true
		return int(n), nil
	case unix.EAGAIN, unix.EINTR:
		return 0, nil
	case unix.EINVAL: // no such stamps here
		return w.write(b)
	}
	return 0, e
}

// sentBy takes the kernel's stamp of the request's bytes, if there is one that lies
// within the call that wrote them.
func (p *poller) sentBy(k *conn, w *fdWire) {
	w.stamped = false
	_, stamp, err := p.in.receiveFrom(w.fd, unix.MSG_ERRQUEUE)
	if err != nil || stamp == 0 || k.call == nil {
		return
	}
	pair := p.clocks()
	at := pair.Mono - (pair.Unix - stamp)
	if x := k.call.x; at > x.Sent && at <= k.wrote && x.Sent >= p.stamps.stepAt {
		x.Sent = at
	}
}
