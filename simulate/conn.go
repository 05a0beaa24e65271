package simulate

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"sync/atomic"
	"time"
)

// How a connection is closed on its server's own accord.
const (
	closeNot int32 = iota
	closeFIN
	closeRST
)

// minBuffer is a connection's buffer; it grows for large requests and comes back.
const minBuffer = 4 << 10

// conn is one connection. Its goroutine reads, parses, and answers what is
// answered at once; streams are written by the scheduler. The two never write at
// the same time: the goroutine waits for the stream before. A request over HTTP/2
// has a conn of its own, which shares the connection's socket and number.
type conn struct {
	srv    *Server
	sock   *wire
	id     int64
	served int64     // requests
	tls    string    // its version
	h2     *exchange // nil: HTTP/1

	buf    []byte
	r, w   int     // unread bytes
	came   instant // of the last byte
	head   head
	prompt promptText

	limited bool // a deadline is set for the request that is being read
	active  *stream
	how     atomic.Int32 // set by hangUp
}

// request is one complete request; it is valid until the next is read.
type request struct {
	*head
	framing
	body []byte
	size int64 // bytes on the wire
	came instant
}

// serve answers requests until the connection ends.
func (c *conn) serve() {
	defer c.finish()
	switch proto, err := c.handshake(); {
	case err != nil:
		c.refuse(err)
		return
	case proto == protoHTTP2:
		c.serveHTTP2()
		return
	case proto == "" && c.srv.cfg.HTTP2 == HTTP2Only:
		return // a client that agreed to nothing would not speak it
	}
	for {
		req, err := c.read()
		if err != nil {
			c.refuse(err)
			return
		}
		if !c.settle() {
			return
		}
		c.served++
		if !c.srv.handle(c, req) {
			return
		}
		c.forget()
	}
}

// handshake makes TLS ready, where it is spoken, within the time of a request.
func (c *conn) handshake() (proto string, err error) {
	if c.sock.tls == nil {
		return "", nil
	}
	c.deadline(time.Now().Add(c.srv.cfg.RequestTimeout))
	proto, c.tls, err = c.sock.handshake()
	var bad *httpError
	switch {
	case err == nil:
		c.deadline(time.Time{})
	case errors.As(err, &bad):
		c.sock.plain()
	case !errors.Is(err, errEOF): // not one that only looked whether the port is open
		c.srv.acct.note(func(s *Summary) { s.BadRequests++ })
	}
	return proto, err
}

// settle waits for the reply under way and reports whether the connection lives.
func (c *conn) settle() bool {
	if c.active != nil {
		select {
		case <-c.active.done:
			c.active = nil
		case <-c.srv.stop:
			return false
		}
	}
	return !c.leaving()
}

// finish gives up what is under way and closes the socket.
func (c *conn) finish() {
	if st := c.active; st != nil {
		select {
		case <-st.done:
		default:
			c.srv.sched.drop(st)
			<-st.done
		}
	}
	c.sock.close(c.how.Load() == closeRST)
}

// hangUp makes the connection's goroutine close it, or over HTTP/2 the stream.
// Anyone may call it.
func (c *conn) hangUp(how int32) {
	c.how.CompareAndSwap(closeNot, how)
	if c.h2 != nil {
		return
	}
	_ = c.sock.SetReadDeadline(time.Unix(1, 0))
}

// refuse answers what is not a request. Nothing can follow it.
func (c *conn) refuse(err error) {
	var bad *httpError
	if !errors.As(err, &bad) || !c.settle() {
		return
	}
	c.srv.acct.note(func(s *Summary) { s.BadRequests++ })
	_, _ = c.answer(bad.status, "application/json", errorBody(bad.status, bad.message, "BadRequestError", ""), true, false)
	// The rest of what was sent is read for a moment, since closing with unread
	// bytes resets the connection before the client has read the answer.
	c.sock.closeWrite()
	_ = c.sock.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
	_, _ = io.CopyN(io.Discard, c.sock.Conn, 1<<20)
}

// read returns the next complete request.
func (c *conn) read() (request, error) {
	text, err := c.readHead()
	if err != nil {
		return request{}, err
	}
	req := request{head: &c.head, size: int64(len(text))}
	if err := c.head.parse(text); err != nil {
		return req, err
	}
	if req.framing, err = c.head.framing(c.srv.cfg.MaxBodyBytes); err != nil {
		return req, err
	}
	c.r += len(text)
	if err := c.readBody(&req); err != nil {
		return req, err
	}
	req.came = c.came
	if c.limited {
		c.limited = false
		c.deadline(time.Time{})
	}
	return req, nil
}

// more reads on, within the time that a request which has begun may take.
func (c *conn) more(begun bool) error {
	if begun && !c.limited {
		c.limited = true
		c.deadline(time.Now().Add(c.srv.cfg.RequestTimeout))
	}
	err := c.fill()
	if c.limited && errors.Is(err, os.ErrDeadlineExceeded) && !c.leaving() {
		return &httpError{http.StatusRequestTimeout, "the request did not come within " + c.srv.cfg.RequestTimeout.String()}
	}
	return err
}

// deadline is for reading; one that was set to end the connection stays.
func (c *conn) deadline(t time.Time) {
	_ = c.sock.SetReadDeadline(t)
	if c.leaving() {
		_ = c.sock.SetReadDeadline(time.Unix(1, 0))
	}
}

func (c *conn) leaving() bool { return c.how.Load() != closeNot || c.srv.stopping.Load() }

func (c *conn) readHead() (string, error) {
	scanned := 0
	for {
		unread := c.buf[c.r:c.w]
		if i := bytes.Index(unread[scanned:], []byte("\r\n\r\n")); i >= 0 {
			if end := scanned + i + 4; end <= c.srv.cfg.MaxHeaderBytes {
				return string(unread[:end]), nil
			}
		}
		if len(unread) > c.srv.cfg.MaxHeaderBytes {
			return "", &httpError{http.StatusRequestHeaderFieldsTooLarge, "the header has more than " + strconv.Itoa(c.srv.cfg.MaxHeaderBytes) + " bytes"}
		}
		scanned = max(0, len(unread)-3)
		if err := c.more(len(unread) > 0); err != nil {
			return "", err
		}
	}
}

func (c *conn) readBody(req *request) error {
	if req.expect && c.w == c.r && (req.chunked || req.length > 0) {
		if !c.settle() {
			return errEOF
		}
		if _, err := io.WriteString(c.sock, "HTTP/1.1 100 Continue\r\n\r\n"); err != nil {
			return err
		}
	}
	if req.chunked {
		return c.readChunked(req)
	}
	for c.w-c.r < req.length {
		if err := c.more(true); err != nil {
			return err
		}
	}
	req.body = c.buf[c.r : c.r+req.length]
	req.size += int64(req.length)
	c.r += req.length
	return nil
}

func (c *conn) readChunked(req *request) error {
	var d chunked
	for {
		n, err := d.feed(c.buf[c.r:c.w], c.srv.cfg.MaxBodyBytes)
		c.r += n
		if err != nil {
			return err
		}
		if d.state == chunkDone {
			req.body, req.size = d.body, req.size+int64(d.scanned)
			return nil
		}
		if err := c.more(true); err != nil {
			return err
		}
	}
}

// fill reads more behind the unread bytes.
func (c *conn) fill() error {
	if c.r == c.w {
		c.r, c.w = 0, 0
	}
	if c.w == len(c.buf) {
		if c.r > len(c.buf)/2 {
			c.w = copy(c.buf, c.buf[c.r:c.w])
		} else {
			grown := make([]byte, max(minBuffer, 2*len(c.buf)))
			c.w = copy(grown, c.buf[c.r:c.w])
			c.buf = grown
		}
		c.r = 0
	}
	n, came, err := c.sock.read(c.buf[c.w:])
	if n > 0 {
		c.w += n
		c.came = came
	}
	return err
}

// forget frees the space of a large request.
func (c *conn) forget() {
	if c.r == c.w && len(c.buf) > 16*minBuffer {
		c.buf, c.r, c.w = nil, 0, 0
	}
	c.prompt.shrink()
}

// answer writes a whole response at once, without its body when only the head is
// wanted, and returns how many bytes that were.
func (c *conn) answer(status int, contentType string, body []byte, closes, headOnly bool) (int64, error) {
	if c.h2 != nil {
		return c.h2.answer(status, contentType, body, headOnly)
	}
	b := appendResponseHead(make([]byte, 0, 160+len(body)), status, contentType, len(body), closes)
	if !headOnly {
		b = append(b, body...)
	}
	n, err := c.sock.Write(b)
	return int64(n), err
}

// garble writes what is not HTTP and returns how many bytes that were; over HTTP/2
// the stream is reset.
func (c *conn) garble() int64 {
	if c.h2 != nil {
		c.hangUp(closeRST)
		return 0
	}
	n, _ := c.sock.Write([]byte("\x15\x03\x01\x00\x02\x02\x16 this is not HTTP\n"))
	return int64(n)
}

func appendResponseHead(b []byte, status int, contentType string, length int, closes bool) []byte {
	b = append(b, "HTTP/1.1 "...)
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(append(b, ' '), http.StatusText(status)...)
	b = append(append(b, "\r\nContent-Type: "...), contentType...)
	b = append(b, "\r\nContent-Length: "...)
	b = strconv.AppendInt(b, int64(length), 10)
	if closes {
		b = append(b, "\r\nConnection: close"...)
	}
	return append(b, "\r\n\r\n"...)
}
