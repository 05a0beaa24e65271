package target

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stampede-bench/stampede/internal/clock"
	"github.com/stampede-bench/stampede/measure"
)

// kindOnlyHTTP2 is the fault of a handshake with a server that speaks nothing but
// HTTP/2. It stays inside the client, which then speaks that.
const kindOnlyHTTP2 = "only_http2"

// http2 sends requests over HTTP/2, to endpoints that speak nothing else. It is
// net/http's; each request has a goroutine, and all instants are the process's.
type http2 struct {
	cl        *Client
	transport *http.Transport
	buffers   sync.Pool

	mu    sync.Mutex
	conns map[*http2Conn]bool // open; nil once they are closed for good
}

// http2Conn is a connection that the transport has.
type http2Conn struct {
	net.Conn
	h *http2
}

// Close implements net.Conn.
func (c *http2Conn) Close() error {
	c.h.mu.Lock()
	delete(c.h.conns, c)
	c.h.mu.Unlock()
	return c.Conn.Close()
}

// keep notes an open connection; false when the client is closed.
func (h *http2) keep(c *http2Conn) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.conns == nil {
		return false
	}
	h.conns[c] = true
	return true
}

// close closes all connections. The transport would let those go on that have been
// idle since a moment ago.
func (h *http2) close() {
	h.transport.CloseIdleConnections()
	h.mu.Lock()
	conns := h.conns
	h.conns = nil
	h.mu.Unlock()
	for c := range conns {
		_ = c.Conn.Close()
	}
}

// speakHTTP2 has all requests from now on go over HTTP/2.
func (cl *Client) speakHTTP2() {
	h := &http2{cl: cl, conns: map[*http2Conn]bool{}, transport: &http.Transport{
		Protocols: new(http.Protocols), TLSClientConfig: cl.tls.Clone(), DisableCompression: true,
		MaxResponseHeaderBytes: maxHeaderBytes,
	}}
	h.transport.Protocols.SetHTTP2(true)
	h.transport.TLSClientConfig.NextProtos = nil // the transport's to say
	h.transport.DialContext = h.dial
	h.buffers.New = func() any { b := make([]byte, portableRead); return &b }
	cl.h2.CompareAndSwap(nil, h)
}

// saysOnlyHTTP2 recognizes the alert of a server that was offered HTTP/1.1.
func saysOnlyHTTP2(err error) bool {
	return err != nil && strings.Contains(err.Error(), "no application protocol")
}

// faultError carries a fault through net/http.
type faultError struct{ fault }

func (e faultError) Error() string { return e.message }

// dial opens a connection to the first of the endpoint's addresses that takes it.
func (h *http2) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ctx, stop := context.WithTimeout(ctx, h.cl.connectTimeout())
	defer stop()
	list, f := h.cl.addrs.lookup(ctx)
	for i, to := range list {
		one, stopOne := share(ctx, len(list)-i)
		var d net.Dialer
		c, err := d.DialContext(one, "tcp", to.String())
		stopOne()
		if err == nil {
			h.cl.stats.opened.Add(1)
			k := &http2Conn{c, h}
			if !h.keep(k) {
				_ = c.Close()
			}
			return k, nil
		}
		if f = connectFault(to, err); ctx.Err() != nil {
			break
		}
	}
	h.cl.stats.failed.Add(1)
	return nil, faultError{f}
}

// start sends c; the caller holds cl.life.
func (h *http2) start(c *Call) { h.cl.tasks.Go(func() { h.exchange(c) }) }

// bounded is the context of one request.
func (h *http2) bounded() (context.Context, context.CancelFunc) {
	if h.cl.timeout > 0 {
		return context.WithTimeout(h.cl.ctx, time.Duration(h.cl.timeout))
	}
	return context.WithCancel(h.cl.ctx)
}

// exchange sends c and reads its reply.
func (h *http2) exchange(c *Call) {
	ctx, stop := h.bounded()
	defer stop()
	if !c.waitDial(stop) {
		h.cl.refuse(c, fault{KindCancelled, "given up before it was sent"})
		return
	}
	r := &reply{}
	r.begin(c, h.cl.drv)
	r.x.KernelStamped = false
	resp, err := h.roundTrip(ctx, c)
	at := clock.Now()
	if err != nil {
		r.broken(at, h.faultOf(ctx, c, err))
	} else {
		r.parsed(resp, at)
		h.read(ctx, c, r, resp.Body, stop)
		_ = resp.Body.Close()
	}
	if r.mode == modeFetch {
		c.body = r.body
	}
	c.retryAfter = r.http.retryAfter
	h.cl.judge(r.x, r.fault)
	h.cl.complete(c)
}

// roundTrip sends the request, whose bytes are those of HTTP/1.1. It counts as sent
// when the last field of its head was encoded, which the write follows: the transport
// has a goroutine of its own for that, and gives out its connection long before.
func (h *http2) roundTrip(ctx context.Context, c *Call) (*http.Response, error) {
	req, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(c.req)))
	if err != nil {
		return nil, err
	}
	body := c.req[min(c.head+len("\r\n\r\n"), len(c.req)):]
	req.Body, req.RequestURI = io.NopCloser(bytes.NewReader(body)), ""
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	req.URL.Scheme, req.URL.Host = "https", h.cl.base.Host
	x := c.x
	var encoded atomic.Int64
	trace := &httptrace.ClientTrace{
		GotConn: func(info httptrace.GotConnInfo) {
			if at := encoded.Load(); at > 0 && x.FirstSent == measure.Absent { // the server did not take it
				x.Attempt, x.Stale, x.FirstSent = 2, true, at
				h.cl.stats.stale.Add(1)
			}
			x.Sent, x.Reused = clock.Now(), info.Reused
			if !info.Reused {
				x.ConnectNanos = x.Sent - c.started
			}
		},
		WroteHeaderField: func(string, []string) { encoded.Store(clock.Now()) },
	}
	resp, err := h.transport.RoundTrip(req.WithContext(httptrace.WithClientTrace(ctx, trace)))
	if at := encoded.Load(); at > 0 {
		x.Sent = at
	}
	return resp, err
}

// parsed enters a response whose head net/http has read.
func (r *reply) parsed(resp *http.Response, at int64) {
	h := &r.http
	h.status, h.begun, h.headersDone = resp.StatusCode, true, true
	h.contentType, h.encoding, h.location = resp.Header.Get("Content-Type"), resp.Header.Get("Content-Encoding"), resp.Header.Get("Location")
	if v := resp.Header.Get("Retry-After"); v != "" {
		h.retryAfter = &v
	}
	r.x.Headers, r.x.HTTPStatus = at, int32(resp.StatusCode)
	r.classify(arrival{at: at, read: at, emptyAt: at})
}

// read hands the body to the reply until it ends.
func (h *http2) read(ctx context.Context, c *Call, r *reply, body io.Reader, stop func()) {
	buf := h.buffers.Get().(*[]byte)
	defer h.buffers.Put(buf)
	for marked := false; !r.complete && !r.unwelcome; {
		before := clock.Now()
		n, err := body.Read(*buf)
		at := clock.Now()
		a := arrival{at: at, read: at, emptyAt: before, lag: at - before}
		if n > 0 {
			r.note(a, true)
			r.x.KernelStamped = false
			r.bodyBytes((*buf)[:n], a)
		}
		switch {
		case r.complete || r.unwelcome:
		case err == io.EOF:
			r.finish(at)
		case err != nil:
			r.broken(at, h.faultOf(ctx, c, err))
		case r.endMark && !marked:
			marked = true
			defer time.AfterFunc(time.Duration(endGrace), stop).Stop()
		}
	}
}

// faultOf names what kept a request from its reply.
func (h *http2) faultOf(ctx context.Context, c *Call, err error) fault {
	var known faultError
	switch x := c.x; {
	case c.cancelled.Load():
		return fault{KindCancelled, "given up while it was in flight"}
	case h.cl.ctx.Err() != nil:
		return fault{KindCancelled, "given up because the client was closed"}
	case errors.Is(ctx.Err(), context.DeadlineExceeded) && x.Sent == measure.Absent:
		return fault{KindTimeoutConnect, "no connection in time"}
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return timeoutFault(x, h.cl.cfg.Timeout)
	case errors.As(err, &known):
		return known.fault
	case x.Sent == measure.Absent:
		return tlsFault(h.cl.addrs.host, err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return fault{KindTruncated, "the connection was closed inside the reply"}
	}
	return fault{KindReset, "the HTTP/2 stream broke: " + err.Error()}
}

// onlyHTTP2 reports whether the endpoint speaks nothing else, after a handshake in
// which it was offered HTTP/1.1. A server that agreed to that does not. One that left
// the protocol open may know nothing of such offers, or hang up on what comes next;
// it is asked once, by another handshake, whether it would rather speak HTTP/2.
func (cl *Client) onlyHTTP2(ctx context.Context, to addrPort, agreed string) bool {
	if agreed != "" {
		return false
	}
	cl.askHTTP2.Do(func() {
		var d net.Dialer
		c, err := d.DialContext(ctx, "tcp", to.String())
		if err != nil {
			return
		}
		defer c.Close()
		cfg := cl.tls.Clone()
		cfg.NextProtos = []string{"h2"}
		t := tls.Client(c, cfg)
		cl.answersHTTP2 = t.HandshakeContext(ctx) == nil && t.ConnectionState().NegotiatedProtocol == "h2"
	})
	return cl.answersHTTP2
}

// onlyHTTP2Fault tells of such an endpoint.
func onlyHTTP2Fault(host string) fault {
	return fault{kindOnlyHTTP2, host + " speaks only HTTP/2"}
}
