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
	idle     []*conn // ready
	settling []*conn // oldest first
	line     line
	max      int // 0 no bound
	shut     bool

	ready atomic.Int64 // length of idle
	early atomic.Int64 // early closes in a row
}

// takeLocked removes and returns a connection, or nil. It may be dead. The caller
// holds the lock.
func (p *pool) takeLocked() *conn {
	if len(p.idle) == 0 {
		p.settle()
	}
	n := len(p.idle)
	if n == 0 {
		return nil
	}
	k := p.idle[n-1]
	p.idle[n-1] = nil
	p.idle = p.idle[:n-1]
	k.at = -1
	p.ready.Store(int64(n - 1))
	return k
}

// settle makes the oldest settling connection ready, once its time has passed.
func (p *pool) settle() {
	if len(p.settling) == 0 || clock.Now()-p.settling[0].idleSince < settleNanos {
		return
	}
	k := p.settling[0]
	p.settling = p.settling[1:]
	for i, s := range p.settling {
		s.at = i
	}
	k.settling = false
	p.push(k)
}

func (p *pool) push(k *conn) {
	k.at = len(p.idle)
	p.idle = append(p.idle, k)
	p.ready.Store(int64(len(p.idle)))
}

// put keeps a connection, unless a request waits for one: then it returns that. kept
// is false when there is no room.
func (p *pool) put(k *conn, used bool) (kept bool, next *Call) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.line.n > 0 && (!used || !p.wary()) {
		return false, p.line.pop()
	}
	if p.shut || p.max > 0 && len(p.idle)+len(p.settling) >= p.max {
		return false, nil
	}
	k.idleSince = clock.Now()
	if used && p.wary() {
		k.at, k.settling = len(p.settling), true
		p.settling = append(p.settling, k)
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
	list := &p.idle
	if k.settling {
		list = &p.settling
	}
	copy((*list)[k.at:], (*list)[k.at+1:])
	*list = (*list)[:len(*list)-1]
	for i := k.at; i < len(*list); i++ {
		(*list)[i].at = i
	}
	k.at, k.settling = -1, false
	p.ready.Store(int64(len(p.idle)))
}

// close empties the pool for good and returns what was in it.
func (p *pool) close() []*conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shut = true
	all := append(p.idle, p.settling...)
	for _, k := range all {
		k.at = -1
	}
	p.idle, p.settling = nil, nil
	p.ready.Store(0)
	return all
}
