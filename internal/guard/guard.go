package guard

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/stampede-bench/stampede/internal/origin"
)

// Config configures a guard. The zero value of a field is its default.
type Config struct {
	// Listen is the address the port was asked to listen on, HOST:PORT. Requests
	// for that host are answered; when it is unspecified, such as 0.0.0.0, those
	// for the address that the connection came in by. Default: loopback only.
	Listen string
	// AllowHosts are further host names that requests may be for, such as
	// bench.example.org or *.example.org, with or without a port. The names of
	// loopback are always among them.
	AllowHosts []string
	// AllowOrigins are the origins, such as https://dash.example.org, whose pages
	// may send requests and read the answers. Default: none but this port's own.
	AllowOrigins []string
	// MaxBody bounds a request's body in bytes. Default 8 MiB.
	MaxBody int64
	// Stream says which requests read their body as it comes, without that bound;
	// their handlers have bounds of their own. Default: none.
	Stream func(*http.Request) bool
	// Between wraps the handler that reads the body, with what must be asked before
	// that, such as for a token. Default: nothing.
	Between func(http.Handler) http.Handler
	// BodyTimeout bounds how long a body may take, or the next piece of one that
	// is streamed. Default 30 s.
	BodyTimeout time.Duration
	// WriteTimeout bounds how long a piece of an answer may wait for its reader.
	// Default 30 s.
	WriteTimeout time.Duration
}

const (
	defaultMaxBody = 8 << 20
	defaultTimeout = 30 * time.Second
)

// Handler checks requests before next sees them. It is safe for concurrent use.
type Handler struct {
	cfg   Config
	hosts hosts
	next  http.Handler
}

// New returns a guard before next.
func New(cfg Config, next http.Handler) (*Handler, error) {
	if cfg.MaxBody == 0 {
		cfg.MaxBody = defaultMaxBody
	}
	if cfg.BodyTimeout == 0 {
		cfg.BodyTimeout = defaultTimeout
	}
	if cfg.WriteTimeout == 0 {
		cfg.WriteTimeout = defaultTimeout
	}
	if cfg.Stream == nil {
		cfg.Stream = func(*http.Request) bool { return false }
	}
	h, err := newHosts(cfg.Listen, cfg.AllowHosts)
	if err != nil {
		return nil, err
	}
	cfg.AllowOrigins = slices.Clone(cfg.AllowOrigins)
	for i, o := range cfg.AllowOrigins {
		if cfg.AllowOrigins[i], err = canonicalOrigin(o); err != nil {
			return nil, err
		}
	}
	g := &Handler{cfg: cfg, hosts: h}
	g.next = g.limited(next)
	if cfg.Between != nil {
		g.next = cfg.Between(g.next)
	}
	return g, nil
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	timed := newTimedWriter(w, h.cfg.WriteTimeout)
	defer timed.leave()
	h.check(timed, r)
}

func (h *Handler) check(w *timedWriter, r *http.Request) {
	describe(w.Header())
	if !h.hosts.allow(r) {
		leaveBody(w, r)
		refuse(w, http.StatusForbidden, fmt.Sprintf("this port does not answer for the host %.80q; start it with --allow-host to have it do so", r.Host))
		return
	}
	if !h.fromHere(w, r) {
		leaveBody(w, r)
		refuse(w, http.StatusForbidden, "requests that pages of other sites make are not answered")
		return
	}
	if isPreflight(r) {
		h.preflight(w)
		return
	}
	h.next.ServeHTTP(w, r)
}

// describe sets what keeps browsers from doing more with an answer than show it.
func describe(header http.Header) {
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("X-Frame-Options", "DENY")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Cache-Control", "no-store")
}

// fromHere reports whether a request comes from a program, from a page of this
// port, or from an origin that is allowed, which is then told to its browser.
// Since some routes change things by GET, no method is exempt.
func (h *Handler) fromHere(w http.ResponseWriter, r *http.Request) bool {
	header := w.Header()
	header.Add("Vary", "Origin")
	origins := r.Header.Values("Origin")
	if len(origins) > 1 {
		return false
	}
	if len(origins) == 1 {
		if slices.Contains(h.cfg.AllowOrigins, strings.ToLower(origins[0])) {
			header.Set("Access-Control-Allow-Origin", origins[0])
			header.Set("Cross-Origin-Resource-Policy", "cross-origin")
			return true
		}
		if !origin.Of(origins[0], r.Host) {
			return false
		}
	}
	for _, site := range r.Header.Values("Sec-Fetch-Site") {
		if site != "same-origin" && site != "none" {
			return false
		}
	}
	return true
}

func isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != ""
}

func (h *Handler) preflight(w http.ResponseWriter) {
	header := w.Header()
	if header.Get("Access-Control-Allow-Origin") != "" {
		header.Set("Access-Control-Allow-Methods", "GET, POST, DELETE")
		header.Set("Access-Control-Allow-Headers", "Authorization, Content-Type")
		header.Set("Access-Control-Max-Age", "600")
	}
	w.WriteHeader(http.StatusNoContent)
}

func canonicalOrigin(origin string) (string, error) {
	u, err := url.Parse(origin)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || origin != u.Scheme+"://"+u.Host {
		return "", fmt.Errorf("allowed origin %.80q: must be scheme, host and port alone, such as https://dash.example.org", origin)
	}
	return strings.ToLower(origin), nil
}

// hosts are the names that requests may be for.
type hosts struct {
	exact       map[string]bool
	suffixes    []string // ".example.org"
	unspecified bool
}

var errHost = errors.New("must be a host name, an address or *.domain, with or without a port")

func newHosts(listen string, allow []string) (hosts, error) {
	h := hosts{exact: map[string]bool{"localhost": true}}
	if listen != "" {
		host, _, err := net.SplitHostPort(listen)
		if err != nil {
			return h, fmt.Errorf("listen address %.80q: %w", listen, err)
		}
		addr, _ := netip.ParseAddr(host)
		h.unspecified = host == "" || addr.IsUnspecified()
		h.exact[canonicalHost(host)] = !h.unspecified
	}
	for _, name := range allow {
		if err := h.add(name); err != nil {
			return h, fmt.Errorf("allowed host %.80q: %w", name, err)
		}
	}
	return h, nil
}

func (h *hosts) add(name string) error {
	if domain, ok := strings.CutPrefix(name, "*."); ok {
		if domain == "" || strings.ContainsAny(domain, "*:/ ") {
			return errHost
		}
		h.suffixes = append(h.suffixes, "."+strings.ToLower(domain))
		return nil
	}
	if name == "" || strings.ContainsAny(name, "*/ ") {
		return errHost
	}
	h.exact[strings.ToLower(name)] = true
	h.exact[canonicalHost(name)] = true
	return nil
}

// allow reports whether a request's Host is among them. Addresses can't be made
// to point here by a foreign name server, so the one that a connection came in by
// will do where no address was chosen.
func (h *hosts) allow(r *http.Request) bool {
	if h.exact[strings.ToLower(r.Host)] {
		return true
	}
	host := hostOf(r.Host)
	if h.exact[host] || strings.HasSuffix(host, ".localhost") {
		return true
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		addr = addr.Unmap()
		return addr.IsLoopback() || h.unspecified && addr == localAddr(r)
	}
	for _, suffix := range h.suffixes {
		if strings.HasSuffix(host, suffix) && len(host) > len(suffix) {
			return true
		}
	}
	return false
}

func localAddr(r *http.Request) netip.Addr {
	if a, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr); ok {
		addr, _ := netip.AddrFromSlice(a.IP)
		return addr.Unmap()
	}
	return netip.Addr{}
}

// hostOf is the host of a Host header, in one spelling, without its port.
func hostOf(hostPort string) string {
	host, port, err := net.SplitHostPort(hostPort)
	if err != nil || strings.Trim(port, "0123456789") != "" {
		host = hostPort
	}
	return canonicalHost(host)
}

func canonicalHost(host string) string {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if inner, ok := strings.CutPrefix(host, "["); ok {
		host = strings.TrimSuffix(inner, "]")
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.WithZone("").Unmap().String()
	}
	return host
}
