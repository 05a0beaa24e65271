package target

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stampede-bench/stampede/internal/clock"
)

const (
	portableRead = 32 << 10
	inlineWrite  = 64 << 10 // larger requests are written by a goroutine: they may block
)

// portable reads each connection with a goroutine of its own, by the runtime's
// network poller. It is what all systems but Linux have; its instants are the
// process's.
type portable struct {
	cl *Client
	wg sync.WaitGroup

	mu    sync.Mutex
	conns map[*conn]*netWire
	shut  bool
	stop  chan struct{}
}

func newPortable(cl *Client) *portable {
	n := &portable{cl: cl, conns: map[*conn]*netWire{}, stop: make(chan struct{})}
	n.wg.Go(n.sweep)
	return n
}

// netWire is a connection of package net.
type netWire struct {
	net.Conn
	n       *portable
	k       *conn
	writing atomic.Bool // a goroutine writes a large request
}

// connect implements network.
func (n *portable) connect(ctx context.Context, to addrPort) (*conn, fault) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", to.String())
	if err != nil {
		return nil, connectFault(to, err)
	}
	if n.cl.tls != nil {
		t := tls.Client(c, n.cl.tls)
		if err := t.HandshakeContext(ctx); err != nil {
			_ = c.Close()
			return nil, tlsFault(n.cl.addrs.host, err)
		}
		if n.cl.onlyHTTP2(ctx, to, t.ConnectionState().NegotiatedProtocol) {
			_ = c.Close()
			return nil, onlyHTTP2Fault(n.cl.addrs.host)
		}
		c = t
	}
	w := &netWire{Conn: c, n: n}
	w.k = &conn{cl: n.cl, lane: n, w: w, at: -1}
	if !n.add(w) {
		_ = c.Close()
		return nil, fault{KindCancelled, "the client is closed"}
	}
	return w.k, fault{}
}

func (n *portable) add(w *netWire) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.shut {
		return false
	}
	n.conns[w.k] = w
	n.wg.Go(w.read)
	return true
}

// read hands all that arrives to the connection, until it ends.
func (w *netWire) read() {
	buf := make([]byte, portableRead)
	for {
		before := clock.Now()
		n, err := w.Read(buf)
		at := clock.Now()
		w.k.mu.Lock()
		var o outcome
		switch {
		case w.k.closed:
		case n > 0:
			o = w.k.received(buf[:n], arrival{at: at, read: at, emptyAt: before}, true)
		}
		if err != nil && !w.k.closed {
			o = o.or(w.k.hungUp(at, readFault(err)))
		}
		gone := w.k.closed
		if gone {
			o.pool = nil
		}
		w.k.mu.Unlock()
		w.n.cl.hand(o)
		if gone {
			return
		}
	}
}

// send implements wire.
func (w *netWire) send(b []byte) (int, error) {
	if len(b) <= inlineWrite {
		return w.Write(b)
	}
	w.writing.Store(true)
	w.n.wg.Go(func() {
		defer w.writing.Store(false)
		if _, err := w.Write(b); err != nil {
			w.k.mu.Lock()
			w.k.halted = true
			w.k.mu.Unlock()
		}
	})
	return len(b), nil
}

// flush implements wire.
func (w *netWire) flush() (bool, error) { return w.writing.Load(), nil }

// prepare implements wire. Without the kernel's stamps it would gain nothing.
func (w *netWire) prepare([]byte) error { return nil }

// stampNext implements wire.
func (w *netWire) stampNext() {}

// alive implements wire. The goroutine that reads notices a close at once, and
// closes the connection for its part.
func (w *netWire) alive() bool { return true }

func (w *netWire) close() {
	_ = w.SetDeadline(time.Now()) // a goroutine may be writing, and TLS wants to say goodbye
	_ = w.Close()
	w.n.mu.Lock()
	delete(w.n.conns, w.k)
	w.n.mu.Unlock()
}

// begin, end and wake implement lane: goroutines need no telling.
func (n *portable) begin() {}
func (n *portable) end()   {}
func (n *portable) wake()  {}

// cancel implements lane. A goroutine of the client's own gives the call up, for
// done must not run on the caller of Cancel.
func (n *portable) cancel(k *conn, c *Call) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.shut {
		n.wg.Go(func() { k.drop(c, fault{KindCancelled, "given up while it was in flight"}) })
	}
}

// sweep gives up requests whose time has passed.
func (n *portable) sweep() {
	t := time.NewTicker(time.Duration(n.cl.sweepEvery()))
	defer t.Stop()
	for {
		select {
		case <-n.stop:
			return
		case <-t.C:
		}
		now := clock.Now()
		for _, k := range n.list() {
			k.expire(now)
		}
	}
}

func (n *portable) list() []*conn {
	n.mu.Lock()
	defer n.mu.Unlock()
	all := make([]*conn, 0, len(n.conns))
	for k := range n.conns {
		all = append(all, k)
	}
	return all
}

// close implements network.
func (n *portable) close() {
	n.mu.Lock()
	n.shut = true
	n.mu.Unlock()
	for _, k := range n.list() {
		k.abandon()
	}
	close(n.stop)
	n.wg.Wait()
}
