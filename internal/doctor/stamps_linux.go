package doctor

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	stampTries = 20
	stampWait  = 2 * time.Second
	// The kernel turns stamping on by a worker of its own, some time after it was
	// asked to.
	stampWarmup = 200 * time.Millisecond
	stampPause  = 2 * time.Millisecond
)

// probeStamps sends bytes over a loopback connection and reads the kernel's
// receive stamps of them.
func probeStamps() Stamps {
	s := Stamps{Supported: true}
	delays, err := stampDelays()
	switch {
	case err != nil:
		s.Problem = err.Error()
	case len(delays) == 0:
		s.Problem = "none came with the data"
	default:
		slices.Sort(delays)
		s.Delay = delays[len(delays)/2]
	}
	return s
}

func stampDelays() ([]time.Duration, error) {
	sender, receiver, err := loopback()
	if err != nil {
		return nil, err
	}
	defer sender.Close()
	defer receiver.Close()
	raw, err := receiver.SyscallConn()
	if err != nil {
		return nil, err
	}
	var option error
	err = raw.Control(func(fd uintptr) {
		option = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TIMESTAMPING, unix.SOF_TIMESTAMPING_RX_SOFTWARE|unix.SOF_TIMESTAMPING_SOFTWARE)
	})
	if err = errors.Join(err, option); err != nil {
		return nil, fmt.Errorf("setsockopt SO_TIMESTAMPING: %w", err)
	}
	if err := receiver.SetDeadline(time.Now().Add(stampWait)); err != nil {
		return nil, err
	}
	var delays []time.Duration
	for asked := time.Now(); len(delays) < stampTries && time.Since(asked) < stampWarmup; {
		written := time.Now()
		if _, err := sender.Write([]byte{1}); err != nil {
			return nil, err
		}
		stamp, err := receive(raw)
		if err != nil {
			return nil, err
		}
		if delay := time.Duration(stamp - written.UnixNano()); stamp > 0 && delay.Abs() < stampWait {
			delays = append(delays, delay)
			continue
		}
		time.Sleep(stampPause)
	}
	return delays, nil
}

// loopback makes a connected pair.
func loopback() (sender, receiver *net.TCPConn, err error) {
	l, err := net.ListenTCP("tcp4", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, nil, err
	}
	defer l.Close()
	if sender, err = net.DialTCP("tcp4", nil, l.Addr().(*net.TCPAddr)); err != nil { //nolint:forcetypeassert // a TCP listener's
		return nil, nil, err
	}
	if receiver, err = l.AcceptTCP(); err != nil {
		_ = sender.Close()
		return nil, nil, err
	}
	return sender, receiver, nil
}

// receive reads a byte and returns its stamp in Unix nanoseconds, 0 without one.
func receive(raw interface {
	Read(func(uintptr) bool) error
}) (stamp int64, err error) {
	var buf [16]byte
	var oob [256]byte
	var n, oobn int
	var failed error
	err = raw.Read(func(fd uintptr) bool {
		n, oobn, _, _, failed = unix.Recvmsg(int(fd), buf[:], oob[:], 0)
		return failed != unix.EAGAIN
	})
	if err = errors.Join(err, failed); err != nil {
		return 0, err
	}
	if n == 0 {
		return 0, errors.New("the connection was closed")
	}
	messages, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil {
		return 0, err
	}
	for _, m := range messages {
		var t unix.Timespec
		if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SCM_TIMESTAMPING && len(m.Data) >= int(unsafe.Sizeof(t)) {
			copy((*[unsafe.Sizeof(t)]byte)(unsafe.Pointer(&t))[:], m.Data)
			return t.Nano(), nil
		}
	}
	return 0, nil
}
