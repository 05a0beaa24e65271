package target

import "github.com/stampede-bench/stampede/internal/clock"

// maxDials is how many connections are opened at a time for requests that wait for
// one. More would only take the processor from those that are open already.
const maxDials = 512

// line is the requests that found no ready connection, in the order in which they
// were due. Whichever comes first serves the first of them: a connection that was
// opened for them, or one whose reply has ended. It is part of the pool and guarded
// by its lock.
type line struct {
	first, last *Call
	n           int
	dialing     int // connections being opened for them
}

func (l *line) push(c *Call) {
	c.ahead, c.behind, c.waiting = l.last, nil, true
	if l.last != nil {
		l.last.behind = c
	} else {
		l.first = c
	}
	l.last = c
	l.n++
}

func (l *line) remove(c *Call) {
	if c.ahead != nil {
		c.ahead.behind = c.behind
	} else {
		l.first = c.behind
	}
	if c.behind != nil {
		c.behind.ahead = c.ahead
	} else {
		l.last = c.ahead
	}
	c.ahead, c.behind, c.waiting = nil, nil, false
	l.n--
}

// pop returns the first, or nil.
func (l *line) pop() *Call {
	c := l.first
	if c != nil {
		l.remove(c)
	}
	return c
}

// takeOr returns a connection as take does, or puts c in line. dial tells that the
// caller has to see to it that dialInLine runs.
func (p *pool) takeOr(c *Call) (k *conn, dial bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if k = p.takeLocked(); k != nil {
		return k, false
	}
	p.line.push(c)
	if p.line.dialing >= min(p.line.n, maxDials) {
		return nil, false
	}
	p.line.dialing++
	return nil, true
}

// dialOn reports whether somebody still waits for one that dials; if not it is one
// less. As many as wait, up to maxDials, are always being opened.
func (p *pool) dialOn() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.line.n >= p.line.dialing {
		return true
	}
	p.line.dialing--
	return false
}

// overdue removes the first in line and all that have waited since before an
// instant.
func (p *pool) overdue(before int64) (out []*Call) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := p.line.first; c != nil && (len(out) == 0 || c.started < before); c = p.line.first {
		out = append(out, p.line.pop())
	}
	return out
}

// leave takes c out of the line and reports whether it was there.
func (p *pool) leave(c *Call) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !c.waiting {
		return false
	}
	p.line.remove(c)
	return true
}

// place sends c on a ready connection or puts it in line. The caller holds cl.life.
func (cl *Client) place(c *Call) {
	if h := cl.h2.Load(); h != nil {
		h.start(c)
		return
	}
	for {
		k, dial := cl.pool.takeOr(c)
		if k == nil {
			cl.stats.cold.Add(1)
			if dial {
				cl.tasks.Go(cl.dialInLine)
			}
			return
		}
		if k.send(c, true) {
			return
		}
		cl.pool.closedIdle(k, clock.Now(), k.used > 0)
	}
}

// replace places a call once more; false when it is too late.
func (cl *Client) replace(c *Call) bool {
	cl.life.RLock()
	defer cl.life.RUnlock()
	if cl.closed {
		return false
	}
	cl.place(c)
	return true
}

// give hands a connection without a request to the first in line, or to the pool.
func (cl *Client) give(k *conn, used bool) {
	kept, c := cl.pool.put(k, used)
	switch {
	case c != nil:
		c.x.ConnectNanos = clock.Now() - c.started
		if k.send(c, used) {
			return
		}
		if used {
			cl.pool.closedIdle(k, clock.Now(), true)
		}
		if !cl.replace(c) {
			cl.refuse(c, fault{KindCancelled, "given up while it waited for a connection"})
		}
	case !kept:
		k.abort()
	}
}

// dialInLine opens connections as long as requests wait for them.
func (cl *Client) dialInLine() {
	for cl.pool.dialOn() {
		k, f := cl.dial(cl.ctx)
		if k != nil {
			cl.give(k, false)
			continue
		}
		if f.kind == kindOnlyHTTP2 {
			for _, c := range cl.pool.overdue(clock.Now()) {
				cl.h2.Load().start(c)
			}
			continue
		}
		if cl.ctx.Err() != nil {
			f = fault{KindCancelled, "given up while it waited for a connection"}
		}
		for _, c := range cl.pool.overdue(clock.Now() - int64(cl.connectTimeout())) {
			cl.refuse(c, f)
		}
	}
}
