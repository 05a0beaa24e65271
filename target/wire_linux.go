package target

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// fdWire is a connection of a poller: a socket, and TLS over it where the
// endpoint wants it. crypto/tls reads and writes through pipe, which never waits
// once the connection is up: it stops on a temporary error where a socket would
// block, as at a read deadline, and goes on later.
type fdWire struct {
	p    *poller
	fd   int
	slot int32
	gen  int32
	tls  *tls.Conn

	dialing atomic.Bool   // events go to ready, not to the reader
	missed  atomic.Bool   // meanwhile there was something to read, be it the end
	ready   chan struct{} // something happened to the socket
	ctx     context.Context

	stampIt bool    // the next write is to be stamped by the kernel
	stamped bool    // its stamp lies in the error queue
	unread  bool    // the last turn of reading did not empty the socket
	place   int     // then: where the next stands among the poller's
	from    *source // of a connection that is open
	in      []byte  // TLS: received, not yet taken
	rest    []byte  // TLS: encrypted, not yet written
	sealing bool    // TLS writes into sealed
	sealed  []byte  // TLS: encrypted, for the next send
}

// sealMost bounds a request that is encrypted before it counts as sent. To encrypt
// it takes some 10 µs, in which the thread may lose its core; more would keep the
// first byte waiting.
const sealMost = 32 << 10

// prepare implements wire.
func (w *fdWire) prepare(b []byte) error {
	if w.tls == nil || len(b) > sealMost {
		return nil
	}
	w.sealing = true
	_, err := w.tls.Write(b)
	w.sealing = false
	return err
}

// send implements wire.
func (w *fdWire) send(b []byte) (int, error) {
	switch {
	case len(w.sealed) > 0:
		_, err := pipe{w}.Write(w.sealed)
		w.sealed = w.sealed[:0]
		return len(b), err
	case w.tls != nil:
		return w.tls.Write(b)
	}
	return w.write(b)
}

func (w *fdWire) write(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	if w.stampIt {
		w.stampIt = false
		return w.sendStamped(b)
	}
	for {
		n, _, e := unix.Syscall6(unix.SYS_SENDTO, uintptr(w.fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)),
			unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
		switch e {
		case 0:
			return int(n), nil
		case unix.EINTR:
		case unix.EAGAIN:
			return 0, nil
		default:
			return 0, e
		}
	}
}

// stampNext implements wire.
func (w *fdWire) stampNext() { w.stampIt = true }

// flush implements wire.
func (w *fdWire) flush() (left bool, err error) {
	for len(w.rest) > 0 {
		n, err := w.write(w.rest)
		if err != nil || n == 0 {
			return true, err
		}
		w.rest = w.rest[n:]
	}
	w.rest = nil
	return false, nil
}

// alive implements wire.
func (w *fdWire) alive() bool {
	var b [1]byte
	n, _, e := unix.Syscall6(unix.SYS_RECVFROM, uintptr(w.fd), uintptr(unsafe.Pointer(&b[0])), 1,
		unix.MSG_PEEK|unix.MSG_DONTWAIT, 0, 0)
	if e == unix.EAGAIN || e == unix.EINTR {
		return true
	}
	return e == 0 && n > 0 && w.tls != nil && w.silent()
}

// silent reads what a TLS peer may send between replies, tickets and keys, and
// reports whether it was no more than that.
func (w *fdWire) silent() bool {
	buf := make([]byte, 4<<10)
	n, _, err := unix.Recvfrom(w.fd, buf, unix.MSG_DONTWAIT)
	if err != nil || n <= 0 || n == len(buf) {
		return false
	}
	w.in = buf[:n:n]
	var one [1]byte
	n, err = w.tls.Read(one[:])
	return n == 0 && errors.Is(err, errWouldBlock)
}

// close implements wire.
func (w *fdWire) close() {
	w.p.remove(w.slot)
	_ = unix.Close(w.fd)
	if w.from != nil {
		w.p.cl.open.Add(-1)
		w.from.spent.Store(0)
	}
	w.in, w.rest, w.sealed = nil, nil, nil
}

// event is what a poller asks to be told of the socket.
func (w *fdWire) event() unix.EpollEvent {
	return unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | epollET, Fd: w.slot, Pad: w.gen}
}

// dialler hands an event to the goroutine that dials. It returns false when that has
// just ended, which then may not have seen it.
func (w *fdWire) dialler(ev uint32) bool {
	if ev&(unix.EPOLLIN|unix.EPOLLRDHUP|unix.EPOLLERR) != 0 {
		w.missed.Store(true)
	}
	select {
	case w.ready <- struct{}{}:
	default:
	}
	return w.dialing.Load()
}

// await blocks a dialling goroutine until something happens to the socket.
func (w *fdWire) await() error {
	select {
	case <-w.ready:
		return nil
	case <-w.ctx.Done():
		return w.ctx.Err()
	}
}

// wouldBlock is the temporary error that crypto/tls does not remember.
type wouldBlock struct{}

func (wouldBlock) Error() string   { return "no more data for now" }
func (wouldBlock) Timeout() bool   { return true }
func (wouldBlock) Temporary() bool { return true }

var errWouldBlock error = wouldBlock{}

// pipe is the net.Conn that crypto/tls sees.
type pipe struct{ w *fdWire }

func (c pipe) Read(b []byte) (int, error) {
	w := c.w
	if w.dialing.Load() {
		return w.readWaiting(b)
	}
	if len(w.in) == 0 {
		return 0, errWouldBlock
	}
	n := copy(b, w.in)
	w.in = w.in[n:]
	return n, nil
}

func (w *fdWire) readWaiting(b []byte) (int, error) {
	for {
		n, _, err := unix.Recvfrom(w.fd, b, unix.MSG_DONTWAIT)
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			if err := w.await(); err != nil {
				return 0, err
			}
		case err != nil:
			return 0, os.NewSyscallError("recv", err)
		case n == 0:
			return 0, eofOr(nil)
		default:
			return n, nil
		}
	}
}

// Write takes all of b, always: what the socket does not take now is kept.
func (c pipe) Write(b []byte) (int, error) {
	w := c.w
	if w.sealing {
		w.sealed = append(w.sealed, b...)
		return len(b), nil
	}
	n := 0
	if len(w.rest) == 0 {
		var err error
		if n, err = w.write(b); err != nil {
			return n, os.NewSyscallError("send", err)
		}
	}
	w.rest = append(w.rest, b[n:]...)
	for w.dialing.Load() && len(w.rest) > 0 {
		if left, err := w.flush(); err != nil {
			return 0, os.NewSyscallError("send", err)
		} else if left {
			if err := w.await(); err != nil {
				return 0, err
			}
		}
	}
	return len(b), nil
}

func (c pipe) Close() error                     { return nil } // the conn closes its wire
func (c pipe) LocalAddr() net.Addr              { return nil }
func (c pipe) RemoteAddr() net.Addr             { return nil }
func (c pipe) SetDeadline(time.Time) error      { return nil }
func (c pipe) SetReadDeadline(time.Time) error  { return nil }
func (c pipe) SetWriteDeadline(time.Time) error { return nil }
