package target

import (
	"net"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/stampede-bench/stampede/internal/clock"
	"github.com/stampede-bench/stampede/measure"
)

// TestTransmitStamp holds that `sent` becomes the kernel's where the process lost the
// processor between reading the clock and the write, and only then.
func TestTransmitStamp(t *testing.T) {
	keepStamping()
	w := &fdWire{fd: connected(t)}
	p := &poller{}
	p.in.init(4 << 10)
	for _, test := range []struct {
		name       string
		lost, back int64 // before the call, and after its return
		taken      bool
	}{
		{"lost 15 ms before the write", 15 * ms, 0, true},
		{"lost nothing", 0, 0, true},
		{"the stamp is of another write", 0, 10 * ms, false},
	} {
		x := &measure.Exchange{}
		k := &conn{w: w, call: &Call{call{x: x}}}
		before := clock.Now()
		x.Sent = before - test.lost
		w.stampNext()
		if n, err := w.send([]byte("hello")); n != 5 || err != nil || !w.stamped {
			t.Fatal(n, err, w.stamped)
		}
		k.wrote = clock.Now()
		if test.back > 0 {
			x.Sent, k.wrote = x.Sent-test.back, before-1
		}
		was := x.Sent
		p.sentBy(k, w)
		if taken := x.Sent >= before && x.Sent <= k.wrote; taken != test.taken || w.stamped || !taken && x.Sent != was {
			t.Errorf("%s: sent %d ns after the call, which took %d", test.name, x.Sent-before, k.wrote-before)
		}
	}
}

// connected is a stamped socket whose peer reads nothing.
func connected(t *testing.T) (fd int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	if err := stampSocket(fd); err != nil {
		t.Fatal(err)
	}
	if err := unix.Connect(fd, sockaddr(l.Addr().(*net.TCPAddr).AddrPort())); err != nil {
		t.Fatal(err)
	}
	return fd
}

func TestTransmitStampIsAskedFor(t *testing.T) {
	cl := &Client{}
	const now = 10 * heldUpFor
	if cl.wantsStamp(100, now) {
		t.Error("asked for in a process that runs freely")
	}
	cl.keptWaiting(heldUpBy, now)
	if cl.wantsStamp(100, now) {
		t.Error("asked for after nothing took long")
	}
	cl.keptWaiting(heldUpBy+1, now)
	if !cl.wantsStamp(stampedMost, now+1) || cl.wantsStamp(stampedMost+1, now+1) || cl.wantsStamp(100, now+heldUpFor) {
		t.Error("not asked for when, and only when, the process was kept waiting lately and the request is short")
	}
}
