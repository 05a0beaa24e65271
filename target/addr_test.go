package target

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

func TestMetadataAddrs(t *testing.T) {
	for addr, want := range map[string]bool{
		"169.254.169.254": true, "::ffff:169.254.169.254": true, "64:ff9b::a9fe:a9fe": true, "fd00:ec2::254": true,
		"fe80::a9fe:a9fe%eth0": true, "100.100.100.200": true, "168.63.129.16": true, "169.254.170.2": true,
		"169.254.1.1": false, "127.0.0.1": false, "::1": false, "10.0.0.1": false, "64:ff9b::a00:1": false,
	} {
		if got := IsMetadataAddr(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: got %v, want %v", addr, got, want)
		}
	}
}

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
