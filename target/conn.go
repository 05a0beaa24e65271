package target

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/stampede-bench/stampede/internal/clock"
	"github.com/stampede-bench/stampede/measure"
)

// wire is what carries the bytes of a connection. Its methods are called with
// the connection's lock held, or by the one goroutine that still dials it.
type wire interface {
	// prepare does what comes before the write and takes time: p, which is sent
	// next, is encrypted where it is short.
	prepare(p []byte) error
	// send writes as much of p as goes without waiting.
	send(p []byte) (int, error)
	// stampNext has the kernel stamp what the next send writes, where it can.
	stampNext()
	// flush writes what send took but could not pass on, and reports whether
	// something is left.
	flush() (left bool, err error)
	// alive reports whether an idle connection is still open and silent.
	alive() bool
	close()
}

// lane is who reads a set of connections.
type lane interface {
	// begin and end count the requests in flight; begin comes before the write.
	begin()
	end()
	// wake has the reader look at its timeouts and begin to watch closely, if it
	// slept because nothing was in flight.
	wake()
	// cancel has the reader give up c, which is on k.
	cancel(k *conn, c *Call)
}

// staleWithin, beside the time that connecting took, is how soon after the write a
// connection breaks that the server had closed before. One that breaks later broke
// under the request. It leaves room for a process that waits for a processor.
const staleWithin = int64(250 * time.Millisecond)

// conn is one connection with the request that is on it, if any. Between
// requests it lies in the client's pool.
type conn struct {
	cl   *Client
	lane lane
	w    wire

	deadline atomic.Int64 // of the request on it; 0 none

	mu      sync.Mutex // guards what follows, and w
	call    *Call
	out     []byte // of the request, not yet written
	reply   reply
	empty   int64 // when the socket was last found empty by a read of its own
	wrote   int64 // when writing the request returned
	used    int64 // requests it has carried
	halted  bool  // writing failed; good for nothing after the answer
	pooled  bool  // the request found the connection in the pool
	opening int64 // nanoseconds that it took to connect
	closed  bool

	// Of the pool, guarded by its lock.
	at        int // place in its list, -1 when not there
	settling  bool
	idleSince int64
}

// send puts a request on the connection. It runs on the caller of Start: nothing
// here allocates or waits. It returns false when the connection turns out to be
// dead before a byte was written; idle tells that it comes from the pool.
func (k *conn) send(c *Call, idle bool) bool {
	k.mu.Lock()
	if k.closed || idle && !k.w.alive() {
		k.shut()
		k.mu.Unlock()
		return false
	}
	k.lane.begin()
	k.call = c
	c.conn.Store(k)
	k.reply.begin(c, k.cl.drv)
	x := c.x
	x.Reused = k.used > 0
	k.pooled = idle
	k.used++
	n, err := 0, k.w.prepare(c.req)
	x.Sent = clock.Now()
	if k.cl.wantsStamp(len(c.req), x.Sent) {
		k.w.stampNext()
	}
	if err == nil {
		n, err = k.w.send(c.req)
	}
	k.wrote = clock.Now()
	k.cl.keptWaiting(k.wrote-x.Sent, k.wrote)
	k.empty = x.Sent
	k.deadline.Store(c.deadlineOf(x.Sent))
	k.out = c.req[n:]
	if err != nil {
		// What broke the connection wakes its reader, and there may be an answer
		// to read yet: the reader decides.
		k.out, k.halted = nil, true
	}
	k.mu.Unlock()
	k.lane.wake()
	if c.cancelled.Load() {
		k.lane.cancel(k, c)
	}
	return true
}

// outcome is what the reader has to do after it let go of a connection's lock.
type outcome struct {
	call   *Call
	resend bool // on a fresh connection, instead of being done
	pool   *conn
}

// or is o, or b when o is nothing: a read ends at most one request.
func (o outcome) or(b outcome) outcome {
	if o.call != nil {
		return o
	}
	return b
}

// received reads bytes that arrived. The caller holds k.mu and hands the outcome
// on after it let go.
func (k *conn) received(p []byte, a arrival, fresh bool) (o outcome) {
	if k.call == nil { // nobody asked
		k.cl.pool.forget(k)
		k.shut()
		return o
	}
	r := &k.reply
	n := r.feed(p, a, fresh)
	if r.endMark && !r.complete && !r.unwelcome {
		k.shorten(a.at + endGrace)
	}
	if !r.complete && !r.unwelcome {
		return o
	}
	if k.pooled && k.used > 1 {
		k.cl.pool.answered()
	}
	return k.finish(n == len(p) && k.reusable())
}

// reusable reports whether the connection is good for another request after the
// reply. A server may answer before it has read all; what it then does with the
// rest cannot be known.
func (k *conn) reusable() bool {
	r := &k.reply
	if !r.complete || r.unwelcome || !r.http.keepAlive || len(k.out) > 0 || k.halted {
		return false
	}
	left, err := k.w.flush()
	return !left && err == nil
}

// writable goes on writing the request. Errors are left to the reader, who may
// find an answer that was given before the connection broke.
func (k *conn) writable() {
	if _, err := k.w.flush(); err != nil {
		k.out, k.halted = nil, true
		return
	}
	if len(k.out) == 0 {
		return
	}
	n, err := k.w.send(k.out)
	if k.out = k.out[n:]; err != nil {
		k.out, k.halted = nil, true
	}
}

// shorten brings the deadline forward.
func (k *conn) shorten(to int64) {
	if d := k.deadline.Load(); d == 0 || d > to {
		k.deadline.Store(to)
	}
}

// hungUp tells that the peer closed the connection, or with a fault that it
// broke. When the connection had been idle, no byte of an answer came and the word
// of it took no longer than the way to the server and back, the server has closed it
// before it saw the request: that is no failure of the request, which is sent once
// more.
func (k *conn) hungUp(at int64, f fault) (o outcome) {
	if k.call == nil {
		k.cl.pool.closedIdle(k, at, k.used > 0)
		k.shut()
		return o
	}
	c := k.call
	stale := k.pooled && !k.reply.http.begun && at-c.x.Sent <= staleWithin+k.opening
	if stale && c.x.Attempt == 1 && !c.cancelled.Load() {
		k.release()
		k.shut()
		return outcome{call: c, resend: true}
	}
	if f.is() {
		k.reply.broken(at, f)
	} else {
		k.reply.eof(at)
	}
	return k.finish(false)
}

// giveUp ends the request of its own accord: a timeout, Cancel or Close.
func (k *conn) giveUp(at int64, f fault) outcome {
	if k.reply.endMark { // all but the formal end is there
		k.reply.finish(k.reply.markedAt)
		return k.finish(false)
	}
	k.reply.breakOff(arrival{at: at}, f)
	return k.finish(false)
}

// finish takes the request off the connection.
func (k *conn) finish(reusable bool) outcome {
	c, r := k.call, &k.reply
	x := c.x
	if !r.http.begun {
		x.KernelStamped = false
	}
	if r.mode == modeFetch {
		c.body, r.body = r.body, nil
	}
	c.retryAfter = r.http.retryAfter
	k.cl.judge(x, r.fault)
	k.release()
	if !reusable || k.closed {
		k.shut()
		return outcome{call: c}
	}
	return outcome{call: c, pool: k}
}

// release parts the connection from its request.
func (k *conn) release() {
	k.call.conn.Store(nil)
	k.call, k.out = nil, nil
	k.deadline.Store(0)
	k.lane.end()
}

// shut closes the connection. It may be called twice.
func (k *conn) shut() {
	if !k.closed {
		k.closed = true
		k.w.close()
	}
}

// expire gives up the request when its time has passed.
func (k *conn) expire(now int64) {
	if d := k.deadline.Load(); d == 0 || now < d {
		return
	}
	k.mu.Lock()
	var o outcome
	if d := k.deadline.Load(); k.call != nil && d != 0 && now >= d {
		o = k.giveUp(clock.Now(), k.timeoutFault())
	}
	k.mu.Unlock()
	k.cl.hand(o)
}

func (k *conn) timeoutFault() fault { return timeoutFault(k.call.x, k.cl.cfg.Timeout) }

// timeoutFault tells in which phase a request's time passed.
func timeoutFault(x *measure.Exchange, timeout time.Duration) fault {
	switch {
	case x.Headers == measure.Absent:
		return faultf(KindTimeoutHeaders, "no headers within %v", timeout)
	case len(x.Chunks) == 0:
		return faultf(KindTimeoutFirstToken, "no token within %v", timeout)
	}
	return faultf(KindTimeoutStream, "the reply had not ended within %v", timeout)
}

// drop gives up c if it is still on the connection.
func (k *conn) drop(c *Call, f fault) {
	k.mu.Lock()
	var o outcome
	if k.call == c && c != nil {
		o = k.giveUp(clock.Now(), f)
	}
	k.mu.Unlock()
	k.cl.hand(o)
}

// abort closes a connection without a request.
func (k *conn) abort() {
	k.mu.Lock()
	k.shut()
	k.mu.Unlock()
}

// abandon gives up whatever is on the connection and closes it; the client is
// closed.
func (k *conn) abandon() {
	k.mu.Lock()
	var o outcome
	if k.call != nil {
		o = k.giveUp(clock.Now(), fault{KindCancelled, "given up because the client was closed"})
	}
	k.shut()
	o.pool = nil
	k.mu.Unlock()
	k.cl.hand(o)
}
