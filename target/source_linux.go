package target

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/stampede-bench/stampede/internal/clock"
	"golang.org/x/sys/unix"
)

const (
	// perSource is how many connections are opened from one source address before
	// the next is used: towards one address and port there are 28,000 by default, and
	// the kernel looks long for the last ones.
	perSource = 20_000
	// manyOpen is from how many connections on ports are taken one after another. The
	// kernel keeps odd ones for listeners: once no even one is left each connection
	// walks past all of them, half a millisecond and more, before it gets an odd one.
	manyOpen = 4000
	// loopbackSources are 127.0.0.1 and those that follow.
	loopbackSources = 16
	// spentFor is how long a source address without a port left is passed over, unless
	// a connection from it is closed before.
	spentFor = int64(200 * time.Millisecond)
)

// source is one of this host's addresses to connect from.
type source struct {
	addr netip.Addr // none: the one that the kernel takes by itself
	// spent is until when it is taken to have no port left. The kernel finds that out
	// by trying each, milliseconds at a time, which no connection after it should
	// have to pay again.
	spent atomic.Int64
}

// try reports whether a connection should be opened from s. Of those that come when
// it has been spent for a while one finds out whether it still is.
func (s *source) try(now int64) bool {
	until := s.spent.Load()
	return until == 0 || now >= until && s.spent.CompareAndSwap(until, now+spentFor)
}

// sources are this host's addresses to connect to an address from, the kernel's own
// choice first.
func (pn *pollNetwork) sources(to netip.Addr) []*source {
	pn.mu.Lock()
	defer pn.mu.Unlock()
	list, known := pn.from[to]
	if !known {
		list = []*source{{}}
		for _, addr := range findSources(to) {
			list = append(list, &source{addr: addr})
		}
		pn.from[to] = list
	}
	return list
}

func findSources(to netip.Addr) (list []netip.Addr) {
	if to.Is4() && to.IsLoopback() {
		a := to.As4()
		for range loopbackSources - 1 {
			if a[3]++; a[3] != 0 && a[3] != 255 {
				list = append(list, netip.AddrFrom4(a))
			}
		}
		return list
	}
	own := ownAddress(to)
	interfaces, err := net.Interfaces()
	if err != nil || !own.IsValid() {
		return nil
	}
	for _, i := range interfaces {
		addrs, err := i.Addrs()
		if err != nil {
			continue
		}
		if others, has := others(addrs, own); has {
			return others
		}
	}
	return nil
}

// ownAddress is the one that the kernel would take. Nothing is sent.
func ownAddress(to netip.Addr) netip.Addr {
	c, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(netip.AddrPortFrom(to, 9)))
	if err != nil {
		return netip.Addr{}
	}
	defer c.Close()
	own, ok := c.LocalAddr().(*net.UDPAddr)
	if !ok {
		return netip.Addr{}
	}
	return own.AddrPort().Addr().Unmap()
}

// others are an interface's addresses of the same kind beside own; has tells that
// own is one of them.
func others(addrs []net.Addr, own netip.Addr) (list []netip.Addr, has bool) {
	for _, a := range addrs {
		p, err := netip.ParsePrefix(a.String())
		switch ip := p.Addr(); {
		case err != nil:
		case ip == own:
			has = true
		case ip.Is4() == own.Is4() && ip.IsGlobalUnicast():
			list = append(list, ip)
		}
	}
	return list, has
}

// dial opens a connection from the first source address that has a port left.
func (pn *pollNetwork) dial(ctx context.Context, p *poller, to addrPort) (*conn, *fdWire, error) {
	list := pn.sources(to.Addr())
	full := int(pn.cl.open.Load()) / perSource // sources that are taken to be used up
	for i := range list {
		from := list[(full+i)%len(list)]
		if !from.try(clock.Now()) {
			continue
		}
		k, w, err := p.dialFrom(ctx, from, to)
		if !errors.Is(err, syscall.EADDRNOTAVAIL) {
			from.spent.Store(0)
			return k, w, err
		}
		from.spent.Store(clock.Now() + spentFor)
	}
	return nil, nil, os.NewSyscallError("connect", syscall.EADDRNOTAVAIL)
}

// dialFrom opens a connection from one source address.
func (p *poller) dialFrom(ctx context.Context, from *source, to addrPort) (*conn, *fdWire, error) {
	k, w, err := p.open(ctx, to)
	if err != nil {
		return nil, nil, err
	}
	if p.cl.open.Load() >= manyOpen {
		w.anyPort()
	}
	if from.addr.IsValid() {
		err = w.bind(from.addr)
	}
	if err == nil {
		err = w.establish(to)
	}
	if err != nil {
		k.abort()
		return nil, nil, err
	}
	w.from = from
	p.cl.open.Add(1)
	return k, w, nil
}

// bind chooses a source address and leaves the port to connect, where it only has to
// differ among connections to the same address.
func (w *fdWire) bind(source netip.Addr) error {
	if err := unix.SetsockoptInt(w.fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1); err != nil {
		return os.NewSyscallError("setsockopt", err)
	}
	return os.NewSyscallError("bind", unix.Bind(w.fd, sockaddr(netip.AddrPortFrom(source, 0))))
}

// anyPort has connect look at all ports alike, as it does for a socket with a range of
// its own. This one is no narrower than the host's, which holds. Kernels before 6.8
// look at the even ones first all the same.
func (w *fdWire) anyPort() {
	const lowest, highest = 1, 65535
	_ = unix.SetsockoptInt(w.fd, unix.IPPROTO_IP, unix.IP_LOCAL_PORT_RANGE, highest<<16|lowest)
}
