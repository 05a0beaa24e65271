package target

import (
	"errors"
	"fmt"
	"runtime/debug"
	"sort"
	"strconv"
	"strings"

	"github.com/stampede-bench/stampede/workload"
)

// heads holds the constant parts of request heads.
type heads struct {
	post []byte // request line and headers of a request for tokens
	rest []byte // headers of any other request
}

// reserved are headers that the client sets itself: framing, and what rows are
// matched by.
var reserved = map[string]bool{
	"content-length": true, "transfer-encoding": true, "connection": true, "keep-alive": true,
	"expect": true, "upgrade": true, "te": true, "trailer": true, "accept-encoding": true,
	"x-request-id": true, "x-request-attempt": true,
}

type header struct{ name, value string }

func newHeads(cl *Client) (h heads, err error) {
	e := cl.cfg.Endpoint
	accept := "application/json"
	if streaming(e) {
		accept = "text/event-stream"
	}
	all := []header{
		{"Host", hostOf(cl.base)},
		{"User-Agent", "stampede/" + version()},
		{"Accept", accept},
		{"Accept-Encoding", "identity"},
		{"Content-Type", "application/json"},
	}
	if !e.APIKey.Empty() {
		all = append(all, header{"Authorization", "Bearer " + e.APIKey.Reveal()})
	}
	if all, err = override(all, e.Headers); err != nil {
		return h, err
	}
	for _, a := range all {
		line := a.name + ": " + a.value + "\r\n"
		h.post = append(h.post, line...)
		if a.name != "Accept" {
			h.rest = append(h.rest, line...)
		}
	}
	h.post = append([]byte("POST "+cl.target(cl.drv.path())+" HTTP/1.1\r\n"), h.post...)
	h.rest = append(h.rest, "Accept: application/json, */*\r\n"...)
	return h, nil
}

// override adds the endpoint's own headers, which replace ours of the same name.
func override(ours []header, extra workload.Headers) ([]header, error) {
	names := make([]string, 0, len(extra))
	for name := range extra {
		names = append(names, name)
	}
	sort.Strings(names)
	for i, name := range names {
		if err := checkHeader(name, extra[name]); err != nil {
			return nil, err
		}
		if contains(names[:i], name) {
			return nil, fmt.Errorf("endpoint.headers: %s is there twice, as case makes no difference", name)
		}
	}
	all := ours[:0:0]
	for _, h := range ours {
		if !contains(names, h.name) {
			all = append(all, h)
		}
	}
	for _, name := range names {
		all = append(all, header{name, strings.Trim(extra[name], " \t")})
	}
	for _, h := range all {
		if !printable(h.value) {
			return nil, fmt.Errorf("header %s: its value holds a control character", h.name)
		}
	}
	return all, nil
}

func contains(names []string, name string) bool {
	for _, n := range names {
		if strings.EqualFold(n, name) {
			return true
		}
	}
	return false
}

// checkHeader refuses what could not be sent, or would forge our framing. It
// does not repeat the value, which may be a secret.
func checkHeader(name, value string) error {
	if name == "" {
		return errors.New("endpoint.headers: a header has no name")
	}
	for i := range len(name) {
		if !tokenByte[name[i]] {
			return fmt.Errorf("endpoint.headers: %q is no header name", name)
		}
	}
	if reserved[strings.ToLower(name)] {
		return fmt.Errorf("endpoint.headers: %s is set by stampede itself", name)
	}
	if !printable(value) {
		return fmt.Errorf("endpoint.headers.%s: its value holds a control character", name)
	}
	return nil
}

func printable(value string) bool {
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// appendHead appends what is particular to one request, and ends the head. It returns
// where the empty line begins.
func appendHead(dst []byte, id string, length int) (all []byte, head int) {
	if id != "" {
		dst = append(dst, "X-Request-Id: "...)
		dst = append(append(dst, id...), "\r\n"...)
	}
	dst = append(dst, "Content-Length: "...)
	dst = strconv.AppendInt(dst, int64(length), 10)
	head = len(dst)
	return append(dst, "\r\n\r\n"...), head
}

// attemptHeader is appended to a head whose request was sent before.
func attemptHeader(n int) string { return "\r\nX-Request-Attempt: " + strconv.Itoa(n) }

// secretsOf lists what must not appear in a message.
func secretsOf(cfg Config) []string {
	values := []string{cfg.Endpoint.APIKey.Reveal()}
	for _, v := range cfg.Endpoint.Headers {
		values = append(values, v)
	}
	for name, v := range cfg.Sampling.ExtraBody {
		if s, ok := v.(string); ok && workload.IsSecretName(name) {
			values = append(values, s)
		}
	}
	return values
}

// version is that of the module in the running binary.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "devel"
	}
	return strings.Trim(info.Main.Version, "()")
}
