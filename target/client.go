package target

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stampede-bench/stampede/internal/clock"
	"github.com/stampede-bench/stampede/measure"
)

const (
	connectTimeout = 10 * time.Second
	sweepMin       = int64(time.Millisecond)
	sweepMax       = int64(100 * time.Millisecond)
)

// Client sends requests to one endpoint. It is safe for concurrent use. What it
// started ends with Close.
type Client struct {
	cfg     Config
	timeout int64
	base    *url.URL
	tls     *tls.Config // nil: plain
	drv     driver
	heads   heads
	redact  redactor
	addrs   addrs
	net     network
	pool    pool
	stats   stats
	open    atomic.Int64          // connections that are open
	heldUp  atomic.Int64          // when the process was last seen to be kept from the processor
	h2      atomic.Pointer[http2] // set once the endpoint has said that it speaks nothing else

	askHTTP2     sync.Once
	answersHTTP2 bool

	exchanges sync.Pool // of *measure.Exchange

	life   sync.RWMutex // held to read while a request is put on its way
	closed bool
	ctx    context.Context // ends with Close; dials hang on it
	stop   context.CancelFunc
	tasks  sync.WaitGroup // dials and other goroutines
	spare  chan struct{}  // asks the keeper for spare connections
}

// network opens connections and reads them.
type network interface {
	// connect opens a connection to one address, with TLS where the endpoint
	// wants it.
	connect(ctx context.Context, to addrPort) (*conn, fault)
	// close gives up what is in flight, and returns when all readers have ended.
	close()
}

// New makes a Client. It opens no connection.
func New(cfg Config) (*Client, error) {
	base, err := baseURL(cfg.Endpoint.URL)
	if err != nil {
		return nil, err
	}
	if cfg.Timeout < 0 {
		return nil, fmt.Errorf("timeout %v is negative", cfg.Timeout)
	}
	drv, err := newDriver(cfg)
	if err != nil {
		return nil, err
	}
	trimBase(base, drv.path())
	cl := &Client{
		cfg: cfg, timeout: int64(cfg.Timeout), base: base, tls: tlsConfig(cfg, base), drv: drv,
		redact: newRedactor(secretsOf(cfg)),
		addrs:  addrs{host: base.Hostname(), port: portOf(base), allow: cfg.AllowAddr},
		pool:   pool{max: cfg.MaxIdle},
		spare:  make(chan struct{}, 1),
	}
	cl.exchanges.New = func() any { return new(measure.Exchange) }
	if cl.heads, err = newHeads(cl); err != nil {
		return nil, err
	}
	if cl.net, err = newNetwork(cl); err != nil {
		return nil, err
	}
	cl.ctx, cl.stop = context.WithCancel(context.Background())
	cl.tasks.Go(cl.keepSpares)
	return cl, nil
}

// tlsConfig is shared by all connections, so that sessions are resumed.
func tlsConfig(cfg Config, base *url.URL) *tls.Config {
	if base.Scheme != "https" {
		return nil
	}
	c := &tls.Config{}
	if cfg.TLS != nil {
		c = cfg.TLS.Clone()
	}
	if c.ServerName == "" {
		c.ServerName = base.Hostname()
	}
	if c.ClientSessionCache == nil {
		c.ClientSessionCache = tls.NewLRUClientSessionCache(0)
	}
	c.NextProtos = []string{"http/1.1"}
	return c
}

// sweepEvery is how often requests are looked over for timeouts, in ns.
func (cl *Client) sweepEvery() int64 {
	if cl.timeout == 0 {
		return sweepMax
	}
	return min(max(cl.timeout/64, sweepMin), sweepMax)
}

// Close gives up what is in flight, whose outcome is then measure.Cancelled, and
// returns when all that the Client started has ended. It must not be called from
// a done function.
func (cl *Client) Close() {
	cl.life.Lock()
	was := cl.closed
	cl.closed = true
	cl.life.Unlock()
	cl.stop()
	cl.tasks.Wait()
	if was {
		return
	}
	cl.pool.close()
	cl.net.close()
	if h := cl.h2.Load(); h != nil {
		h.close()
	}
}

// Start implements Doer.
func (cl *Client) Start(c *Call, done func(*Call, *measure.Exchange)) {
	cl.life.RLock()
	defer cl.life.RUnlock()
	if !c.state.CompareAndSwap(prepared, started) {
		panic("target: a Call was started twice")
	}
	c.done = done
	if cl.closed || c.cancelled.Load() {
		go cl.refuse(c, fault{KindCancelled, "given up before it was sent"})
		return
	}
	c.started = clock.Now()
	cl.place(c)
	cl.askSpare()
}

// Cancel implements Doer.
func (cl *Client) Cancel(c *Call) {
	c.cancelled.Store(true)
	if k := c.conn.Load(); k != nil {
		k.lane.cancel(k, c)
		return
	}
	cl.life.RLock()
	defer cl.life.RUnlock()
	if cl.closed || !cl.pool.leave(c) { // Close gives up all that wait
		c.cancelDial()
		return
	}
	cl.tasks.Go(func() { cl.refuse(c, fault{KindCancelled, "given up while it waited for a connection"}) })
}

// hand does what the reader of a connection found is to be done. It must be
// called without any lock.
func (cl *Client) hand(o outcome) {
	if o.pool != nil {
		cl.give(o.pool, true)
	}
	switch {
	case o.call == nil:
	case o.resend:
		cl.resend(o.call)
	default:
		cl.complete(o.call)
	}
}

// resend sends a call again whose connection the server had closed.
func (cl *Client) resend(c *Call) {
	cl.stats.stale.Add(1)
	c.again()
	c.started = clock.Now()
	if !cl.enter(func() { cl.dialFor(c) }) {
		cl.refuse(c, fault{KindCancelled, "given up before it was sent again"})
	}
}

// refuse ends a call that never got a connection.
func (cl *Client) refuse(c *Call, f fault) {
	c.x.End = clock.Now()
	c.x.KernelStamped = false
	cl.judge(c.x, f)
	cl.complete(c)
}

// judge enters what went wrong, if anything, into an exchange.
func (cl *Client) judge(x *measure.Exchange, f fault) {
	x.Status, x.ErrorKind = statusOf(f.kind), f.kind
	if f.is() {
		x.ErrorMessage = cl.redact.clean(f.message)
	}
}

func (cl *Client) complete(c *Call) {
	if c.state.CompareAndSwap(started, finished) {
		c.done(c, c.x)
	}
}

// Stats are counts since the Client was made, and of the moment.
type Stats struct {
	Opened int64 // connections that became ready
	Cold   int64 // requests that found no ready connection
	Stale  int64 // requests sent again because the server had closed their connection
	Failed int64 // connections that could not be opened
	Ready  int64 // connections without a request, now
	// ClockSteps counts how often the wall clock was seen to be set.
	ClockSteps int64
}

type stats struct{ opened, cold, stale, failed, steps atomic.Int64 }

// Stats returns the present counts.
func (cl *Client) Stats() Stats {
	s := &cl.stats
	return Stats{
		Opened: s.opened.Load(), Cold: s.cold.Load(), Stale: s.stale.Load(), Failed: s.failed.Load(),
		Ready: cl.pool.ready.Load(), ClockSteps: s.steps.Load(),
	}
}
