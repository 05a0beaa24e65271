package guard

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// serve runs a server with this package's limits on loopback.
func serve(t *testing.T, cfg Config, h http.Handler) string {
	t.Helper()
	g, err := New(cfg, h)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(nil)
	s.Config = Server(g)
	s.Start()
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// talk sends bytes on a connection and returns the first answer, which the server
// must give, or end the connection, within a few seconds.
func talk(t *testing.T, addr, text string) (status int, body string, closed bool) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0, err.Error(), true
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(b), resp.Close
}

func TestLargeBodies(t *testing.T) {
	addr := serve(t, Config{MaxBody: 1000}, echo)
	head := func(length string) string {
		return "POST / HTTP/1.1\r\nHost: localhost\r\n" + length + "\r\n\r\n"
	}
	for name, tt := range map[string]struct {
		text string
		want int
	}{
		"fits":                 {head("Content-Length: 1000") + strings.Repeat("x", 1000), 200},
		"says that it is more": {head("Content-Length: 1001"), 413},
		"is more in chunks":    {head("Transfer-Encoding: chunked") + "3e9\r\n" + strings.Repeat("x", 1001) + "\r\n0\r\n\r\n", 413},
		"fits in chunks":       {head("Transfer-Encoding: chunked") + "3\r\nabc\r\n0\r\n\r\n", 200},
		"is no chunk":          {head("Transfer-Encoding: chunked") + "zz\r\n", 400},
	} {
		if got, body, _ := talk(t, addr, tt.text); got != tt.want {
			t.Errorf("%s: %d %s, want %d", name, got, body, tt.want)
		}
	}
}

func TestSlowBodiesAreCut(t *testing.T) {
	addr := serve(t, Config{BodyTimeout: 50 * time.Millisecond}, echo)
	got, body, closed := talk(t, addr, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nx")
	if got != http.StatusRequestTimeout || !closed {
		t.Errorf("%d %s, closed %v; want 408 and the connection closed", got, body, closed)
	}
}

func TestRefusedBodiesDoNotHoldTheConnection(t *testing.T) {
	addr := serve(t, Config{BodyTimeout: 50 * time.Millisecond}, echo)
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 1000\r\n\r\nx")
	if answer, err := io.ReadAll(conn); err != nil || !strings.Contains(string(answer), "403") {
		t.Errorf("%q, %v: want 403 and the end of the connection", answer, err)
	}
}

// A stream may take as long as it likes, if its pieces come.
func TestStreamedBodies(t *testing.T) {
	cfg := Config{MaxBody: 10, BodyTimeout: 300 * time.Millisecond, Stream: func(*http.Request) bool { return true }}
	addr := serve(t, cfg, echo)
	r, w := io.Pipe()
	go func() {
		for range 40 {
			_, _ = io.WriteString(w, "0123456789")
			time.Sleep(10 * time.Millisecond)
		}
		_ = w.Close()
	}()
	resp, err := http.Post("http://"+addr, "text/plain", r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); err != nil || len(b) != 400 {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	got, body, _ := talk(t, addr, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nx")
	if got != http.StatusTeapot {
		t.Errorf("a stream that stalls: %d %s", got, body)
	}
}

func TestLargeHeaders(t *testing.T) {
	addr := serve(t, Config{}, echo)
	got, _, _ := talk(t, addr, "GET / HTTP/1.1\r\nHost: localhost\r\nX: "+strings.Repeat("x", 100<<10)+"\r\n\r\n")
	if got != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("%d, want 431", got)
	}
}

// An answer that nobody takes ends with its deadline, not with the handler's
// patience.
func TestSlowReadersAreCut(t *testing.T) {
	ended := make(chan error, 1)
	endless := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		piece := make([]byte, 1<<20)
		for {
			if _, err := w.Write(piece); err != nil {
				ended <- err
				return
			}
		}
	})
	addr := serve(t, Config{WriteTimeout: 50 * time.Millisecond}, endless)
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Error("the handler still writes")
	}
}

// A deadline on one request must not end the next on the same connection, nor a
// long answer without a body to read.
func TestDeadlinesEndWithTheirRequest(t *testing.T) {
	cfg := Config{BodyTimeout: 100 * time.Millisecond, WriteTimeout: 100 * time.Millisecond}
	slow := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-r.Context().Done():
			http.Error(w, "cancelled", http.StatusTeapot)
		case <-time.After(300 * time.Millisecond):
			_, _ = io.WriteString(w, "done")
		}
	})
	addr := serve(t, cfg, slow)
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}}
	for range 3 {
		resp, err := client.Post("http://"+addr, "text/plain", strings.NewReader("body"))
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || string(b) != "done" {
			t.Errorf("%q, %v", b, err)
		}
		time.Sleep(200 * time.Millisecond)
	}
}
