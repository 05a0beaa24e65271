package target

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"testing"
	"time"
)

// TestRetryAfterIsTold: how long a busy endpoint wants callers to wait is part of
// the error, of a request as of a fetch, and of that answer alone.
func TestRetryAfterIsTold(t *testing.T) {
	transports(t, func(t *testing.T, cfg func(string) Config) {
		s := serveRaw(t, func(_ int, c *net.TCPConn, r *bufio.Reader) {
			for _, head := range []string{"Retry-After: 7\r\n", "", "retry-after: Fri, 31 Dec 9999 23:59:59 GMT\r\n", "Retry-After: soon\r\n"} {
				for range 2 {
					if readRequest(r) == nil {
						return
					}
					say(c, "HTTP/1.1 429 Too Many Requests\r\n"+head+"Content-Length: 0\r\n\r\n")
				}
			}
		})
		cl := newClient(t, cfg(s.url()))
		for i, want := range []time.Duration{7 * time.Second, 0, 366 * 24 * time.Hour, 0} {
			_, asked := ask(t, cl)
			_, fetched := cl.Get(context.Background(), "models")
			for what, err := range map[string]error{"request": asked, "fetch": fetched} {
				var e *Error
				if !errors.As(err, &e) || e.HTTP != 429 || e.RetryAfter != want {
					t.Errorf("answer %d, %s: %+v, want it to say %v", i, what, e, want)
				}
			}
		}
	})
}

// TestLaterAttempt: what the caller sends again says so, also on a connection that
// the server had closed.
func TestLaterAttempt(t *testing.T) {
	cl := newClient(t, configFor("http://127.0.0.1:10000/v1"))
	in := hello()
	in.Attempt = 3
	c, err := cl.Prepare(in)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		req := readRequest(bufio.NewReader(bytes.NewReader(c.req)))
		if req == nil || len(req.Header["X-Request-Attempt"]) != 1 || req.Header.Get("X-Request-Attempt") != "3" || req.Header.Get("X-Request-Id") != "run.1-0" {
			t.Fatalf("got %q", c.req)
		}
		if req.ContentLength <= 0 || req.Header.Get("Content-Type") != "application/json" || http.MethodPost != req.Method {
			t.Errorf("got %q", c.req)
		}
		c.again()
	}
}

// TestRetryAfterOverHTTP2: the same where an endpoint speaks nothing else.
func TestRetryAfterOverHTTP2(t *testing.T) {
	cl := newClient(t, onlyHTTP2(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "9")
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	_, err := ask(t, cl)
	var e *Error
	if !errors.As(err, &e) || e.HTTP != 503 || e.RetryAfter != 9*time.Second {
		t.Errorf("got %+v", e)
	}
}
