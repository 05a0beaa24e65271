package target

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/stampede-bench/stampede/internal/allow"
	"github.com/stampede-bench/stampede/internal/clock"
)

const lookupKept = 10 * time.Second

// addrs resolves the endpoint's host and checks every address. It remembers a
// lookup for a few seconds, so that a cold connection does not cost one.
type addrs struct {
	host  string
	port  uint16
	allow func(string, netip.AddrPort) error

	mu    sync.Mutex
	known []netip.AddrPort
	until int64
}

// lookup returns the addresses to try, in order, or the reason why there is none.
func (a *addrs) lookup(ctx context.Context) ([]netip.AddrPort, fault) {
	list, f := a.resolve(ctx)
	if f.is() {
		return nil, f
	}
	var allowed []netip.AddrPort
	for _, addr := range list {
		if err := a.check(addr); err != nil {
			f = fault{KindForbidden, err.Error()}
			continue
		}
		allowed = append(allowed, addr)
	}
	if len(allowed) == 0 {
		return nil, f
	}
	return allowed, fault{}
}

func (a *addrs) check(addr netip.AddrPort) error {
	if allow.IsMetadata(addr.Addr()) {
		return fmt.Errorf("%s is %s, a metadata address, which is never dialled", a.host, addr)
	}
	if a.allow == nil {
		return nil
	}
	return a.allow(a.host, addr)
}

func (a *addrs) resolve(ctx context.Context) ([]netip.AddrPort, fault) {
	if ip, err := netip.ParseAddr(a.host); err == nil {
		return []netip.AddrPort{netip.AddrPortFrom(ip.Unmap(), a.port)}, fault{}
	}
	a.mu.Lock()
	if a.known != nil && clock.Now() < a.until {
		defer a.mu.Unlock()
		return a.known, fault{}
	}
	a.mu.Unlock()
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", a.host)
	if err != nil || len(ips) == 0 {
		return nil, dnsFault(ctx, a.host, err)
	}
	list := make([]netip.AddrPort, len(ips))
	for i, ip := range ips {
		list[i] = netip.AddrPortFrom(ip.Unmap(), a.port)
	}
	a.mu.Lock()
	a.known, a.until = list, clock.Now()+int64(lookupKept)
	a.mu.Unlock()
	return list, fault{}
}

func dnsFault(ctx context.Context, host string, err error) fault {
	var de *net.DNSError
	switch {
	case ctx.Err() != nil:
		return faultf(KindTimeoutConnect, "looking up %s took too long", host)
	case errors.As(err, &de) && de.IsNotFound || err == nil:
		return faultf(KindDNS, "%s has no address: no such host", host)
	default:
		return faultf(KindDNS, "cannot look up %s: %s", host, strings.TrimPrefix(err.Error(), "lookup "+host+": "))
	}
}
