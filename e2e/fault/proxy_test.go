//go:build linux

package fault

import (
	"net"
	"sync"
	"testing"
)

// proxy passes TCP on until it is cut.
type proxy struct {
	listener net.Listener
	to       string

	mu    sync.Mutex
	cond  *sync.Cond
	state state
	conns map[net.Conn]bool
}

// state of the way: open, silent (nothing arrives and nobody is told), deaf (what
// comes back does not arrive) or severed (connections are reset and refused).
type state int

const (
	open state = iota
	silent
	deaf
	severed
)

func newProxy(t *testing.T, to string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, to: to, conns: map[net.Conn]bool{}}
	p.cond = sync.NewCond(&p.mu)
	go p.accept()
	t.Cleanup(func() { _ = l.Close(); p.set(severed) })
	return p
}

func (p *proxy) addr() string { return p.listener.Addr().String() }

// set changes the state; severing closes what is open.
func (p *proxy) set(s state) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state = s
	p.cond.Broadcast()
	if s == severed {
		for c := range p.conns {
			_ = c.Close()
		}
	}
}

func (p *proxy) accept() {
	for {
		in, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		refuse := p.state == severed
		p.mu.Unlock()
		out, err := net.Dial("tcp", p.to)
		if err != nil || refuse {
			_ = in.Close()
			if err == nil {
				_ = out.Close()
			}
			continue
		}
		p.mu.Lock()
		p.conns[in], p.conns[out] = true, true
		p.mu.Unlock()
		go p.pass(in, out, false)
		go p.pass(out, in, true)
	}
}

func (p *proxy) pass(from, to net.Conn, back bool) {
	defer from.Close()
	defer to.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		p.mu.Lock()
		for p.state == silent || p.state == deaf && back {
			p.cond.Wait()
		}
		p.mu.Unlock()
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}
