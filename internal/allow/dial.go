package allow

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// dialPatience bounds one attempt to connect.
const dialPatience = 30 * time.Second

// Check returns nil when an address may be dialled for a host: it is none at which
// clouds tell their credentials, and a pattern matches, if there are any.
func (l *List) Check(host string, addr netip.AddrPort) error {
	if IsMetadata(addr.Addr()) {
		return fmt.Errorf("%s is %s, a metadata address, which is never dialled", host, addr)
	}
	return l.Allow(host, addr)
}

// DialContext connects to HOST:PORT and checks each address once it is resolved
// and about to be dialled, so that no name server can turn it elsewhere. It is
// what an http.Transport takes; a nil List checks for metadata addresses alone.
func (l *List) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	d := net.Dialer{Timeout: dialPatience, Control: func(_, resolved string, _ syscall.RawConn) error {
		addr, err := netip.ParseAddrPort(resolved)
		if err != nil {
			return fmt.Errorf("address %q of %s: %w", resolved, host, err)
		}
		return l.Check(host, addr)
	}}
	return d.DialContext(ctx, network, address)
}
