package target

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/measure"
	"github.com/stampede-bench/stampede/workload"
	"github.com/stampede-bench/stampede/workload/dataset"
)

// rawServer is a TCP server on loopback whose handler gets the bare connection.
type rawServer struct {
	net.Listener
	wg sync.WaitGroup
	mu sync.Mutex
	n  int // connections accepted
	on map[net.Conn]bool
}

func serveRaw(t testing.TB, handle func(n int, c *net.TCPConn, r *bufio.Reader)) *rawServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &rawServer{Listener: l, on: map[net.Conn]bool{}}
	s.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			n := s.n
			s.n++
			s.on[c] = true
			s.mu.Unlock()
			s.wg.Go(func() {
				defer c.Close()
				handle(n, c.(*net.TCPConn), bufio.NewReader(c))
			})
		}
	})
	t.Cleanup(s.stop)
	return s
}

func (s *rawServer) stop() {
	_ = s.Close()
	s.mu.Lock()
	for c := range s.on {
		_ = c.Close()
	}
	s.mu.Unlock()
	s.wg.Wait()
}

func (s *rawServer) accepted() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.n
}

func (s *rawServer) url() string { return "http://" + s.Addr().String() + "/v1" }

// readRequest reads one whole request; nil at the end of the connection.
func readRequest(r *bufio.Reader) *http.Request {
	req, err := http.ReadRequest(r)
	if err != nil {
		return nil
	}
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil
	}
	req.Body = io.NopCloser(strings.NewReader(string(body)))
	return req
}

// say writes pieces one after another, each in a write of its own.
func say(c net.Conn, pieces ...string) {
	for _, p := range pieces {
		if _, err := io.WriteString(c, p); err != nil {
			return
		}
	}
}

const streamHead = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"

// chunk frames s as one HTTP chunk; chunk("") ends the body.
func chunk(s string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(s), s) }

func token(s string) string {
	return fmt.Sprintf("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":%q}}]}\n\n", s)
}

const (
	roleOnly = "data: {\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":null},\"finish_reason\":null}],\"usage\":null}\n\n"
	finish   = "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
	usage    = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":17,\"completion_tokens\":3,\"prompt_tokens_details\":{\"cached_tokens\":13}}}\n\n"
	doneMark = "data: [DONE]\n\n"
)

// answer is a well-behaved stream of three tokens.
func answer() string {
	return streamHead + chunk(roleOnly) + chunk(token("Hello")) + chunk(token(", ")) + chunk(token("world")) +
		chunk(finish) + chunk(usage) + chunk(doneMark) + chunk("")
}

// serveStreams answers every request on every connection with what answer gives.
func serveStreams(t testing.TB, answer func() string) *rawServer {
	return serveRaw(t, func(_ int, c *net.TCPConn, r *bufio.Reader) {
		for readRequest(r) != nil {
			say(c, answer())
		}
	})
}

func configFor(url string) Config {
	return Config{Endpoint: workload.Endpoint{URL: url, Model: "m"}, Timeout: 10 * time.Second}
}

func newClient(t testing.TB, cfg Config) *Client {
	t.Helper()
	cl, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

func hello() Input {
	return Input{ID: "run.1-0", Messages: []dataset.Message{{Role: "user", Content: "Say hello"}}, KeepAnswer: true}
}

// ask sends one request and fails the test when it does not come back in time.
func ask(t testing.TB, cl *Client) (*measure.Exchange, error) {
	t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), 20*time.Second)
	defer stop()
	x, err := cl.Do(ctx, hello())
	if ctx.Err() != nil {
		t.Fatal("the request hung")
	}
	return x, err
}

// transports runs a test over every way there is to read replies here.
func transports(t *testing.T, test func(t *testing.T, cfg func(url string) Config)) {
	for _, portable := range []bool{false, true} {
		name := "own"
		if portable {
			name = "portable"
		}
		t.Run(name, func(t *testing.T) {
			test(t, func(url string) Config {
				cfg := configFor(url)
				cfg.portable = portable
				return cfg
			})
		})
	}
}
