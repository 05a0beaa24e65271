package simulate

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stampede-bench/stampede/internal/clock"
)

// streamsAtOnce is what a client may have under way on one connection.
const streamsAtOnce = 100_000

// session is a connection over HTTP/2. Its framing is net/http's: each request has
// a goroutine, which writes what the scheduler hands it.
type session struct {
	conn     *conn
	requests atomic.Int64

	mu       sync.Mutex
	closed   bool
	handlers sync.WaitGroup
}

// serveHTTP2 answers requests until the connection ends and none is under way.
func (c *conn) serveHTTP2() {
	s := &session{conn: c}
	one := &oneConn{Conn: c.sock.tls, gone: make(chan struct{})}
	server := &http.Server{
		Handler: s, ConnState: one.state, TLSConfig: &tls.Config{NextProtos: []string{protoHTTP2}},
		HTTP2:          &http.HTTP2Config{MaxConcurrentStreams: streamsAtOnce},
		MaxHeaderBytes: c.srv.cfg.MaxHeaderBytes, ErrorLog: log.New(io.Discard, "", 0),
	}
	_ = server.Serve(one) // says that the connection has ended
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.handlers.Wait()
}

// oneConn is a listener that has one connection, which is ready, and ends with it.
type oneConn struct {
	*tls.Conn
	taken atomic.Bool
	gone  chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	if l.taken.CompareAndSwap(false, true) {
		return l.Conn, nil
	}
	<-l.gone
	return nil, net.ErrClosed
}

func (l *oneConn) Addr() net.Addr { return l.LocalAddr() }
func (l *oneConn) Close() error   { return nil }

func (l *oneConn) state(_ net.Conn, s http.ConnState) {
	if s == http.StateClosed {
		close(l.gone)
	}
}

// enter reports whether a request may still begin; handlers.Done ends it.
func (s *session) enter() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.handlers.Add(1)
	}
	return !s.closed
}

// ServeHTTP implements http.Handler.
func (s *session) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !s.enter() {
		return
	}
	defer s.handlers.Done()
	x := &exchange{w: w, control: http.NewResponseController(w), pieces: make(chan piece, 1)}
	c := &conn{srv: s.conn.srv, sock: s.conn.sock, id: s.conn.id, tls: s.conn.tls, served: s.requests.Add(1), h2: x}
	if req, ok := c.readHTTP2(r); ok {
		c.srv.handle(c, req)
		c.pump(r.Context())
	}
	if c.aborts() {
		panic(http.ErrAbortHandler) //nolint:forbidigo // the only way to reset a stream of HTTP/2
	}
}

// readHTTP2 returns the request when all of it has come.
func (c *conn) readHTTP2(r *http.Request) (request, bool) {
	limit := int64(c.srv.cfg.MaxBodyBytes)
	_ = c.h2.control.SetReadDeadline(time.Now().Add(c.srv.cfg.RequestTimeout))
	body, err := io.ReadAll(io.LimitReader(r.Body, limit+1))
	// The connection may have read on since, so this is no earlier than the
	// request's last byte, and no later than now.
	came := c.sock.pipe.came()
	switch {
	case err != nil:
		c.hangUp(closeRST)
		return request{}, false
	case int64(len(body)) > limit:
		message := "a body may have at most " + strconv.FormatInt(limit, 10) + " bytes"
		_, _ = c.answer(http.StatusRequestEntityTooLarge, "application/json",
			errorBody(http.StatusRequestEntityTooLarge, message, "BadRequestError", ""), false, false)
		return request{}, false
	}
	c.head.method, c.head.path, c.head.minor = r.Method, r.URL.Path, -1
	c.head.fields = append(c.head.fields, field{"Host", r.Host})
	for name, values := range r.Header {
		for _, v := range values {
			c.head.fields = append(c.head.fields, field{name, v})
		}
	}
	return request{head: &c.head, framing: framing{length: len(body), keepAlive: true}, body: body, size: int64(len(body)), came: came}, true
}

// aborts reports whether the stream is to be reset: what would end a connection of
// HTTP/1.1 before the reply is whole.
func (c *conn) aborts() bool {
	return c.how.Load() != closeNot && (c.active == nil || c.active.stage != stageEnded)
}

// exchange is one request and reply over HTTP/2.
type exchange struct {
	w       http.ResponseWriter
	control *http.ResponseController
	pieces  chan piece // from the scheduler; it has one under way at most
	wrote   piece      // the last, with what became of it, when the scheduler is told
}

// piece is what one step of a stream writes.
type piece struct {
	b        []byte
	act      action // what comes after it
	begun    bool   // the reply's head is due
	from     int    // tokens sent before it
	due      int64  // when its first token was
	at, took int64  // when it was written, and how long that took
}

// hand gives a step's bytes to the request's goroutine.
func (s *scheduler) hand(st *stream, b []byte, act action, from int, due int64) {
	st.conn.h2.pieces <- piece{b: append([]byte(nil), b...), act: act, begun: st.stage != stageHead, from: from, due: due}
}

// written books what that goroutine has written, and goes on.
func (s *scheduler) written(st *stream) {
	p := &st.conn.h2.wrote
	if p.begun {
		st.rec.HTTPStatus = http.StatusOK
	}
	if len(p.b) > 0 {
		st.rec.Writes++
		st.rec.BytesOut += int64(len(p.b))
	}
	if st.sent > p.from {
		s.noteTokens(st, p.from, p.at, p.due, p.took)
	}
	s.conclude(st, p.act, p.at)
}

// pump writes what the scheduler hands over until the reply has ended.
func (c *conn) pump(ctx context.Context) {
	st := c.active
	if st == nil {
		return
	}
	head := false
	for {
		select {
		case p := <-c.h2.pieces:
			if p.begun && !head {
				head = true
				c.h2.begin(st)
			}
			if c.h2.write(&p) != nil {
				c.srv.sched.drop(st)
				<-st.done
				return
			}
			c.h2.wrote = p
			c.srv.sched.post(order{st, orderWritten}, 0)
		case <-st.done:
			return
		case <-ctx.Done():
			c.srv.sched.drop(st)
			<-st.done
			return
		case <-c.srv.stop:
			c.srv.sched.drop(st)
			<-st.done
			c.hangUp(closeRST)
			return
		}
	}
}

// begin sets the head of a reply.
func (x *exchange) begin(st *stream) {
	h := x.w.Header()
	if st.whole != nil {
		h.Set("Content-Type", "application/json")
		h.Set("Content-Length", strconv.Itoa(len(st.whole)))
	} else {
		h.Set("Content-Type", "text/event-stream; charset=utf-8")
		h.Set("Cache-Control", "no-cache")
	}
	x.w.WriteHeader(http.StatusOK)
}

// write sends a piece and enters when it did.
func (x *exchange) write(p *piece) error {
	p.at = clock.Now()
	if !p.begun {
		return nil
	}
	_, err := x.w.Write(p.b)
	if err == nil {
		err = x.control.Flush()
	}
	p.took = clock.Now() - p.at
	return err
}

// answer writes a whole response.
func (x *exchange) answer(status int, contentType string, body []byte, headOnly bool) (int64, error) {
	x.w.Header().Set("Content-Type", contentType)
	x.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	x.w.WriteHeader(status)
	if headOnly {
		return 0, nil
	}
	n, err := x.w.Write(body)
	return int64(n), err
}
