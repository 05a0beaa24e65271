package target

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/stampede-bench/stampede/internal/procs"
	"golang.org/x/sys/unix"
)

// mostPollers bounds the default: one reads about 100,000 tokens a second, and
// each costs a few percent of a core while it watches closely.
const mostPollers = 8

// pollNetwork reads all connections with a few pollers.
type pollNetwork struct {
	cl      *Client
	pollers []*poller
	next    atomic.Uint32
	mu      sync.Mutex
	from    map[netip.Addr][]*source // by destination
	wg      sync.WaitGroup
}

func newNetwork(cl *Client) (network, error) {
	if cl.cfg.portable {
		return newPortable(cl), nil
	}
	keepStamping()
	pn := &pollNetwork{cl: cl, from: map[netip.Addr][]*source{}}
	n := cl.cfg.Pollers
	if n <= 0 {
		n = min(max(1, procs.Cores()/2), mostPollers)
	}
	for range n {
		p, err := newPoller(cl)
		if err != nil {
			pn.close()
			return nil, err
		}
		pn.pollers = append(pn.pollers, p)
		pn.wg.Go(p.run)
	}
	return pn, nil
}

// close implements network.
func (pn *pollNetwork) close() {
	for _, p := range pn.pollers {
		p.stop()
	}
	pn.wg.Wait()
}

// connect implements network.
func (pn *pollNetwork) connect(ctx context.Context, to addrPort) (*conn, fault) {
	p := pn.pollers[int(pn.next.Add(1))%len(pn.pollers)]
	k, w, err := pn.dial(ctx, p, to)
	if err != nil {
		return nil, connectFault(to, err)
	}
	if pn.cl.tls != nil {
		if err := w.handshake(ctx, pn.cl.tls); err != nil {
			k.abort()
			return nil, tlsFault(pn.cl.addrs.host, err)
		}
		if pn.cl.onlyHTTP2(ctx, to, w.tls.ConnectionState().NegotiatedProtocol) {
			k.abort()
			return nil, onlyHTTP2Fault(pn.cl.addrs.host)
		}
	}
	p.adopt(k, w)
	return k, fault{}
}

// open makes a socket that the poller knows.
func (p *poller) open(ctx context.Context, to addrPort) (*conn, *fdWire, error) {
	family := unix.AF_INET
	if to.Addr().Is6() {
		family = unix.AF_INET6
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
	if err != nil {
		return nil, nil, os.NewSyscallError("socket", err)
	}
	_ = stampSocket(fd) // without stamps the process's time is used, and says so
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	w := &fdWire{p: p, fd: fd, ready: make(chan struct{}, 1), ctx: ctx}
	w.dialing.Store(true)
	k := &conn{cl: p.cl, lane: p, w: w, at: -1}
	if err := p.add(k, w); err != nil {
		_ = unix.Close(fd)
		return nil, nil, err
	}
	return k, w, nil
}

// establish connects the socket.
func (w *fdWire) establish(to addrPort) error {
	sa := sockaddr(to)
	for {
		switch err := unix.Connect(w.fd, sa); err {
		case nil, unix.EISCONN:
			return nil
		case unix.EINPROGRESS, unix.EALREADY, unix.EINTR:
			if err := w.await(); err != nil {
				return err
			}
			if e, err := unix.GetsockoptInt(w.fd, unix.SOL_SOCKET, unix.SO_ERROR); err == nil && e != 0 {
				return os.NewSyscallError("connect", unix.Errno(e))
			}
		default:
			return os.NewSyscallError("connect", err)
		}
	}
}

func sockaddr(to addrPort) unix.Sockaddr {
	if to.Addr().Is4() {
		return &unix.SockaddrInet4{Port: int(to.Port()), Addr: to.Addr().As4()}
	}
	sa := &unix.SockaddrInet6{Port: int(to.Port()), Addr: to.Addr().As16()}
	if zone := to.Addr().Zone(); zone != "" {
		if i, err := net.InterfaceByName(zone); err == nil {
			sa.ZoneId = uint32(i.Index)
		} else if n, err := strconv.ParseUint(zone, 10, 32); err == nil {
			sa.ZoneId = uint32(n)
		}
	}
	return sa
}

func (w *fdWire) handshake(ctx context.Context, cfg *tls.Config) error {
	w.tls = tls.Client(pipe{w}, cfg)
	return w.tls.HandshakeContext(ctx)
}
