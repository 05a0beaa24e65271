package target

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"time"

	"github.com/stampede-bench/stampede/internal/clock"
)

const (
	warmParallel = 32              // dials at a time by Warm and for spares
	sparePause   = time.Second     // after a dial for a spare failed, or was in vain
	leastPerAddr = 2 * time.Second // for each of several addresses
)

type addrPort = netip.AddrPort

// dial opens a connection to the first of the endpoint's addresses that takes it.
func (cl *Client) dial(ctx context.Context) (*conn, fault) {
	ctx, stop := context.WithTimeout(ctx, cl.connectTimeout())
	defer stop()
	list, f := cl.addrs.lookup(ctx)
	if f.is() {
		cl.stats.failed.Add(1)
		return nil, f
	}
	for i, to := range list {
		one, stopOne := share(ctx, len(list)-i)
		var k *conn
		began := clock.Now()
		k, f = cl.net.connect(one, to)
		stopOne()
		if k != nil {
			k.opening = clock.Now() - began
			cl.stats.opened.Add(1)
			return k, fault{}
		}
		if f.kind == kindOnlyHTTP2 {
			cl.speakHTTP2()
			return nil, f
		}
		if ctx.Err() != nil {
			break
		}
	}
	cl.stats.failed.Add(1)
	return nil, f
}

func (cl *Client) connectTimeout() time.Duration {
	if t := cl.cfg.Timeout; t > 0 && t < connectTimeout {
		return t
	}
	return connectTimeout
}

// share bounds the time for one of n addresses that are still to be tried.
func share(ctx context.Context, n int) (context.Context, context.CancelFunc) {
	end, ok := ctx.Deadline()
	if !ok || n < 2 {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, max(time.Until(end)/time.Duration(n), leastPerAddr))
}

// dialFor opens a connection for a call that is sent again, and sends it there.
func (cl *Client) dialFor(c *Call) {
	ctx, stop := context.WithCancel(cl.ctx)
	defer stop()
	if !c.waitDial(stop) {
		cl.refuse(c, fault{KindCancelled, "given up before it was sent"})
		return
	}
	for {
		k, f := cl.dial(ctx)
		if f.kind == kindOnlyHTTP2 {
			cl.h2.Load().exchange(c)
			return
		}
		if f.is() {
			if ctx.Err() != nil {
				f = fault{KindCancelled, "given up while it waited for a connection"}
			}
			cl.refuse(c, f)
			return
		}
		c.x.ConnectNanos = clock.Now() - c.started
		if k.send(c, false) {
			return
		}
	}
}

// Warm implements Doer.
func (cl *Client) Warm(ctx context.Context, n int) (int, error) {
	if cl.h2.Load() != nil {
		return n, nil
	}
	type result struct{ f fault }
	missing := n - int(cl.pool.ready.Load())
	results := make(chan result, max(missing, 0))
	places := make(chan struct{}, warmParallel)
	for range missing {
		places <- struct{}{}
		if !cl.enter(func() {
			defer func() { <-places }()
			results <- result{cl.addSpare(ctx)}
		}) {
			<-places
			results <- result{fault{KindCancelled, "the client is closed"}}
		}
	}
	var first error
	for range missing {
		if r := <-results; r.f.is() && first == nil {
			first = cl.errorOf(r.f)
		}
	}
	if first == nil && cl.h2.Load() != nil {
		return n, nil
	}
	return int(cl.pool.ready.Load()), first
}

// enter runs task on a goroutine that Close waits for; false when it is too late.
func (cl *Client) enter(task func()) bool {
	cl.life.RLock()
	defer cl.life.RUnlock()
	if cl.closed {
		return false
	}
	cl.tasks.Go(task)
	return true
}

// addSpare opens a connection and puts it into the pool.
func (cl *Client) addSpare(ctx context.Context) fault {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(cl.ctx, stop)()
	k, f := cl.dial(ctx)
	if f.kind == kindOnlyHTTP2 { // one connection carries many requests, and is opened by the first
		return fault{}
	}
	if f.is() {
		return f
	}
	cl.give(k, false)
	return fault{}
}

// wanted is how many connections should be ready. For a server that closes after
// each reply there is always a fresh one.
func (cl *Client) wanted() int64 {
	if cl.h2.Load() != nil {
		return 0
	}
	n := cl.cfg.Reserve
	if cl.pool.wary() {
		n = max(n, 1)
	}
	if most := cl.cfg.MaxIdle; most > 0 {
		n = min(n, most)
	}
	return int64(n)
}

// askSpare wakes the keeper when too few connections are ready.
func (cl *Client) askSpare() {
	if cl.pool.ready.Load() >= cl.wanted() {
		return
	}
	select {
	case cl.spare <- struct{}{}:
	default:
	}
}

// keepSpares dials connections ahead when it is asked to. A server that cannot be
// reached, or closes them as soon as they are there, is left in peace for a while.
func (cl *Client) keepSpares() {
	for {
		select {
		case <-cl.ctx.Done():
			return
		case <-cl.spare:
		}
		missing := int(cl.wanted() - cl.pool.ready.Load())
		if missing <= 0 {
			continue
		}
		spoilt := cl.pool.spoilt.Swap(0) > 0
		if !spoilt {
			_, err := cl.Warm(cl.ctx, int(cl.pool.ready.Load())+min(missing, warmParallel))
			spoilt = err != nil
		}
		if spoilt {
			select {
			case <-cl.ctx.Done():
			case <-time.After(sparePause):
			}
		}
	}
}

// connectFault names what kept a connection from opening.
func connectFault(to addrPort, err error) fault {
	switch {
	case errors.Is(err, context.Canceled):
		return fault{KindCancelled, "given up while connecting to " + to.String()}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, syscall.ETIMEDOUT), errors.Is(err, os.ErrDeadlineExceeded):
		return fault{KindTimeoutConnect, "no connection to " + to.String() + " in time"}
	case isRefused(err):
		return fault{KindRefused, "nothing listens at " + to.String() + ": connection refused"}
	case isLocal(err):
		return fault{KindLocal, "cannot connect to " + to.String() + ": " + localLimit(err)}
	}
	var op *net.OpError
	if errors.As(err, &op) {
		err = op.Err
	}
	return fault{KindConnect, "cannot connect to " + to.String() + ": " + err.Error()}
}

// localLimit names what of this host is used up, and what gives more of it.
func localLimit(err error) string {
	switch {
	case errors.Is(err, syscall.EMFILE):
		return "this process has as many files open as it may; ulimit -n raises that before it starts (in a container: --ulimit nofile), or share the load among more agents"
	case errors.Is(err, syscall.ENFILE):
		return "this host has as many files open as it may; sysctl fs.file-max raises that"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return "this host has no port left to connect from; sysctl net.ipv4.ip_local_port_range=\"1024 65535\" makes more, a further address on the interface is used by itself, or share the load among more hosts"
	}
	return "this host has run out: " + err.Error()
}

// isLocal tells that files, ports or memory of this host are used up.
func isLocal(err error) bool {
	for _, e := range []error{syscall.EMFILE, syscall.ENFILE, syscall.EADDRNOTAVAIL, syscall.ENOBUFS, syscall.ENOMEM} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// tlsFault names what kept TLS from coming about.
func tlsFault(host string, err error) fault {
	var (
		record tls.RecordHeaderError
		verify *tls.CertificateVerificationError
		name   x509.HostnameError
		op     *net.OpError
	)
	switch {
	case errors.Is(err, context.Canceled):
		return fault{KindCancelled, "given up during the TLS handshake"}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return fault{KindTimeoutConnect, "no end of the TLS handshake in time"}
	case saysOnlyHTTP2(err):
		return onlyHTTP2Fault(host)
	case errors.As(err, &record):
		return fault{KindTLS, host + " does not speak TLS; is the URL meant to begin with http://?"}
	case errors.As(err, &verify), errors.As(err, &name):
		return fault{KindTLS, "the certificate of " + host + " is not trusted: " + err.Error()}
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), isReset(err):
		return fault{KindTLS, host + " closed the connection during the TLS handshake"}
	case errors.As(err, &op):
		err = op.Err
	}
	return fault{KindTLS, fmt.Sprintf("TLS with %s: %v", host, err)}
}

// readFault names what broke an open connection.
func readFault(err error) fault {
	switch {
	case errors.Is(err, io.EOF):
		return fault{}
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fault{KindTruncated, "the connection was closed inside the reply"}
	case isReset(err):
		return fault{KindReset, "the connection was reset by the peer"}
	case errors.Is(err, net.ErrClosed):
		return fault{KindTruncated, "the connection was closed"}
	}
	return fault{KindReset, "the connection broke: " + err.Error()}
}

// tlsReadFault names what broke TLS on an open connection.
func tlsReadFault(err error) fault {
	if errors.Is(err, io.EOF) {
		return fault{}
	}
	return fault{KindTLS, "TLS broke: " + err.Error()}
}

func (cl *Client) errorOf(f fault) error {
	return &Error{Kind: f.kind, Status: statusOf(f.kind), Message: cl.redact.clean(f.message)}
}
