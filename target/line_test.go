package target

import (
	"bufio"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/measure"
)

func TestLineServesInOrder(t *testing.T) {
	p := &pool{}
	calls := make([]*Call, 4)
	for i := range calls {
		calls[i] = &Call{call{started: int64(i)}}
		if k, dial := p.takeOr(calls[i]); k != nil || !dial {
			t.Fatalf("call %d: %v, %v; want to wait while another connection is opened", i, k, dial)
		}
	}
	if !p.leave(calls[1]) || p.leave(calls[1]) {
		t.Error("a call leaves the line once")
	}
	for _, want := range []*Call{calls[0], calls[2]} {
		if _, next := p.put(&conn{at: -1}, true); next != want {
			t.Errorf("a connection went to another than call %d", want.started)
		}
	}
	if out := p.overdue(0); len(out) != 1 || out[0] != calls[3] {
		t.Errorf("%d calls are overdue, want the first in line at least", len(out))
	}
	if kept, next := p.put(&conn{at: -1}, true); !kept || next != nil {
		t.Error("nobody waits, but the connection was not kept")
	}
	left := 0
	for range calls {
		if !p.dialOn() {
			left++
		}
	}
	if left != len(calls) || p.line.dialing != 0 || p.line.n != 0 {
		t.Errorf("%d of %d stopped opening connections, line %+v", left, len(calls), p.line)
	}
}

func TestLineKeepsOpeningConnections(t *testing.T) {
	p := &pool{}
	dials := 0
	for range maxDials + 10 {
		if _, dial := p.takeOr(&Call{}); dial {
			dials++
		}
	}
	if dials != maxDials || !p.dialOn() {
		t.Errorf("%d at once, want %d", dials, maxDials)
	}
	for range 10 { // ten are served; as many wait as connections are being opened
		p.put(&conn{at: -1}, false)
	}
	if !p.dialOn() {
		t.Error("a connection too few is being opened")
	}
	p.put(&conn{at: -1}, false)
	if p.dialOn() || !p.dialOn() {
		t.Error("one connection too many was being opened, no more")
	}
}

// TestFreedConnectionServesTheLine has the second of two requests wait for a
// connection that does not come up; the first one's serves it.
func TestFreedConnectionServesTheLine(t *testing.T) {
	s := serveRaw(t, func(_ int, c *net.TCPConn, r *bufio.Reader) {
		for readRequest(r) != nil {
			time.Sleep(20 * time.Millisecond)
			say(c, answer())
		}
	})
	cl := newClient(t, configFor(s.url()))
	if _, err := cl.Warm(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	cl.addrs.port = deadPort(t) // what is opened from now on is refused at best
	cl.pool.mu.Lock()
	cl.pool.line.dialing = maxDials // or rather: all dials hang
	cl.pool.mu.Unlock()
	var ended sync.WaitGroup
	var order []string
	for _, id := range []string{"first", "second", "third"} {
		in := hello()
		in.ID = id
		c, err := cl.Prepare(in)
		if err != nil {
			t.Fatal(err)
		}
		ended.Add(1)
		cl.Start(c, func(_ *Call, x *measure.Exchange) {
			if x.Status != measure.Succeeded || (id != "first" && x.ConnectNanos < 15*ms) {
				t.Errorf("%s: %v after %d ns in line: %s", id, x.Status, x.ConnectNanos, x.ErrorMessage)
			}
			order = append(order, id)
			ended.Done()
		})
	}
	ended.Wait()
	if len(order) != 3 || order[0] != "first" || order[1] != "second" {
		t.Errorf("served in the order %v", order)
	}
	if n := cl.Stats().Opened; n != 1 {
		t.Errorf("%d connections were opened, want 1", n)
	}
}

// TestCancelInLine gives up a request that waits for a connection.
func TestCancelInLine(t *testing.T) {
	cl := newClient(t, configFor("http://127.0.0.1:10000/v1"))
	cl.pool.line.dialing = maxDials
	c, err := cl.Prepare(hello())
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan *measure.Exchange, 1)
	cl.Start(c, func(_ *Call, x *measure.Exchange) { done <- x })
	cl.Cancel(c)
	if x := <-done; x.Status != measure.Cancelled || x.Sent != measure.Absent {
		t.Errorf("%v, sent %d: %s", x.Status, x.Sent, x.ErrorMessage)
	}
}

// deadPort is a port of this host at which nothing listens.
func deadPort(t *testing.T) uint16 {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).AddrPort().Port()
}
