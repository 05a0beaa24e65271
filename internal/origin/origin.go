// Package origin tells requests that programs make from those that a page of another
// site has a browser make. What a server then does is its own business.
package origin

import (
	"net/netip"
	"net/url"
	"strings"
)

// ByPage reports whether a request that came to a port of loopback was made by a
// page of another site: its browser says so in Origin or Sec-Fetch-Site, or it is
// for a name that a foreign name server may have pointed here. Names of one word,
// addresses and loopback's own names can't be that.
func ByPage(host, origin, site string) bool {
	if origin != "" && !Of(origin, host) {
		return true
	}
	if site != "" && site != "same-origin" && site != "none" {
		return true
	}
	if strings.IndexByte(host, '.') < 0 {
		return false
	}
	if i := strings.LastIndexByte(host, ':'); i > 0 && host[i-1] != ':' {
		host = host[:i]
	}
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return false
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	return strings.IndexByte(host, '.') >= 0 && !strings.HasSuffix(host, ".localhost")
}

// Of reports whether origin is that of the pages of host, which may have a port.
func Of(origin, host string) bool {
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, host)
}
