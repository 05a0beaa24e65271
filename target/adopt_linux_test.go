package target

import (
	"bufio"
	"context"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/measure"
	"golang.org/x/sys/unix"
)

// TestBrokenWhileDialled has the server reset a connection before its reader is told of
// it: the request that is then written on it fails at once.
func TestBrokenWhileDialled(t *testing.T) {
	open := make(chan struct{})
	s := serveRaw(t, func(_ int, c *net.TCPConn, _ *bufio.Reader) {
		<-open
		reset(c)
	})
	cfg := configFor(s.url())
	cl := newClient(t, cfg)
	pn := cl.net.(*pollNetwork)
	k, w, err := pn.dial(context.Background(), pn.pollers[0], s.Addr().(*net.TCPAddr).AddrPort())
	if err != nil {
		t.Fatal(err)
	}
	close(open)
	waitFor(t, "the connection is reset", func() bool {
		info, err := unix.GetsockoptTCPInfo(w.fd, unix.IPPROTO_TCP, unix.TCP_INFO)
		return err == nil && info.State == 7
	})
	waitFor(t, "the poller has seen it", func() bool { return len(w.ready) > 0 })
	time.Sleep(20 * time.Millisecond)
	c, err := cl.Prepare(hello())
	if err != nil {
		t.Fatal(err)
	}
	pn.pollers[0].adopt(k, w)
	c.state.Store(started)
	done := make(chan *measure.Exchange, 1)
	c.done = func(_ *Call, x *measure.Exchange) { done <- x }
	if !k.send(c, false) {
		return // it was told before
	}
	select {
	case x := <-done:
		if x.ErrorKind != KindClosed && x.ErrorKind != KindReset {
			t.Errorf("%s: %s", x.ErrorKind, x.ErrorMessage)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("nobody was told")
	}
}

// TestTurnsOfOne holds that a connection whose bytes come faster than they are read has
// one turn for all that is told of it, as any other has.
func TestTurnsOfOne(t *testing.T) {
	flood, other := &fdWire{unread: true}, &fdWire{}
	p := &poller{slots: []slot{{&conn{w: flood}, 1}, {&conn{w: other}, 1}}}
	p.unread = []turn{{p.slots[0].k, unix.EPOLLIN}}
	p.events[0] = unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP, Fd: 0, Pad: 1}
	p.events[1] = unix.EpollEvent{Events: unix.EPOLLIN, Fd: 1, Pad: 1}
	p.resolve(2)
	want := []turn{{p.slots[0].k, unix.EPOLLIN | unix.EPOLLRDHUP}, {p.slots[1].k, unix.EPOLLIN}}
	if !slices.Equal(p.turn, want) || len(p.unread) != 0 {
		t.Errorf("%d turns, want 2: %v", len(p.turn), p.turn)
	}
}
