package target

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/measure"
	"github.com/stampede-bench/stampede/workload"
)

// TestPieces writes an answer byte by byte, each a segment of its own.
func TestPieces(t *testing.T) {
	transports(t, func(t *testing.T, cfg func(string) Config) {
		s := serveRaw(t, func(_ int, c *net.TCPConn, r *bufio.Reader) {
			for readRequest(r) != nil {
				for _, b := range []byte(answer()) {
					say(c, string(b))
				}
			}
		})
		cl := newClient(t, cfg(s.url()))
		for range 3 {
			x, err := ask(t, cl)
			if err != nil {
				t.Fatal(err)
			}
			if string(x.Answer) != "Hello, world" {
				t.Errorf("answer is %q", x.Answer)
			}
			checkInstants(t, x, 3)
		}
	})
}

func TestLargeRequest(t *testing.T) {
	transports(t, func(t *testing.T, cfg func(string) Config) {
		got := make(chan int, 1)
		s := serveRaw(t, func(_ int, c *net.TCPConn, r *bufio.Reader) {
			time.Sleep(20 * time.Millisecond) // let the socket fill up
			for req := readRequest(r); req != nil; req = readRequest(r) {
				var b bytes.Buffer
				_, _ = b.ReadFrom(req.Body)
				got <- b.Len()
				say(c, answer())
			}
		})
		cl := newClient(t, cfg(s.url()))
		for _, size := range []int{1 << 20, 20 << 20, 1} {
			in := hello()
			in.Messages[0].Content = strings.Repeat("x", size)
			if _, err := cl.Do(t.Context(), in); err != nil {
				t.Fatal(err)
			}
			if n := <-got; n < size {
				t.Errorf("the server got %d bytes of %d", n, size)
			}
		}
	})
}

// TestLargeAnswer streams one event of a megabyte and many small ones at once.
func TestLargeAnswer(t *testing.T) {
	transports(t, func(t *testing.T, cfg func(string) Config) {
		big := strings.Repeat("x", 1<<20)
		s := serveStreams(t, func() string {
			return streamHead + chunk(token(big)) + strings.Repeat(chunk(token("y")), 20000) + chunk(finish) + chunk(doneMark) + chunk("")
		})
		x, err := ask(t, newClient(t, cfg(s.url())))
		if err != nil {
			t.Fatal(err)
		}
		if len(x.Answer) != 1<<20+20000 || len(x.Chunks) != 20001 {
			t.Errorf("answer of %d bytes in %d chunks", len(x.Answer), len(x.Chunks))
		}
	})
}

// TestAnswerBeforeBody: a server that answers before it has read the request is
// heard, and its connection is not used again.
func TestAnswerBeforeBody(t *testing.T) {
	transports(t, func(t *testing.T, cfg func(string) Config) {
		s := serveRaw(t, func(_ int, c *net.TCPConn, r *bufio.Reader) {
			if _, err := r.ReadString('\n'); err == nil {
				say(c, plain("413 Content Too Large", "application/json", `{"error":{"message":"too long"}}`))
				time.Sleep(50 * time.Millisecond)
			}
		})
		cl := newClient(t, cfg(s.url()))
		in := hello()
		in.Messages[0].Content = strings.Repeat("x", 30<<20)
		for range 2 {
			_, err := cl.Do(t.Context(), in)
			wantKind(t, err, "http_413", "too long")
		}
		if n := s.accepted(); n != 2 {
			t.Errorf("%d connections, want 2", n)
		}
	})
}

func TestInterimReply(t *testing.T) {
	s := serveStreams(t, func() string {
		return "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + answer()
	})
	cl := newClient(t, configFor(s.url()))
	for range 2 {
		if _, err := ask(t, cl); err != nil {
			t.Fatal(err)
		}
	}
	if n := s.accepted(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

// TestConnectionClose: what the server says of a connection is heeded.
func TestConnectionClose(t *testing.T) {
	for name, head := range map[string]string{
		"says close": "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.0":   "HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n",
	} {
		s := serveRaw(t, func(_ int, c *net.TCPConn, r *bufio.Reader) {
			if readRequest(r) == nil {
				return
			}
			body := token("x") + finish + doneMark
			if strings.Contains(head, "chunked") {
				body = chunk(body) + chunk("")
			}
			say(c, head, body)
		})
		cl := newClient(t, configFor(s.url()))
		for range 3 {
			x, err := ask(t, cl)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if x.Reused || x.Stale {
				t.Errorf("%s: reused %v, stale %v", name, x.Reused, x.Stale)
			}
		}
	}
}

func TestWholeReply(t *testing.T) {
	s := serveRaw(t, func(_ int, c *net.TCPConn, r *bufio.Reader) {
		for readRequest(r) != nil {
			say(c, plain("200 OK", "application/json", `{"choices":[{"index":0,"message":{"role":"assistant","content":"Hi \u00e9"},"finish_reason":"length"}],"usage":{"prompt_tokens":5,"completion_tokens":2}}`))
		}
	})
	cfg := configFor(s.url())
	cfg.Endpoint.Stream = new(bool)
	x, err := ask(t, newClient(t, cfg))
	if err != nil {
		t.Fatal(err)
	}
	if string(x.Answer) != "Hi é" || len(x.Chunks) != 1 || x.Usage.Output != 2 || x.FinishReason != "length" || x.Chunks[0].At != x.End {
		t.Errorf("got %q, %d chunks, usage %+v, finish %q", x.Answer, len(x.Chunks), x.Usage, x.FinishReason)
	}
}

func TestCancel(t *testing.T) {
	transports(t, func(t *testing.T, cfg func(string) Config) {
		got := make(chan struct{}, 1)
		s := serveRaw(t, func(_ int, c *net.TCPConn, r *bufio.Reader) {
			for readRequest(r) != nil {
				say(c, streamHead, chunk(token("x")))
				got <- struct{}{}
			}
		})
		cl := newClient(t, cfg(s.url()))
		ctx, stop := context.WithCancel(t.Context())
		go func() { <-got; stop() }()
		x, err := cl.Do(ctx, hello())
		wantKind(t, err, KindCancelled, "")
		if x.Status != measure.Cancelled {
			t.Errorf("status is %v", x.Status)
		}
		c, err := cl.Prepare(hello())
		if err != nil {
			t.Fatal(err)
		}
		cl.Cancel(c) // before it was started
		cl.wait(t.Context(), c)
		if c.x.Status != measure.Cancelled || c.x.Sent != measure.Absent {
			t.Errorf("status is %v, sent %d", c.x.Status, c.x.Sent)
		}
		cl.Cancel(c) // after its end: nothing
		c.Release()
		c.Release()
	})
}

// TestCloseGivesUp: Close ends what is in flight, calls each done once and leaves
// nothing behind.
func TestCloseGivesUp(t *testing.T) {
	transports(t, func(t *testing.T, cfg func(string) Config) {
		s := serveRaw(t, func(_ int, c *net.TCPConn, r *bufio.Reader) { _ = readRequest(r); _ = readRequest(r) })
		newClient(t, cfg(s.url())).Close() // what a process keeps is there now
		goroutines, files := runtime.NumGoroutine(), openFiles(t)
		cl, err := New(cfg(s.url()))
		if err != nil {
			t.Fatal(err)
		}
		if n, err := cl.Warm(t.Context(), 5); n != 5 || err != nil {
			t.Fatalf("%d connections are warm: %v", n, err)
		}
		const calls = 20
		var wg sync.WaitGroup
		wg.Add(calls)
		for range calls {
			c, err := cl.Prepare(hello())
			if err != nil {
				t.Fatal(err)
			}
			cl.Start(c, func(_ *Call, x *measure.Exchange) {
				if x.Status != measure.Cancelled {
					t.Errorf("status is %v: %s", x.Status, x.ErrorMessage)
				}
				wg.Done()
			})
		}
		cl.Close()
		cl.Close()
		wg.Wait()
		if _, err := cl.Do(t.Context(), hello()); err == nil {
			t.Error("a closed client still sends")
		}
		if _, err := cl.Warm(t.Context(), 1); err == nil {
			t.Error("a closed client still dials")
		}
		s.stop()
		waitFor(t, "all goroutines have ended", func() bool { return runtime.NumGoroutine() <= goroutines })
		waitFor(t, "all files are closed", func() bool { return openFiles(t) <= files })
	})
}

// openFiles counts this process's descriptors where the system tells.
func openFiles(t testing.TB) int {
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(list)
}

func TestWarmAndReserve(t *testing.T) {
	transports(t, func(t *testing.T, cfg func(string) Config) {
		s := serveStreams(t, answer)
		conf := cfg(s.url())
		conf.Reserve = 3
		cl := newClient(t, conf)
		if n, err := cl.Warm(t.Context(), 2); n != 2 || err != nil {
			t.Fatalf("%d ready: %v", n, err)
		}
		x, err := ask(t, cl)
		if err != nil || x.Reused || x.ConnectNanos != 0 {
			t.Errorf("reused %v, connect %d ns: %v", x.Reused, x.ConnectNanos, err)
		}
		waitFor(t, "the reserve is there", func() bool { return cl.Stats().Ready >= 3 })
		if st := cl.Stats(); st.Cold != 0 {
			t.Errorf("stats are %+v", st)
		}
	})
	gone := serveStreams(t, answer)
	gone.stop()
	cl := newClient(t, configFor(gone.url()))
	n, err := cl.Warm(t.Context(), 2)
	wantKind(t, err, KindRefused, "")
	if n != 0 {
		t.Errorf("%d ready", n)
	}
}

// TestStartFromDone chains requests from the done function, as a closed loop does.
func TestStartFromDone(t *testing.T) {
	transports(t, func(t *testing.T, cfg func(string) Config) {
		s := serveStreams(t, answer)
		cl := newClient(t, cfg(s.url()))
		left, end := 50, make(chan struct{})
		var next func(*Call, *measure.Exchange)
		next = func(c *Call, x *measure.Exchange) {
			if x.Status != measure.Succeeded {
				t.Error(x.ErrorMessage)
			}
			c.Release()
			if left--; left == 0 {
				close(end)
				return
			}
			c, err := cl.Prepare(hello())
			if err != nil {
				t.Error(err)
				close(end)
				return
			}
			cl.Start(c, next)
		}
		c, err := cl.Prepare(hello())
		if err != nil {
			t.Fatal(err)
		}
		cl.Start(c, next)
		<-end
		if n := s.accepted(); n != 1 {
			t.Errorf("%d connections, want 1", n)
		}
	})
}

func TestFetchAndModels(t *testing.T) {
	s := serveRaw(t, func(_ int, c *net.TCPConn, r *bufio.Reader) {
		for req := readRequest(r); req != nil; req = readRequest(r) {
			switch req.Method + " " + req.URL.Path {
			case "GET /v1/models":
				say(c, plain("200 OK", "application/json", `{"object":"list","data":[{"id":"a"},{"id":"b"}]}`))
			case "GET /version":
				say(c, plain("200 OK", "application/json", `{"version":"0.11"}`))
			default:
				say(c, plain("404 Not Found", "text/plain", "no route"))
			}
		}
	})
	cfg := configFor(s.url() + "/chat/completions/")
	cl := newClient(t, cfg)
	if names, err := cl.Models(t.Context()); err != nil || fmt.Sprint(names) != "[a b]" {
		t.Errorf("models are %v: %v", names, err)
	}
	if r, err := cl.Get(t.Context(), "/version"); err != nil || string(r.Body) != `{"version":"0.11"}` {
		t.Errorf("version: %v", err)
	}
	r, err := cl.Fetch(t.Context(), "POST", "/flush_cache", []byte("{}"))
	wantKind(t, err, "http_404", "POST /flush_cache: HTTP 404: no route")
	if r == nil || r.Status != 404 {
		t.Errorf("reply is %+v", r)
	}
}

func TestNewRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"no url":         {func(c *Config) { c.Endpoint.URL = "" }, "scheme"},
		"ftp":            {func(c *Config) { c.Endpoint.URL = "ftp://x" }, `got "ftp"`},
		"no host":        {func(c *Config) { c.Endpoint.URL = "http:///v1" }, "names no host"},
		"password":       {func(c *Config) { c.Endpoint.URL = "http://u:p@x" }, "endpoint.headers"},
		"port":           {func(c *Config) { c.Endpoint.URL = "http://x:70000" }, "70000"},
		"type":           {func(c *Config) { c.Endpoint.Type = "grpc" }, "openai"},
		"api":            {func(c *Config) { c.Endpoint.API = "responses" }, "chat, completions"},
		"header name":    {func(c *Config) { c.Endpoint.Headers = workload.Headers{"a b": "x"} }, `"a b"`},
		"header value":   {func(c *Config) { c.Endpoint.Headers = workload.Headers{"A": "x\r\nB: y"} }, "control character"},
		"header twice":   {func(c *Config) { c.Endpoint.Headers = workload.Headers{"X-A": "1", "x-a": "2"} }, "twice"},
		"framing header": {func(c *Config) { c.Endpoint.Headers = workload.Headers{"content-length": "1"} }, "set by stampede itself"},
		"timeout":        {func(c *Config) { c.Timeout = -1 }, "negative"},
		"extra body":     {func(c *Config) { c.Sampling.ExtraBody = workload.ExtraBody{"f": func() {}} }, "extra_body.f"},
	} {
		cfg := configFor("http://127.0.0.1:1/v1")
		tt.change(&cfg)
		cl, err := New(cfg)
		if err == nil {
			cl.Close()
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q in it", name, err, tt.want)
		}
	}
}
