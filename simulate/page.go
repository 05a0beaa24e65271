package simulate

import (
	"net"
	"net/http"

	"github.com/stampede-bench/stampede/internal/origin"
)

// onLoopback reports whether an address is this host's alone. Whoever listens there
// is asked for no key by the pages of the world: their browser is on this host, too.
func onLoopback(addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// byPage reports whether a page of another site made a request to a server on
// loopback.
func (s *Server) byPage(h *head) bool {
	return onLoopback(s.listener.Addr()) && origin.ByPage(h.get("Host"), h.get("Origin"), h.get("Sec-Fetch-Site"))
}

// forbid answers such a request.
func (s *Server) forbid(c *conn, req request) bool {
	const text = "requests that pages of other sites make, or under names that may be theirs, are not answered on loopback; use localhost or the address"
	return s.simple(c, req, http.StatusForbidden, "application/json", errorBody(http.StatusForbidden, text, "PermissionDeniedError", ""))
}
