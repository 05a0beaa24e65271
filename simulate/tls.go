package simulate

import (
	"bytes"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// The protocols that a server agrees to under TLS, of Config.HTTP2.
const (
	HTTP2Also = "also" // HTTP/2 or HTTP/1.1, as the client likes
	HTTP2Only = "only" // HTTP/2, and nothing else
)

const protoHTTP2 = "h2"

// serverTLS is what connections are served with; nil is plain text.
func (c *Config) serverTLS() *tls.Config {
	if c.TLS == nil {
		return nil
	}
	t := c.TLS.Clone()
	t.DynamicRecordSizingDisabled = true // a write of ours is a record
	switch c.HTTP2 {
	case HTTP2Also:
		t.NextProtos = []string{protoHTTP2, "http/1.1"}
	case HTTP2Only:
		t.NextProtos = []string{protoHTTP2}
	default:
		t.NextProtos = []string{"http/1.1"}
	}
	return t
}

// wire is what a connection reads from and writes to: a socket, and TLS over it
// where the server speaks that. What is encrypted waits in the pipe until it is
// sent, so that encrypting lies before the instant that a token is booked with, and
// the write call alone after it.
type wire struct {
	*socket
	tls  *tls.Conn // nil: plain
	pipe *pipe
}

func newWire(s *socket, cfg *tls.Config) *wire {
	w := &wire{socket: s}
	if cfg != nil {
		w.pipe = &pipe{socket: s}
		w.pipe.direct.Store(true)
		w.tls = tls.Server(w.pipe, cfg)
	}
	return w
}

// read is Read with the instant at which the last of the bytes arrived, under TLS
// those that completed the record.
func (w *wire) read(p []byte) (int, instant, error) {
	if w.tls == nil {
		return w.socket.read(p)
	}
	n, err := w.tls.Read(p)
	if _, flushErr := w.pipe.flushNow(); err == nil { // an answer of TLS's own, such as to a new key
		err = flushErr
	}
	return n, w.pipe.came(), err
}

// seal encrypts what writeNow is to send. Only the owner of the reply calls it.
func (w *wire) seal(p []byte) error {
	if w.tls == nil || len(p) == 0 {
		return nil
	}
	_, err := w.tls.Write(p)
	return err
}

// writeNow sends what the socket takes at once of p, which is sealed. again is true
// when something is left: the rest of p, or under TLS of what the pipe keeps.
func (w *wire) writeNow(p []byte) (n int, again bool, err error) {
	if w.tls == nil {
		return w.socket.writeNow(p)
	}
	if again, err = w.pipe.flushNow(); err != nil {
		return 0, false, err
	}
	return len(p), again, nil
}

// Write waits until all that was kept, and p, is written.
func (w *wire) Write(p []byte) (int, error) {
	if w.tls == nil {
		return w.Conn.Write(p)
	}
	if err := w.seal(p); err != nil {
		return 0, err
	}
	if err := w.pipe.flush(); err != nil {
		return 0, err
	}
	return len(p), nil
}

// closeWrite says that nothing more comes.
func (w *wire) closeWrite() {
	if w.tls != nil {
		_ = w.tls.CloseWrite()
		_ = w.pipe.flush()
	}
	if tcp, ok := w.Conn.(*net.TCPConn); ok {
		_ = tcp.CloseWrite()
	}
}

// close ends the connection, with a reset and without TLS's goodbye if asked to.
func (w *wire) close(reset bool) {
	switch tcp, ok := w.Conn.(*net.TCPConn); {
	case reset && ok:
		_ = tcp.SetLinger(0)
	case w.tls != nil && w.tls.ConnectionState().HandshakeComplete:
		_ = w.tls.CloseWrite()
		_, _ = w.pipe.flushNow()
	}
	_ = w.Close()
}

// handshake makes TLS ready and returns the protocol that was agreed on and the
// version of TLS.
func (w *wire) handshake() (proto, version string, err error) {
	err = w.tls.Handshake()
	var record tls.RecordHeaderError
	if errors.As(err, &record) && record.Conn != nil && looksLikeHTTP(record.RecordHeader[:]) {
		return "", "", badRequest("TLS is spoken here: the URL is meant to begin with https://")
	}
	if err != nil {
		return "", "", err
	}
	state := w.tls.ConnectionState()
	w.pipe.direct.Store(state.NegotiatedProtocol == protoHTTP2)
	return state.NegotiatedProtocol, tls.VersionName(state.Version), nil
}

func looksLikeHTTP(b []byte) bool {
	for _, begin := range []string{"GET /", "HEAD ", "POST ", "PUT /", "OPTIO"} {
		if bytes.HasPrefix(b, []byte(begin)) {
			return true
		}
	}
	return false
}

// plain gives up TLS: what is written from now on goes as it is.
func (w *wire) plain() { w.tls = nil }

// pipe is the net.Conn that crypto/tls sees. Once the connection is up it keeps
// what TLS writes until it is flushed.
type pipe struct {
	*socket
	direct atomic.Bool // a write is one of the socket's: in the handshake, and for HTTP/2

	mu       sync.Mutex
	last     instant
	out      []byte
	flushing bool // somebody waits for the socket to take all of it
}

func (p *pipe) Read(b []byte) (int, error) {
	n, came, err := p.read(b)
	if n > 0 {
		p.mu.Lock()
		p.last = came
		p.mu.Unlock()
	}
	return n, err
}

// came is when the last bytes that were read arrived.
func (p *pipe) came() instant {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last
}

// Write implements net.Conn. It takes all of b.
func (p *pipe) Write(b []byte) (int, error) {
	if p.direct.Load() {
		return p.Conn.Write(b)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.out = append(p.out, b...)
	return len(b), nil
}

// flushNow sends what the socket takes at once and reports whether something is
// left.
func (p *pipe) flushNow() (left bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.flushing || len(p.out) == 0 {
		return p.flushing, nil
	}
	n, left, err := p.writeNow(p.out)
	p.out = p.out[:copy(p.out, p.out[n:])]
	return left, err
}

// flush waits until the socket has taken all that is kept.
func (p *pipe) flush() error {
	for {
		p.mu.Lock()
		if p.flushing || len(p.out) == 0 {
			p.mu.Unlock()
			return nil
		}
		b := p.out
		p.out, p.flushing = nil, true
		p.mu.Unlock()
		_, err := p.Conn.Write(b)
		p.mu.Lock()
		p.flushing = false
		p.mu.Unlock()
		if err != nil {
			return err
		}
	}
}

// SetWriteDeadline implements net.Conn. TLS sets one for its goodbye, which never
// waits here; left in place it would break what is still to be written.
func (p *pipe) SetWriteDeadline(t time.Time) error {
	if p.direct.Load() {
		return p.Conn.SetWriteDeadline(t)
	}
	return nil
}
