package target

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/stampede-bench/stampede/measure"
)

// call is the state of a Call that its users don't see.
type call struct {
	cl      *Client
	head    int    // length of the request's head in bytes, without its empty line
	req     []byte // head and body as they go over the wire
	mode    mode
	keep    bool  // keep the answer
	bare    bool  // a HEAD request: the reply has no body
	attempt int32 // by the caller's count

	done func(*Call, *measure.Exchange)
	x    *measure.Exchange
	body []byte // of a plain fetch

	retryAfter *string // as the endpoint said it; nil: it did not

	started   int64 // when Start was called; for ConnectNanos
	state     atomic.Int32
	cancelled atomic.Bool
	conn      atomic.Pointer[conn]

	// In the pool's line, guarded by its lock.
	ahead, behind *Call
	waiting       bool

	mu   sync.Mutex
	stop context.CancelFunc // ends the dial that the call waits for
}

// mode is how a reply is read.
type mode uint8

const (
	modeStream mode = iota // events are expected
	modeWhole              // one JSON object is expected
	modeFetch              // whatever comes is handed over
)

const (
	prepared int32 = iota
	started
	finished
)

// Release gives the buffers of a finished call, among them its Exchange, back to
// the Client for other calls. Neither may be used after it. Calling it is
// optional.
func (c *Call) Release() {
	if c.state.Load() != finished || c.x == nil {
		return
	}
	c.cl.exchanges.Put(c.x)
	c.x, c.req, c.body = nil, nil, nil
}

// deadlineOf is when the call times out, counted from sent, or 0 for never.
func (c *Call) deadlineOf(sent int64) int64 {
	if c.cl.timeout == 0 {
		return 0
	}
	return sent + c.cl.timeout
}

// waitDial registers what ends the dial this call waits for. It returns false
// when the call was given up before.
func (c *Call) waitDial(stop context.CancelFunc) bool {
	c.mu.Lock()
	c.stop = stop
	c.mu.Unlock()
	return !c.cancelled.Load()
}

// cancelDial ends the dial, if one is on.
func (c *Call) cancelDial() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stop != nil {
		c.stop()
	}
}

// again makes the bytes of the second attempt. It is off the hot path.
func (c *Call) again() {
	header := attemptHeader(2)
	if c.attempt > 1 {
		header = "" // the endpoint has not seen this attempt
	}
	req := make([]byte, 0, len(c.req)+len(header))
	req = append(req, c.req[:c.head]...)
	req = append(req, header...)
	c.req = append(req, c.req[c.head:]...)
	c.head += len(header)
	c.x.Attempt, c.x.Stale, c.x.FirstSent = 2, true, c.x.Sent
}
