package target

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/internal/secret"
	"github.com/stampede-bench/stampede/measure"
	"github.com/stampede-bench/stampede/workload"
)

func wantKind(t testing.TB, err error, kind, text string) *Error {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("got error %v, want kind %s", err, kind)
	}
	if e.Kind != kind || !strings.Contains(e.Message, text) {
		t.Errorf("got %s: %q, want kind %s and %q in it", e.Kind, e.Message, kind, text)
	}
	return e
}

// plain is a reply with a length.
func plain(status, contentType, body string) string {
	return fmt.Sprintf("HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", status, contentType, len(body), body)
}

// reset ends a connection with a reset instead of an orderly close.
func reset(c *net.TCPConn) {
	_ = c.SetLinger(0)
	_ = c.Close()
}

// TestMisbehaviour goes through the ways for an endpoint to misbehave, each with
// a kind of its own.
func TestMisbehaviour(t *testing.T) {
	reply := func(pieces ...string) func(*net.TCPConn) {
		return func(c *net.TCPConn) { say(c, pieces...) }
	}
	rst := func(pieces ...string) func(*net.TCPConn) {
		return func(c *net.TCPConn) {
			say(c, pieces...)
			time.Sleep(20 * time.Millisecond)
			reset(c)
		}
	}
	hang := func(pieces ...string) func(*net.TCPConn) {
		return func(c *net.TCPConn) {
			say(c, pieces...)
			_, _ = c.Read(make([]byte, 1))
		}
	}
	for _, tt := range []struct {
		name   string
		do     func(c *net.TCPConn)
		kind   string
		text   string
		status int
		chunks int
	}{
		{"401", reply(plain("401 Unauthorized", "application/json", `{"error":{"message":"Incorrect API key"}}`)), "http_401", "HTTP 401: Incorrect API key", 401, 0},
		{"404", reply(plain("404 Not Found", "application/json", `{"object":"error","message":"The model `+"`m`"+` does not exist"}`)), "http_404", "The model `m` does not exist", 404, 0},
		{"404 of FastAPI", reply(plain("404 Not Found", "application/json", `{"detail":"Not Found"}`)), "http_404", "Not Found", 404, 0},
		{"429", reply(plain("429 Too Many Requests", "text/plain", "slow\x00 down\n")), "http_429", "HTTP 429: slow. down", 429, 0},
		{"500 without a body", reply("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"), "http_500", "HTTP 500", 500, 0},
		{"503 cut short", reply("HTTP/1.1 503 Busy\r\nContent-Length: 100\r\n\r\nbusy"), "http_503", "busy", 503, 0},
		{"redirect", reply("HTTP/1.1 307 Temporary Redirect\r\nLocation: http://other/\r\nContent-Length: 0\r\n\r\n"), KindRedirect, "http://other/", 307, 0},
		{"closed at once", reply(), KindClosed, "before any answer", 0, 0},
		{"reset at once", rst(), KindReset, "reset", 0, 0},
		{"reset in the stream", rst(streamHead, chunk(token("x"))), KindReset, "reset", 200, 1},
		{"truncated headers", reply("HTTP/1.1 200 OK\r\nContent-"), KindTruncated, "", 0, 0},
		{"truncated stream", reply(streamHead, chunk(token("x"))), KindTruncated, "", 200, 1},
		{"truncated chunk", reply(streamHead, chunk(token("x")), "50\r\ndata: {"), KindTruncated, "", 200, 1},
		{"ends without an end mark", reply(streamHead, chunk(token("x")), chunk("")), KindTruncated, "without a finish reason", 200, 1},
		{"ends without an end mark, until close", reply("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n", token("x")), KindTruncated, "", 200, 1},
		{"ends inside an event", reply(streamHead, chunk(token("x")), chunk("data: {\"choi"), chunk("")), KindTruncated, "inside an event", 200, 1},
		{"ends inside an event, until close", reply("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n", token("x"), "data: {\"choi"), KindTruncated, "inside an event", 200, 1},
		{"no HTTP", reply("SSH-2.0-OpenSSH_9.2\r\n"), KindMalformed, "not an HTTP reply", 0, 0},
		{"broken chunk", reply(streamHead, "zz\r\n"), KindMalformed, "chunk size", 200, 0},
		{"gzip unasked", reply("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc"), KindMalformed, "gzip", 200, 0},
		{"header flood", reply("HTTP/1.1 200 OK\r\n", strings.Repeat("X-Fill: "+strings.Repeat("x", 1000)+"\r\n", 300)), KindHeaders, "256 KiB", 0, 0},
		{"malformed event", reply(streamHead, chunk(token("x")), chunk("data: {\"choices\":[\n\n"), chunk("")), KindEvent, "invalid JSON", 200, 1},
		{"event too large", reply(streamHead, chunk("data: "+strings.Repeat("x", 17<<20))), KindTooLarge, "16 MiB", 200, 0},
		{"error event", reply(streamHead, chunk(token("x")), chunk("data: {\"error\":{\"message\":\"out of memory\"}}\n\n"), chunk(doneMark), chunk("")), KindErrorEvent, "out of memory", 200, 1},
		{"error event by name", reply(streamHead, chunk("event: error\ndata: oops\n\n"), chunk("")), KindErrorEvent, "oops", 200, 0},
		{"HTML", reply(plain("200 OK", "text/html; charset=utf-8", "<html>Log in, please</html>")), KindHTML, "Log in, please", 200, 0},
		{"HTML as a stream", reply(streamHead, chunk("\n<!DOCTYPE html>"), chunk("<p>hi"), chunk("")), KindHTML, "DOCTYPE", 200, 0},
		{"no token", reply(streamHead, chunk(roleOnly), chunk(finish), chunk(usage), chunk(doneMark), chunk("")), KindEmpty, "", 200, 0},
		{"no body", reply("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), KindEmpty, "", 200, 0},
		{"whole instead of a stream", reply(plain("200 OK", "application/json", `{"choices":[{"message":{"content":"hi"}}]}`)), KindNoStream, "application/json", 200, 0},
		{"error in a 200", reply(plain("200 OK", "application/json", `{"error":{"message":"boo"}}`)), KindErrorEvent, "boo", 200, 0},
		{"slow headers", hang(), KindTimeoutHeaders, "no headers within", 0, 0},
		{"slow first token", hang(streamHead, chunk(roleOnly)), KindTimeoutFirstToken, "no token within", 200, 0},
		{"stalled", hang(streamHead, chunk(token("x"))), KindTimeoutStream, "", 200, 1},
		{"101", reply("HTTP/1.1 101 Switching Protocols\r\n\r\n"), KindMalformed, "switched", 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			transports(t, func(t *testing.T, cfg func(string) Config) {
				s := serveRaw(t, func(_ int, c *net.TCPConn, r *bufio.Reader) {
					if readRequest(r) != nil {
						tt.do(c)
					}
				})
				conf := cfg(s.url())
				if strings.HasPrefix(tt.kind, "timeout") {
					conf.Timeout = 150 * time.Millisecond
				}
				x, err := ask(t, newClient(t, conf))
				wantKind(t, err, tt.kind, tt.text)
				want := measure.Failed
				if strings.HasPrefix(tt.kind, "timeout") {
					want = measure.TimedOut
				}
				if x.Status != want || int(x.HTTPStatus) != tt.status || len(x.Chunks) != tt.chunks {
					t.Errorf("got status %v, HTTP %d, %d chunks; want %v, %d, %d", x.Status, x.HTTPStatus, len(x.Chunks), want, tt.status, tt.chunks)
				}
				if x.End == measure.Absent || x.Sent == measure.Absent || x.End < x.Sent {
					t.Errorf("sent at %d, ended at %d", x.Sent, x.End)
				}
			})
		})
	}
}

func TestDialErrors(t *testing.T) {
	transports(t, func(t *testing.T, cfg func(string) Config) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		gone := "http://" + l.Addr().String()
		_ = l.Close()
		x, err := ask(t, newClient(t, cfg(gone)))
		wantKind(t, err, KindRefused, "connection refused")
		if x.Sent != measure.Absent || x.Status != measure.Failed {
			t.Errorf("sent at %d, status %v", x.Sent, x.Status)
		}

		_, err = ask(t, newClient(t, cfg("http://no-such-host.invalid/v1")))
		var e *Error
		if !errors.As(err, &e) || e.Kind != KindDNS && e.Kind != KindTimeoutConnect {
			t.Errorf("an unknown host gives %v", err)
		}

		for _, host := range []string{"169.254.169.254", "[fd00:ec2::254]", "[::ffff:169.254.169.254]", "[64:ff9b::a9fe:a9fe]"} {
			_, err = ask(t, newClient(t, cfg("http://"+host+"/v1")))
			wantKind(t, err, KindForbidden, "metadata address")
		}
		conf := cfg(gone)
		conf.AllowAddr = func(host string, addr netip.AddrPort) error {
			return fmt.Errorf("%s (%s) is not allowed here", host, addr)
		}
		_, err = ask(t, newClient(t, conf))
		wantKind(t, err, KindForbidden, "is not allowed here")
	})
}

// TestDialTimeout dials a listener whose queue is full.
func TestDialTimeout(t *testing.T) {
	transports(t, func(t *testing.T, cfg func(string) Config) {
		conf := cfg("http://192.0.2.1:9/") // TEST-NET-1: nobody answers, or there is no way
		conf.Timeout = 100 * time.Millisecond
		x, err := ask(t, newClient(t, conf))
		var e *Error
		if !errors.As(err, &e) || e.Kind != KindTimeoutConnect && e.Kind != KindConnect && e.Kind != KindRefused {
			t.Fatalf("got %v", err)
		}
		if e.Kind == KindTimeoutConnect && x.Status != measure.TimedOut {
			t.Errorf("status is %v", x.Status)
		}
	})
}

// TestSecretsRemoved has an endpoint repeat what it was told.
func TestSecretsRemoved(t *testing.T) {
	s := serveRaw(t, func(_ int, c *net.TCPConn, r *bufio.Reader) {
		if req := readRequest(r); req != nil {
			say(c, plain("403 Forbidden", "text/plain", strings.Repeat("x ", 120)+
				req.Header.Get("Authorization")+" "+req.Header.Get("X-Team")))
		}
	})
	cfg := configFor(s.url())
	cfg.Endpoint.APIKey = secret.New("sk-very-secret-0123456789")
	cfg.Endpoint.Headers = workload.Headers{"X-Team": "team-secret-\"42\""}
	_, err := ask(t, newClient(t, cfg))
	e := wantKind(t, err, "http_403", "Bearer ***")
	if strings.Contains(e.Message, "secret") || len(e.Message) > messageBytes+len("…") {
		t.Errorf("message is %q", e.Message)
	}
}
