package target

import (
	"bytes"
	"errors"
)

const (
	maxHeaderBytes = 256 << 10
	maxLine        = 64 << 10
	maxChunkLine   = 4096
	maxInterim     = 16 // 1xx replies before the real one
)

// Errors of framing. They are wrapped into faults by the reader of the reply.
var (
	errHeaderLimit = errors.New("headers are larger than 256 KiB")
	errTruncated   = errors.New("connection closed inside the reply")
)

// malformed says what is wrong with the bytes of a reply.
type malformed struct{ what string }

func (e *malformed) Error() string { return e.what }

func bad(what string) error { return &malformed{what} }

type httpState uint8

const (
	inStatusLine httpState = iota
	inHeaders
	inLength
	inChunkSize
	inChunk
	inChunkEnd
	inTrailers
	inUntilClose
	httpDone
)

// response parses one HTTP/1.x response from pieces of any size. It keeps only
// incomplete lines; body bytes are handed out as slices of what was fed. It
// agrees with net/http.ReadResponse except where it is stricter; see
// FuzzResponse for the list.
type response struct {
	status      int
	contentType string
	encoding    string
	location    string
	retryAfter  *string
	keepAlive   bool
	begun       bool // a byte of the final or an interim reply arrived
	headersDone bool

	state     httpState
	head      bool // reply to HEAD
	left      int64
	excess    int64
	size      int // bytes of headers so far
	interim   int
	line      []byte
	oneDotOne bool
	chunked   bool
	teSeen    int
	length    int64 // -1 unknown
	lengthErr bool
	connClose bool
	connKeep  bool
}

// reset prepares for the next response on the same connection.
func (r *response) reset(head bool) {
	*r = response{line: r.line[:0], head: head, length: -1}
}

func (r *response) done() bool { return r.state == httpDone }

// feed consumes bytes of p until it has a piece of the body, the headers or the
// response are complete, or p is used up. It returns how many it consumed; body
// is part of p.
func (r *response) feed(p []byte) (n int, body []byte, err error) {
	for n < len(p) {
		switch r.state {
		case inStatusLine, inHeaders, inChunkSize, inTrailers:
			m, line, ok, err := r.takeLine(p[n:])
			n += m
			if err != nil {
				return n, nil, err
			}
			if !ok {
				return n, nil, nil
			}
			stop, err := r.onLine(line)
			r.line = r.line[:0]
			if err != nil || stop {
				return n, nil, err
			}
		case inLength, inChunk:
			body = p[n:]
			if int64(len(body)) > r.left {
				body = body[:r.left]
			}
			r.left -= int64(len(body))
			if r.left == 0 {
				r.endPiece()
			}
			return n + len(body), body, nil
		case inChunkEnd:
			if p[n] != "\n\r"[r.left-1] {
				return n, nil, bad("chunk does not end where its size says")
			}
			n++
			if r.left--; r.left == 0 {
				r.state = inChunkSize
			}
		case inUntilClose:
			return len(p), p[n:], nil
		case httpDone:
			return n, nil, nil
		}
	}
	return n, nil, nil
}

// endPiece follows the last byte of a body of known length, or of a chunk.
func (r *response) endPiece() {
	if r.state == inLength {
		r.state = httpDone
		return
	}
	r.state, r.left = inChunkEnd, 2 // CR and LF
}

// eof tells that the peer closed. It returns nil when that ends the response.
func (r *response) eof() error {
	switch r.state {
	case httpDone:
		return nil
	case inUntilClose:
		r.state = httpDone
		return nil
	}
	return errTruncated
}

// takeLine returns the next line without its end, from p alone when it is whole
// there. ok is false when p ended inside the line.
func (r *response) takeLine(p []byte) (n int, line []byte, ok bool, err error) {
	r.begun = true
	i := bytes.IndexByte(p, '\n')
	if i < 0 {
		i = len(p) - 1
	} else {
		ok = true
	}
	n = i + 1
	if err := r.count(n); err != nil {
		return n, nil, false, err
	}
	line = p[:n]
	if len(r.line) > 0 || !ok {
		r.line = append(r.line, line...)
		line = r.line
	}
	if !ok {
		return n, nil, false, nil
	}
	line = line[:len(line)-1]
	if len(line) > 0 && line[len(line)-1] == '\r' {
		return n, line[:len(line)-1], true, nil
	}
	if r.state == inChunkSize || r.state == inTrailers {
		return n, nil, false, bad("chunk framing: a line ends without CR")
	}
	return n, line, true, nil
}

func (r *response) count(n int) error {
	if r.state == inChunkSize {
		if len(r.line)+n > maxChunkLine {
			return bad("chunk size line is longer than 4096 bytes")
		}
		return nil
	}
	r.size += n
	if r.size > maxHeaderBytes || len(r.line)+n > maxLine {
		return errHeaderLimit
	}
	return nil
}

// onLine handles one whole line. stop asks feed to return to its caller.
func (r *response) onLine(line []byte) (stop bool, err error) {
	switch r.state {
	case inStatusLine:
		r.state = inHeaders
		return false, r.statusLine(line)
	case inHeaders:
		if len(line) == 0 {
			return r.endHeaders()
		}
		return false, r.header(line)
	case inChunkSize:
		return false, r.chunkSize(line)
	default: // inTrailers
		if len(line) == 0 {
			r.state = httpDone
			return true, nil
		}
		_, _, err := splitHeader(line)
		return false, err
	}
}

func (r *response) statusLine(line []byte) error {
	proto, rest, ok := bytes.Cut(line, []byte(" "))
	if !ok || len(proto) != 8 || !bytes.HasPrefix(proto, []byte("HTTP/")) || proto[6] != '.' ||
		!isDigit(proto[5]) || !isDigit(proto[7]) {
		return bad("not an HTTP reply: " + quote(line))
	}
	if proto[5] != '1' {
		return bad("HTTP version " + string(proto[5:8]) + " is not spoken here")
	}
	r.oneDotOne = proto[7] != '0'
	code, _, _ := bytes.Cut(bytes.TrimLeft(rest, " "), []byte(" "))
	if len(code) != 3 || !isDigit(code[0]) || !isDigit(code[1]) || !isDigit(code[2]) || code[0] == '0' {
		return bad("malformed status code " + quote(code))
	}
	r.status = int(code[0]-'0')*100 + int(code[1]-'0')*10 + int(code[2]-'0')
	return nil
}

// header notes the few headers that framing and measuring need.
func (r *response) header(line []byte) error {
	name, value, err := splitHeader(line)
	if err != nil {
		return err
	}
	switch len(name) { // most headers are told apart by their length alone
	case len("Connection"):
		if fold(name, "connection") {
			r.connection(value)
		}
	case len("Retry-After"):
		if fold(name, "retry-after") {
			v := string(value)
			r.retryAfter = &v
		}
	case len("Content-Type"):
		if fold(name, "content-type") {
			r.contentType = intern(value)
		}
	case len("Content-Length"):
		if fold(name, "content-length") {
			r.contentLength(value)
		}
	case len("Content-Encoding"):
		if fold(name, "content-encoding") {
			r.encoding = string(value)
		}
	case len("Transfer-Encoding"):
		if fold(name, "transfer-encoding") {
			r.teSeen++
			r.chunked = fold(value, "chunked")
		}
	case len("Location"):
		if fold(name, "location") {
			r.location = string(value)
		}
	}
	return nil
}

func (r *response) connection(value []byte) {
	for len(value) > 0 {
		token, rest, _ := bytes.Cut(value, []byte(","))
		token = bytes.Trim(token, " \t")
		r.connClose = r.connClose || fold(token, "close")
		r.connKeep = r.connKeep || fold(token, "keep-alive")
		value = rest
	}
}

func (r *response) contentLength(value []byte) {
	n, ok := parseLength(value)
	if !ok || r.length >= 0 && r.length != n {
		r.lengthErr = true
	}
	r.length = n
}

// endHeaders decides how the body is framed.
func (r *response) endHeaders() (stop bool, err error) {
	if r.lengthErr {
		return true, bad("malformed or contradictory Content-Length")
	}
	if r.teSeen > 0 && r.oneDotOne && (r.teSeen > 1 || !r.chunked) {
		return true, bad("unsupported Transfer-Encoding")
	}
	if r.status/100 == 1 {
		return true, r.skipInterim()
	}
	r.headersDone = true
	r.chunked = r.chunked && r.oneDotOne
	r.keepAlive = !r.connClose && (r.oneDotOne || r.connKeep)
	switch {
	case r.head || r.status == 204 || r.status == 304:
		r.state = httpDone
	case r.chunked:
		r.state = inChunkSize
	case r.length == 0:
		r.state = httpDone
	case r.length > 0:
		r.state, r.left = inLength, r.length
	default:
		r.state, r.keepAlive = inUntilClose, false
	}
	return true, nil
}

func (r *response) skipInterim() error {
	if r.status == 101 {
		return bad("the peer switched protocols unasked")
	}
	interim := r.interim + 1
	if interim > maxInterim {
		return bad("more than 16 interim replies")
	}
	head := r.head
	r.reset(head)
	r.begun, r.interim = true, interim
	return nil
}

func (r *response) chunkSize(line []byte) error {
	r.excess += int64(len(line)) + 2
	if bytes.IndexByte(line, '\r') >= 0 {
		return bad("CR inside a chunk size line")
	}
	if i := bytes.IndexByte(line, ';'); i >= 0 {
		line = line[:i]
	}
	line = bytes.TrimRight(line, " \t")
	n, ok := parseHex(line)
	if !ok {
		return bad("malformed chunk size " + quote(line))
	}
	// As in net/http: extensions may not outweigh the data.
	if r.excess = max(0, r.excess-16-2*n); r.excess > 16<<10 {
		return bad("chunked encoding contains too much besides data")
	}
	if n == 0 {
		r.state, r.size = inTrailers, 0
		return nil
	}
	r.state, r.left = inChunk, n
	return nil
}

func splitHeader(line []byte) (name, value []byte, err error) {
	i := bytes.IndexByte(line, ':')
	if i <= 0 {
		return nil, nil, bad("malformed header line " + quote(line))
	}
	name, value = line[:i], bytes.Trim(line[i+1:], " \t")
	for _, c := range name {
		if !tokenByte[c] {
			return nil, nil, bad("malformed header name " + quote(name))
		}
	}
	for _, c := range value {
		if c < ' ' && c != '\t' || c == 0x7f {
			return nil, nil, bad("control character in header " + string(name))
		}
	}
	return name, value, nil
}
