package target

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

// TestNextAddress: when the first of several addresses refuses, the next is tried.
func TestNextAddress(t *testing.T) {
	transports(t, func(t *testing.T, cfg func(string) Config) {
		s := serveStreams(t, answer)
		good := netip.MustParseAddrPort(s.Addr().String())
		cl := newClient(t, cfg(strings.Replace(s.url(), "127.0.0.1", "two.test", 1)))
		cl.addrs.known = []netip.AddrPort{netip.AddrPortFrom(netip.MustParseAddr("127.0.0.9"), good.Port()), good}
		cl.addrs.until = 1 << 62
		if _, err := ask(t, cl); err != nil {
			t.Fatal(err)
		}
		bad := cfg(strings.Replace(s.url(), "127.0.0.1", "two.test", 1))
		bad.AllowAddr = func(_ string, addr netip.AddrPort) error {
			if addr == good {
				return errors.New("not this one")
			}
			return nil
		}
		cl = newClient(t, bad)
		cl.addrs.known, cl.addrs.until = []netip.AddrPort{good}, 1<<62
		_, err := ask(t, cl)
		wantKind(t, err, KindForbidden, "not this one")
	})
}
