package simulate

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// maxFields bounds the header fields of a request.
const maxFields = 200

// field is one header field; its name is as it came.
type field struct{ name, value string }

// head is a request line with its header fields.
type head struct {
	method, path string // path without the query
	minor        int    // of HTTP/1
	fields       []field
}

// httpError is a refusal of what a client sent.
type httpError struct {
	status  int
	message string
}

func (e *httpError) Error() string { return e.message }

func badRequest(format string, args ...any) error {
	return &httpError{http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

// parse reads s, which ends with the empty line. It accepts less than RFC 9112
// allows: lines end in CRLF, and there is no folding and no leading empty line.
func (h *head) parse(s string) error {
	h.fields = h.fields[:0]
	line, rest, ok := strings.Cut(s, "\r\n")
	if !ok {
		return badRequest("the request line doesn't end")
	}
	if err := h.parseRequestLine(line); err != nil {
		return err
	}
	for {
		line, rest, ok = strings.Cut(rest, "\r\n")
		if !ok {
			return badRequest("the header doesn't end with an empty line")
		}
		if line == "" {
			break
		}
		if len(h.fields) == maxFields {
			return &httpError{http.StatusRequestHeaderFieldsTooLarge, fmt.Sprintf("more than %d header fields", maxFields)}
		}
		if err := h.parseField(line); err != nil {
			return err
		}
	}
	if rest != "" {
		return badRequest("bytes after the end of the header")
	}
	return nil
}

func (h *head) parseRequestLine(line string) error {
	method, rest, ok := strings.Cut(line, " ")
	target, version, ok2 := strings.Cut(rest, " ")
	if !ok || !ok2 || !isToken(method) {
		return badRequest("malformed request line")
	}
	switch version {
	case "HTTP/1.1":
		h.minor = 1
	case "HTTP/1.0":
		h.minor = 0
	default:
		return &httpError{http.StatusHTTPVersionNotSupported, "only HTTP/1.0 and HTTP/1.1 are spoken here"}
	}
	for i := range len(target) {
		if target[i] <= ' ' || target[i] >= 0x7f {
			return badRequest("malformed request target")
		}
	}
	if rest, absolute := strings.CutPrefix(target, "http://"); absolute {
		target = "/"
		if i := strings.IndexByte(rest, '/'); i >= 0 {
			target = rest[i:]
		}
	}
	if target == "" || target[0] != '/' && target != "*" {
		return badRequest("malformed request target")
	}
	h.method = method
	h.path, _, _ = strings.Cut(target, "?")
	return nil
}

func (h *head) parseField(line string) error {
	name, value, ok := strings.Cut(line, ":")
	if !ok || !isToken(name) {
		return badRequest("malformed header field")
	}
	value = strings.Trim(value, " \t")
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return badRequest("control character in header field %s", name)
		}
	}
	h.fields = append(h.fields, field{name, value})
	return nil
}

// get returns the first field of that name, or nothing.
func (h *head) get(name string) string {
	for i := range h.fields {
		if len(h.fields[i].name) == len(name) && strings.EqualFold(h.fields[i].name, name) {
			return h.fields[i].value
		}
	}
	return ""
}

// framing tells how the body is delimited and what follows it.
type framing struct {
	length    int // of the body; 0 when chunked
	chunked   bool
	expect    bool // the client waits for 100 Continue
	keepAlive bool
}

// framing refuses everything about which two servers could disagree.
func (h *head) framing(maxBody int) (framing, error) {
	f := framing{keepAlive: h.minor == 1}
	hosts, lengths := 0, 0
	for _, x := range h.fields {
		switch strings.ToLower(x.name) {
		case "host":
			hosts++
		case "content-length":
			lengths++
			n, err := strconv.ParseUint(x.value, 10, 63)
			if err != nil || x.value[0] == '+' {
				return f, badRequest("malformed Content-Length")
			}
			if n > uint64(maxBody) {
				return f, &httpError{http.StatusRequestEntityTooLarge, fmt.Sprintf("a body may have at most %d bytes, this one has %d", maxBody, n)}
			}
			f.length = int(n)
		case "transfer-encoding":
			if f.chunked || h.minor == 0 || !strings.EqualFold(x.value, "chunked") {
				return f, &httpError{http.StatusNotImplemented, "unsupported Transfer-Encoding"}
			}
			f.chunked = true
		case "expect":
			f.expect = strings.EqualFold(x.value, "100-continue")
		case "connection":
			for option := range strings.SplitSeq(x.value, ",") {
				if strings.EqualFold(strings.Trim(option, " \t"), "close") {
					f.keepAlive = false
				}
			}
		}
	}
	switch {
	case h.minor == 1 && hosts != 1 || hosts > 1:
		return f, badRequest("there must be one Host header field, got %d", hosts)
	case lengths > 1 || lengths == 1 && f.chunked:
		return f, badRequest("the length of the body is given more than once")
	}
	return f, nil
}

// chunked decodes a body in chunks as it comes. Its zero value is at the start.
type chunked struct {
	body    []byte
	left    int // bytes of the current chunk still to come
	state   chunkState
	scanned int // bytes consumed in all, framing included
}

type chunkState uint8

const (
	chunkSize chunkState = iota
	chunkData
	chunkEnd
	chunkTrailer
	chunkDone
)

// maxChunkLine bounds a chunk's size line with its extensions, and each trailer.
const maxChunkLine = 4096

// feed consumes what it can of b and returns how much; it is complete when state
// is chunkDone. What it didn't consume comes again, with more behind it.
func (c *chunked) feed(b []byte, maxBody int) (int, error) {
	n := 0
	for c.state != chunkDone {
		used, err := c.one(b[n:], maxBody)
		if err != nil {
			return n, err
		}
		if used == 0 {
			break
		}
		n += used
	}
	c.scanned += n
	if c.scanned > 8*maxBody+1<<16 {
		return n, &httpError{http.StatusRequestEntityTooLarge, "more framing than body"}
	}
	return n, nil
}

func (c *chunked) one(b []byte, maxBody int) (int, error) {
	if c.state == chunkData {
		n := min(len(b), c.left)
		c.body = append(c.body, b[:n]...)
		if c.left -= n; c.left == 0 {
			c.state = chunkEnd
		}
		return n, nil
	}
	line, ok, err := crlfLine(b)
	if !ok || err != nil {
		return 0, err
	}
	switch c.state {
	case chunkSize:
		size, _, _ := strings.Cut(line, ";")
		v, err := strconv.ParseUint(strings.TrimRight(size, " \t"), 16, 31)
		if err != nil || strings.ContainsAny(size, "+_") {
			return 0, badRequest("malformed chunk size")
		}
		if int(v) > maxBody-len(c.body) {
			return 0, &httpError{http.StatusRequestEntityTooLarge, fmt.Sprintf("a body may have at most %d bytes", maxBody)}
		}
		c.left, c.state = int(v), chunkData
		if v == 0 {
			c.state = chunkTrailer
		}
	case chunkEnd:
		if line != "" {
			return 0, badRequest("a chunk doesn't end where its size says")
		}
		c.state = chunkSize
	case chunkTrailer:
		if line == "" {
			c.state = chunkDone
		} else if name, _, ok := strings.Cut(line, ":"); !ok || !isToken(name) {
			return 0, badRequest("malformed trailer")
		}
	}
	return len(line) + 2, nil
}

// crlfLine returns the line at the start of b, if it is all there.
func crlfLine(b []byte) (string, bool, error) {
	for i, c := range b {
		switch {
		case i > maxChunkLine:
			return "", false, badRequest("a line of the body's framing is too long")
		case c == '\n':
			return "", false, badRequest("a line of the body's framing doesn't end in CRLF")
		case c == '\r' && i+1 == len(b):
			return "", false, nil
		case c == '\r' && b[i+1] != '\n':
			return "", false, badRequest("a line of the body's framing doesn't end in CRLF")
		case c == '\r':
			return string(b[:i]), true, nil
		case c < ' ' && c != '\t' || c == 0x7f:
			return "", false, badRequest("control character in the body's framing")
		}
	}
	return "", false, nil
}

func isToken(s string) bool {
	for i := range len(s) {
		if !tokenChar[s[i]] {
			return false
		}
	}
	return s != ""
}

var tokenChar = func() (t [256]bool) {
	for _, c := range "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" {
		t[c] = true
	}
	return t
}()
