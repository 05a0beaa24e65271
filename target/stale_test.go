package target

import (
	"bufio"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/measure"
)

// account is what a server saw of requests.
type account struct {
	mu  sync.Mutex
	all []*http.Request
}

func (a *account) note(r *http.Request) *http.Request {
	if r != nil {
		a.mu.Lock()
		a.all = append(a.all, r)
		a.mu.Unlock()
	}
	return r
}

func (a *account) list() []*http.Request {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]*http.Request(nil), a.all...)
}

// waitFor polls for a condition that another goroutine brings about.
func waitFor(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("waited in vain until %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// TestSparesInVain has a server close each connection as soon as it is open: it gets
// hardly more of them than requests.
func TestSparesInVain(t *testing.T) {
	transports(t, func(t *testing.T, cfg func(string) Config) {
		s := serveRaw(t, func(_ int, c *net.TCPConn, _ *bufio.Reader) { _ = c.Close() })
		conf := cfg(s.url())
		conf.Reserve = 32
		cl := newClient(t, conf)
		const n = 100
		for range n {
			if x, err := ask(t, cl); err == nil || x.Status != measure.Failed {
				t.Fatal(x.Status, err)
			}
			time.Sleep(time.Millisecond)
		}
		if got := s.accepted(); got > 5*n {
			t.Errorf("%d connections for %d requests", got, n)
		}
	})
}

// TestStaleConnection has a server close idle connections only when the next
// request is there, as if both crossed on the way.
func TestStaleConnection(t *testing.T) {
	transports(t, func(t *testing.T, cfg func(string) Config) {
		for name, end := range map[string]func(*net.TCPConn){
			"closed": func(c *net.TCPConn) { _ = c.Close() }, "reset": reset,
		} {
			var seen account
			s := serveRaw(t, func(n int, c *net.TCPConn, r *bufio.Reader) {
				if readRequest(r) == nil {
					return
				}
				say(c, answer())
				if n == 0 && seen.note(readRequest(r)) != nil {
					end(c)
				}
				for seen.note(readRequest(r)) != nil {
					say(c, answer())
				}
			})
			cl := newClient(t, cfg(s.url()))
			if _, err := ask(t, cl); err != nil {
				t.Fatal(err)
			}
			x, err := ask(t, cl)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if x.FirstSent == measure.Absent || x.FirstSent >= x.Sent {
				t.Errorf("%s: first sent at %d, again at %d", name, x.FirstSent, x.Sent)
			}
			if !x.Stale || x.Attempt != 2 || x.Reused || x.ConnectNanos <= 0 || string(x.Answer) != "Hello, world" {
				t.Errorf("%s: stale %v, attempt %d, reused %v, connect %d, answer %q", name, x.Stale, x.Attempt, x.Reused, x.ConnectNanos, x.Answer)
			}
			if n := cl.Stats().Stale; n != 1 {
				t.Errorf("%s: %d stale connections, want 1", name, n)
			}
		}
	})
}

// TestResentOnce has a server that closes every connection on the second request
// it sees there, and every fresh one at once from then on.
func TestResentOnce(t *testing.T) {
	transports(t, func(t *testing.T, cfg func(string) Config) {
		var seen account
		s := serveRaw(t, func(n int, c *net.TCPConn, r *bufio.Reader) {
			if seen.note(readRequest(r)) != nil && n == 0 {
				say(c, answer())
				seen.note(readRequest(r))
			}
		})
		cl := newClient(t, cfg(s.url()))
		if _, err := ask(t, cl); err != nil {
			t.Fatal(err)
		}
		x, err := ask(t, cl)
		wantKind(t, err, KindClosed, "")
		if x.Attempt != 2 || !x.Stale {
			t.Errorf("attempt %d, stale %v", x.Attempt, x.Stale)
		}
		var attempts []string
		for _, r := range seen.list() {
			attempts = append(attempts, r.Header.Get("X-Request-Id")+":"+r.Header.Get("X-Request-Attempt"))
		}
		if got, want := strings.Join(attempts, " "), "run.1-0: run.1-0: run.1-0:2"; got != want {
			t.Errorf("the server saw %q, want %q", got, want)
		}
	})
}

// TestNotResent: once a byte of an answer came, or on a fresh connection, a
// request is never sent twice.
func TestNotResent(t *testing.T) {
	transports(t, func(t *testing.T, cfg func(string) Config) {
		var seen account
		s := serveRaw(t, func(n int, c *net.TCPConn, r *bufio.Reader) {
			if seen.note(readRequest(r)) != nil {
				say(c, answer())
			}
			if seen.note(readRequest(r)) != nil {
				say(c, "H")
			}
		})
		cl := newClient(t, cfg(s.url()))
		if _, err := ask(t, cl); err != nil {
			t.Fatal(err)
		}
		x, err := ask(t, cl)
		wantKind(t, err, KindTruncated, "")
		if x.Attempt != 1 || len(seen.list()) != 2 {
			t.Errorf("attempt %d, %d requests seen", x.Attempt, len(seen.list()))
		}
	})
}

// TestBrokenLaterIsAFailure: a connection that breaks long after the request was
// written did not break before it.
func TestBrokenLaterIsAFailure(t *testing.T) {
	transports(t, func(t *testing.T, cfg func(string) Config) {
		var seen account
		s := serveRaw(t, func(_ int, c *net.TCPConn, r *bufio.Reader) {
			if seen.note(readRequest(r)) != nil {
				say(c, answer())
			}
			if seen.note(readRequest(r)) != nil {
				time.Sleep(time.Duration(staleWithin) + 300*time.Millisecond)
				reset(c)
			}
		})
		cl := newClient(t, cfg(s.url()))
		if _, err := ask(t, cl); err != nil {
			t.Fatal(err)
		}
		x, err := ask(t, cl)
		wantKind(t, err, KindReset, "")
		if x.Stale || x.Attempt != 1 || x.FirstSent != measure.Absent || len(seen.list()) != 2 {
			t.Errorf("stale %v, attempt %d, first sent %d, %d requests seen", x.Stale, x.Attempt, x.FirstSent, len(seen.list()))
		}
	})
}

// TestClosesAfterReply is llama.cpp's server: it closes after each streamed reply
// without saying so. All must succeed, and hardly any be sent twice once that is
// known.
func TestClosesAfterReply(t *testing.T) {
	transports(t, func(t *testing.T, cfg func(string) Config) {
		s := serveRaw(t, func(_ int, c *net.TCPConn, r *bufio.Reader) {
			if readRequest(r) != nil {
				say(c, answer())
			}
		})
		cl := newClient(t, cfg(s.url()))
		const requests, slots = 200, 4
		var wg sync.WaitGroup
		for range slots {
			wg.Go(func() {
				for range requests / slots {
					if x, err := ask(t, cl); err != nil {
						t.Errorf("attempt %d: %v", x.Attempt, err)
					}
				}
			})
		}
		wg.Wait()
		if n := cl.Stats().Stale; n > requests/4 {
			t.Errorf("%d of %d requests were sent twice", n, requests)
		}
	})
}

// TestClosedWhileIdle: a connection seen closed is not used at all.
func TestClosedWhileIdle(t *testing.T) {
	transports(t, func(t *testing.T, cfg func(string) Config) {
		closed := make(chan struct{}, 1)
		s := serveRaw(t, func(n int, c *net.TCPConn, r *bufio.Reader) {
			for readRequest(r) != nil {
				say(c, answer())
				if n == 0 {
					_ = c.Close()
					closed <- struct{}{}
				}
			}
		})
		cl := newClient(t, cfg(s.url()))
		if _, err := ask(t, cl); err != nil {
			t.Fatal(err)
		}
		<-closed
		waitFor(t, "the connection is gone from the pool", func() bool { return cl.Stats().Ready == 0 })
		x, err := ask(t, cl)
		if err != nil {
			t.Fatal(err)
		}
		if x.Stale || x.Attempt != 1 || s.accepted() != 2 {
			t.Errorf("stale %v, attempt %d, %d connections", x.Stale, x.Attempt, s.accepted())
		}
	})
}

// TestCompleteDespiteBreak: an answer whose end mark came is complete, whatever
// becomes of the connection.
func TestCompleteDespiteBreak(t *testing.T) {
	transports(t, func(t *testing.T, cfg func(string) Config) {
		for name, end := range map[string]func(*net.TCPConn){
			"closed":     func(c *net.TCPConn) { _ = c.Close() },
			"reset":      func(c *net.TCPConn) { time.Sleep(10 * time.Millisecond); reset(c) },
			"never ends": func(c *net.TCPConn) { _, _ = c.Read(make([]byte, 1)) },
		} {
			s := serveRaw(t, func(_ int, c *net.TCPConn, r *bufio.Reader) {
				if readRequest(r) != nil {
					say(c, streamHead+chunk(token("x"))+chunk(doneMark))
					end(c)
				}
			})
			conf := cfg(s.url())
			conf.Timeout = 20 * time.Second
			x, err := ask(t, newClient(t, conf))
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if x.Status != measure.Succeeded || x.End-x.Chunks[0].At > sec {
				t.Errorf("%s: status %v, end %d ns after the token", name, x.Status, x.End-x.Chunks[0].At)
			}
		}
	})
}
