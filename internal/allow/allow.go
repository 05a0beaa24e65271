// Package allow decides which addresses may be dialled: by patterns, and never
// those at which clouds tell a host its credentials. Whatever dials on behalf of a
// spec or its data does so by DialContext, or asks Check. It keeps no connections.
package allow

import (
	"fmt"
	"net/netip"
	"path"
	"strconv"
	"strings"
)

// List is a list of patterns. The zero value allows nothing; a nil *List all.
type List struct{ patterns []pattern }

type pattern struct {
	host   string       // glob, lower case; empty for a prefix
	prefix netip.Prefix // of resolved addresses
	port   uint16       // 0: any
}

// Parse reads patterns: a host name that may hold * and ?, an address, or a CIDR
// prefix, each with an optional :PORT; an IPv6 address with a port stands in
// brackets. No patterns give a nil List.
func Parse(patterns []string) (*List, error) {
	if len(patterns) == 0 {
		return nil, nil
	}
	list := &List{}
	for _, text := range patterns {
		p, err := parse(text)
		if err != nil {
			return nil, fmt.Errorf("pattern %.100q: %w", text, err)
		}
		list.patterns = append(list.patterns, p)
	}
	return list, nil
}

func parse(text string) (pattern, error) {
	var p pattern
	host := strings.ToLower(strings.TrimSpace(text))
	if addr, ok := addrPrefix(host); ok {
		p.prefix = addr // an IPv6 address without brackets has no port
		return p, nil
	}
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		port, err := strconv.ParseUint(host[i+1:], 10, 16)
		if err != nil || port == 0 {
			return p, fmt.Errorf("the port must be 1 to 65535, got %.20q", host[i+1:])
		}
		host, p.port = host[:i], uint16(port)
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		host = strings.TrimSuffix(inner, "]")
	}
	if addr, ok := addrPrefix(host); ok {
		p.prefix = addr
		return p, nil
	}
	p.host = strings.TrimSuffix(host, ".")
	return p, checkGlob(p.host)
}

// addrPrefix reads an address or a prefix of addresses.
func addrPrefix(s string) (netip.Prefix, bool) {
	if prefix, err := netip.ParsePrefix(s); err == nil {
		return prefix.Masked(), true
	}
	if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), true
	}
	return netip.Prefix{}, false
}

func checkGlob(host string) error {
	for _, c := range host {
		switch {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', strings.ContainsRune("-._*?", c):
		default:
			return fmt.Errorf("must be a host name with * and ?, an address or a prefix such as 10.0.0.0/8, each with an optional :PORT")
		}
	}
	if host == "" {
		return fmt.Errorf("the host is empty")
	}
	return nil
}

// Allow returns nil when a pattern matches: a name the host as the URL has it, a
// prefix the address that is about to be dialled. Safe for concurrent use.
func (l *List) Allow(host string, addr netip.AddrPort) error {
	if l == nil {
		return nil
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	for _, p := range l.patterns {
		if p.matches(host, addr) {
			return nil
		}
	}
	return fmt.Errorf("%s (%s) is not among the addresses that this agent may load: see its --allow-target", host, addr)
}

func (p pattern) matches(host string, addr netip.AddrPort) bool {
	if p.port != 0 && p.port != addr.Port() {
		return false
	}
	if p.host == "" {
		return p.prefix.Contains(addr.Addr().Unmap().WithZone(""))
	}
	matched, err := path.Match(p.host, host)
	return err == nil && matched
}
