package target

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	// perSource is how many connections are opened from one source address before
	// the next is used: towards one address and port there are 28,000 by default, and
	// the kernel looks long for the last ones.
	perSource = 20_000
	// loopbackSources are 127.0.0.1 and those that follow.
	loopbackSources = 16
)

// sources are further addresses of this host to connect to an address from, beside
// the one that the kernel takes by itself.
func (pn *pollNetwork) sources(to netip.Addr) []netip.Addr {
	pn.mu.Lock()
	defer pn.mu.Unlock()
	list, known := pn.from[to]
	if !known {
		list = findSources(to)
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
	full := int(pn.cl.open.Load()) / perSource // sources that are taken to be used up
	if full == 0 {
		k, w, err := p.dialFrom(ctx, netip.Addr{}, to)
		if !errors.Is(err, syscall.EADDRNOTAVAIL) {
			return k, w, err
		}
		full = 1
	}
	list := pn.sources(to.Addr())
	for i := range list {
		k, w, err := p.dialFrom(ctx, list[(full-1+i)%len(list)], to)
		if !errors.Is(err, syscall.EADDRNOTAVAIL) {
			return k, w, err
		}
	}
	return p.dialFrom(ctx, netip.Addr{}, to)
}

// dialFrom opens a connection from one source address, or from the kernel's choice.
func (p *poller) dialFrom(ctx context.Context, source netip.Addr, to addrPort) (*conn, *fdWire, error) {
	k, w, err := p.open(ctx, to)
	if err != nil {
		return nil, nil, err
	}
	if source.IsValid() {
		err = w.bind(source)
	}
	if err == nil {
		err = w.establish(to)
	}
	if err != nil {
		k.abort()
		return nil, nil, err
	}
	w.counted = true
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
