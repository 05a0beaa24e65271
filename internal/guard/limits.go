package guard

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"time"
)

// Limits of every server.
const (
	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute
	restTimeout   = time.Second // of a body that nobody read
	maxHeader     = 64 << 10    // bytes

	// Over TLS it may be HTTP/2, where a connection that is silent, or says half of
	// something, is asked whether it lives.
	maxStreams  = 100
	silentFor   = 30 * time.Second
	pingTimeout = 15 * time.Second
)

// Server returns a server with this package's limits on headers and idle
// connections.
func Server(h http.Handler) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		HTTP2: &http.HTTP2Config{MaxConcurrentStreams: maxStreams, SendPingTimeout: silentFor, PingTimeout: pingTimeout},
	}
}

// refusal is why a request's body is not taken.
type refusal struct {
	status int
	text   string
}

// limited reads a request's body before next runs, so that a slow one holds up
// nothing else and a large one is never whole in memory.
func (h *Handler) limited(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if problem := h.body(w, r); problem != nil {
			leaveBody(w, r)
			refuse(w, problem.status, problem.text)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (h *Handler) body(w http.ResponseWriter, r *http.Request) *refusal {
	control := http.NewResponseController(w)
	if h.cfg.Stream(r) {
		r.Body = &timedBody{ReadCloser: r.Body, control: control, timeout: h.cfg.BodyTimeout}
		return nil
	}
	if r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	tooLarge := &refusal{http.StatusRequestEntityTooLarge, "the body is larger than this port takes"}
	if r.ContentLength > h.cfg.MaxBody {
		return tooLarge
	}
	_ = control.SetReadDeadline(time.Now().Add(h.cfg.BodyTimeout))
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, h.cfg.MaxBody))
	_ = control.SetReadDeadline(time.Time{})
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return tooLarge
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &refusal{http.StatusRequestTimeout, "the body did not come in time"}
	case err != nil:
		return &refusal{http.StatusBadRequest, "the body can't be read"}
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(data)), int64(len(data))
	return nil
}

// timedBody is a body whose every piece must come in time.
type timedBody struct {
	io.ReadCloser
	control *http.ResponseController
	timeout time.Duration
}

// Read implements io.Reader. The deadline is lifted between reads: it would end
// the request while its handler works.
func (b *timedBody) Read(p []byte) (int, error) {
	_ = b.control.SetReadDeadline(time.Now().Add(b.timeout))
	n, err := b.ReadCloser.Read(p)
	_ = b.control.SetReadDeadline(time.Time{})
	return n, err
}

// timedWriter is an answer whose every piece must be taken in time.
type timedWriter struct {
	http.ResponseWriter
	control *http.ResponseController
	timeout time.Duration
}

func newTimedWriter(w http.ResponseWriter, timeout time.Duration) *timedWriter {
	return &timedWriter{ResponseWriter: w, control: http.NewResponseController(w), timeout: timeout}
}

func (t *timedWriter) extend() {
	_ = t.control.SetWriteDeadline(time.Now().Add(t.timeout))
}

// leave bounds what net/http does after the handler: it writes the rest of the
// answer and reads some of a body that nobody read.
func (t *timedWriter) leave() {
	t.extend()
	_ = t.control.SetReadDeadline(time.Now().Add(restTimeout))
}

// leaveBody ends the connection after the answer, so that net/http does not wait
// for the body of a request that is refused.
func leaveBody(w http.ResponseWriter, r *http.Request) {
	if r.Body != nil && r.Body != http.NoBody {
		w.Header().Set("Connection", "close")
	}
}

// Write implements io.Writer.
func (t *timedWriter) Write(p []byte) (int, error) {
	t.extend()
	return t.ResponseWriter.Write(p)
}

// FlushError is for http.ResponseController.
func (t *timedWriter) FlushError() error {
	t.extend()
	return t.control.Flush()
}

// Flush implements http.Flusher.
func (t *timedWriter) Flush() { _ = t.FlushError() }

// Unwrap is for http.ResponseController.
func (t *timedWriter) Unwrap() http.ResponseWriter { return t.ResponseWriter }

// refuse answers with an error in the shape that all answers of ours have.
func refuse(w http.ResponseWriter, status int, detail string) {
	body, err := json.Marshal(map[string]string{"detail": detail})
	if err != nil {
		body = []byte(`{"detail":"refused"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
