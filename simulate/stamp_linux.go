package simulate

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// prepareSockets turns on kernel receive stamps. It is set on the listener:
// connections inherit it, so that bytes that come before accept are stamped, too,
// and the kernel, which stamps lazily, goes on stamping between connections.
//
// It also takes the simplest congestion control. BBR, where it is the host's
// default, paces what is sent by timers of its own, which would come on top of
// the script's.
func prepareSockets(_, _ string, raw syscall.RawConn) error {
	return raw.Control(func(fd uintptr) {
		// Failure means process time, which the records say.
		_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TIMESTAMPING,
			unix.SOF_TIMESTAMPING_RX_SOFTWARE|unix.SOF_TIMESTAMPING_SOFTWARE)
		_ = unix.SetsockoptString(int(fd), unix.IPPROTO_TCP, unix.TCP_CONGESTION, "reno")
	})
}

// prepareShared is prepareSockets for a port that others listen on, too.
func prepareShared(network, addr string, raw syscall.RawConn) error {
	var optErr error
	if err := raw.Control(func(fd uintptr) {
		optErr = os.NewSyscallError("setsockopt", unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1))
	}); err != nil {
		return err
	}
	if optErr != nil {
		return fmt.Errorf("share the port: %w", optErr)
	}
	return prepareSockets(network, addr, raw)
}

// awaitStamps returns when the kernel stamps what arrives, or soon after: turning
// it on by the first socket that wants it takes effect a moment later, and the
// first requests would go without.
func awaitStamps() {
	const tries, pause = 50, time.Millisecond
	lc := net.ListenConfig{Control: prepareSockets}
	pc, err := lc.ListenPacket(context.Background(), "udp4", "127.0.0.1:0")
	if err != nil {
		return
	}
	defer pc.Close()
	udp, ok := pc.(*net.UDPConn)
	if !ok || udp.SetDeadline(time.Now().Add(2*tries*pause)) != nil {
		return
	}
	var b [1]byte
	var oob [128]byte
	for range tries {
		if _, err := udp.WriteTo(b[:], udp.LocalAddr()); err != nil {
			return
		}
		_, n, _, _, err := udp.ReadMsgUDP(b[:], oob[:])
		if err != nil || kernelStamp(oob[:n]) != 0 {
			return
		}
		time.Sleep(pause)
	}
}

// socket reads with stamps and writes without blocking. One goroutine may read
// while another writes.
type socket struct {
	net.Conn
	raw syscall.RawConn

	readInto []byte
	readN    int
	readErr  error
	readAt   instant
	oob      [128]byte
	readOnce func(fd uintptr) bool

	out       []byte
	outN      int
	outErr    error
	writeOnce func(fd uintptr)
}

func newSocket(nc net.Conn) (*socket, error) {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return nil, fmt.Errorf("connection of type %T has no descriptor", nc)
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil, err
	}
	s := &socket{Conn: nc, raw: raw}
	s.readOnce, s.writeOnce = s.recvmsg, s.sendNow
	return s, nil
}

// read is Read with the instant at which the last of the bytes arrived.
func (s *socket) read(p []byte) (int, instant, error) {
	s.readInto = p
	if err := s.raw.Read(s.readOnce); err != nil {
		return 0, instant{}, err
	}
	return s.readN, s.readAt, s.readErr
}

func (s *socket) recvmsg(fd uintptr) bool {
	for {
		n, oobn, _, _, err := unix.Recvmsg(int(fd), s.readInto, s.oob[:], 0)
		switch {
		case err == unix.EINTR:
			continue
		case err == unix.EAGAIN:
			return false
		case err != nil:
			s.readN, s.readErr = 0, os.NewSyscallError("recvmsg", err)
		case n == 0:
			s.readN, s.readErr = 0, errEOF
		default:
			s.readN, s.readErr = n, nil
			s.readAt = instantOf(kernelStamp(s.oob[:oobn]), readPair())
		}
		return true
	}
}

// kernelStamp returns the stamp in a message's control data, Unix nanoseconds,
// or 0.
func kernelStamp(oob []byte) int64 {
	for len(oob) >= unix.SizeofCmsghdr {
		length := int(binary.NativeEndian.Uint64(oob)) // cmsg_len
		if unsafe.Sizeof(uintptr(0)) == 4 {
			length = int(binary.NativeEndian.Uint32(oob))
		}
		at := unix.SizeofCmsghdr - 8
		level, kind := int32(binary.NativeEndian.Uint32(oob[at:])), int32(binary.NativeEndian.Uint32(oob[at+4:]))
		if length < unix.SizeofCmsghdr || length > len(oob) {
			return 0
		}
		var ts unix.Timespec
		data := oob[unix.CmsgLen(0):length]
		if level == unix.SOL_SOCKET && kind == unix.SCM_TIMESTAMPING && len(data) >= int(unsafe.Sizeof(ts)) {
			ts = *(*unix.Timespec)(unsafe.Pointer(&data[0]))
			return ts.Nano()
		}
		next := unix.CmsgSpace(length - unix.CmsgLen(0))
		if next > len(oob) {
			return 0
		}
		oob = oob[next:]
	}
	return 0
}

// writeNow writes what the socket takes at once. again is true when it took less
// than all. Only the owner of the reply calls it.
func (s *socket) writeNow(p []byte) (n int, again bool, err error) {
	s.out, s.outN, s.outErr = p, 0, nil
	if err := s.raw.Control(s.writeOnce); err != nil {
		return 0, false, err
	}
	s.out = nil
	return s.outN, s.outErr == nil && s.outN < len(p), s.outErr
}

// sendNow calls the kernel without telling Go's scheduler: the call doesn't block,
// and being told of each costs more than it is worth, down to a busy monitor.
func (s *socket) sendNow(fd uintptr) {
	for s.outN < len(s.out) {
		rest := s.out[s.outN:]
		n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, fd, uintptr(unsafe.Pointer(&rest[0])), uintptr(len(rest)),
			unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT, 0, 0)
		switch {
		case errno == unix.EINTR:
		case errno == unix.EAGAIN:
			return
		case errno != 0:
			s.outErr = os.NewSyscallError("sendto", errno)
			return
		default:
			s.outN += int(n)
		}
	}
}
