package target

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// baseURL checks the endpoint's URL.
func baseURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return nil, fmt.Errorf("endpoint.url: %w", errors.Unwrap(err))
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("endpoint.url: the scheme must be http or https, got %q", u.Scheme)
	case u.Hostname() == "":
		return nil, fmt.Errorf("endpoint.url: %q names no host", raw)
	case u.User != nil:
		return nil, errors.New("endpoint.url: a user name or password cannot stand in it; use endpoint.headers")
	case !isASCII(u.Host):
		return nil, fmt.Errorf("endpoint.url: the host %q must be given in ASCII (punycode)", u.Host)
	}
	if p := u.Port(); p != "" {
		if n, err := strconv.ParseUint(p, 10, 16); err != nil || n == 0 {
			return nil, fmt.Errorf("endpoint.url: port %s must be from 1 to 65535", p)
		}
	}
	u.RawQuery = escapeQuery(u.RawQuery)
	return u, nil
}

// escapeQuery encodes what must not stand in a request line; the rest stays as it is.
func escapeQuery(query string) string {
	var b strings.Builder
	for i := range len(query) {
		if c := query[i]; c > ' ' && c < 0x7f {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// trimBase cuts the API's own path off a URL that was given in full, and the
// slash at its end. What is encoded in the path stays so: %2F is no slash.
func trimBase(u *url.URL, api string) {
	raw := strings.TrimSuffix(strings.TrimRight(u.EscapedPath(), "/"), "/"+api)
	if path, err := url.PathUnescape(raw); err == nil { // it was parsed before
		u.Path, u.RawPath = path, raw
	}
	u.Fragment, u.RawFragment = "", ""
}

// target is the request target for a path: relative to the base URL, or with a
// leading slash from the host's root.
func (cl *Client) target(path string) string {
	to := *cl.base
	if strings.HasPrefix(path, "/") {
		to.Path, to.RawPath = path, ""
	} else {
		to.RawPath = to.EscapedPath() + "/" + (&url.URL{Path: path}).EscapedPath()
		to.Path += "/" + path
	}
	return to.RequestURI()
}

// hostOf is the Host header: without the zone of an address, which means nothing to
// the peer.
func hostOf(u *url.URL) string {
	host := strings.TrimSuffix(u.Host, ":")
	if i, end := strings.IndexByte(host, '%'), strings.LastIndexByte(host, ']'); 0 < i && i < end {
		return host[:i] + host[end:]
	}
	return host
}

func portOf(u *url.URL) uint16 {
	if n, err := strconv.ParseUint(u.Port(), 10, 16); err == nil {
		return uint16(n)
	}
	if u.Scheme == "https" {
		return 443
	}
	return 80
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}
