package target

import (
	"sync"
	"sync/atomic"

	"github.com/stampede-bench/stampede/internal/clock"
)

const (
	earlyClose  = 1e9  // ns: a server that closes this soon after a reply meant it
	earlyMany   = 3    // so many in a row, and its connections must settle first
	settleNanos = 50e6 // ns a connection of such a server lies before it is used
)

// pool holds connections without a request, the last used on top: those that are
// not needed grow old together. It learns whether the server closes connections
// after a reply without saying so; theirs settle for a while before they are
// used again, and fresh ones go first.
type pool struct {
	mu       sync.Mutex
	idle     row // ready
	settling row
	line     line
	max      int // 0 no bound
	shut     bool

	ready  atomic.Int64 // how many are idle
	early  atomic.Int64 // early closes in a row
	spoilt atomic.Int64 // connections that were closed soon and had not been used
}

// takeLocked removes and returns a connection, or nil. It may be dead. The caller
// holds the lock.
func (p *pool) takeLocked() *conn {
	if p.idle.n == 0 {
		p.settle()
	}
	k := p.idle.last()
	if k == nil {
		return nil
	}
	p.idle.remove(k)
	p.ready.Store(int64(p.idle.n))
	return k
}

// settle makes the oldest settling connection ready, once its time has passed.
func (p *pool) settle() {
	k := p.settling.first()
	if k == nil || clock.Now()-k.idleSince < settleNanos {
		return
	}
	p.settling.remove(k)
	k.settling = false
	p.push(k)
}

func (p *pool) push(k *conn) {
	p.idle.push(k)
	p.ready.Store(int64(p.idle.n))
}

// put keeps a connection, unless a request waits for one: then it returns that. kept
// is false when there is no room.
func (p *pool) put(k *conn, used bool) (kept bool, next *Call) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.line.n > 0 && (!used || !p.wary()) {
		return false, p.line.pop()
	}
	if p.shut || p.max > 0 && p.idle.n+p.settling.n >= p.max {
		return false, nil
	}
	k.idleSince = clock.Now()
	if used && p.wary() {
		k.settling = true
		p.settling.push(k)
		return true, nil
	}
	p.push(k)
	return true, nil
}

// closedIdle removes a connection that the server closed, and learns from it.
func (p *pool) closedIdle(k *conn, now int64, used bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if used && (k.at < 0 || now-k.idleSince < earlyClose) {
		p.early.Add(1)
	}
	if !used && now-k.idleSince < earlyClose {
		p.spoilt.Add(1)
	}
	p.remove(k)
}

// forget removes a connection that is of no use any more.
func (p *pool) forget(k *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.remove(k)
}

// wary reports whether the server is known to close after replies.
func (p *pool) wary() bool { return p.early.Load() >= earlyMany }

// answered tells that a connection the server could have closed was of use.
func (p *pool) answered() {
	if p.early.Load() != 0 {
		p.early.Store(0)
	}
}

func (p *pool) remove(k *conn) {
	if k.at < 0 {
		return
	}
	if k.settling {
		p.settling.remove(k)
		k.settling = false
		return
	}
	p.idle.remove(k)
	p.ready.Store(int64(p.idle.n))
}

// close empties the pool for good.
func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shut = true
	p.idle.clear()
	p.settling.clear()
	p.ready.Store(0)
}
