package simulate

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"strings"
	"testing"
	"time"
)

func TestHeadRefusals(t *testing.T) {
	const ok = "POST /v1/x?y=z HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n"
	var h head
	if err := h.parse(ok); err != nil {
		t.Fatal(err)
	}
	if f, err := h.framing(100); err != nil || h.path != "/v1/x" || h.method != "POST" || f.length != 3 || !f.keepAlive || h.get("hOsT") != "a" {
		t.Errorf("%+v, %+v, %v", h, f, err)
	}
	for name, text := range map[string]string{
		"no version":           "GET /\r\nHost: a\r\n\r\n",
		"HTTP/2":               "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
		"bad method":           "G(T / HTTP/1.1\r\nHost: a\r\n\r\n",
		"no path":              "GET  HTTP/1.1\r\nHost: a\r\n\r\n",
		"relative path":        "GET a HTTP/1.1\r\nHost: a\r\n\r\n",
		"control in path":      "GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n",
		"no host":              "GET / HTTP/1.1\r\n\r\n",
		"two hosts":            "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
		"folded":               "GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n",
		"space before colon":   "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
		"no colon":             "GET / HTTP/1.1\r\nHost\r\n\r\n",
		"bare line feed":       "GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n",
		"null in value":        "GET / HTTP/1.1\r\nHost: a\x00\r\n\r\n",
		"two lengths":          strings.Replace(ok, "\r\n\r\n", "\r\nContent-Length: 3\r\n\r\n", 1),
		"length and chunked":   strings.Replace(ok, "\r\n\r\n", "\r\nTransfer-Encoding: chunked\r\n\r\n", 1),
		"signed length":        strings.Replace(ok, ": 3", ": +3", 1),
		"list of lengths":      strings.Replace(ok, ": 3", ": 3, 3", 1),
		"empty length":         strings.Replace(ok, ": 3", ":", 1),
		"too long":             strings.Replace(ok, ": 3", ": 101", 1),
		"other encoding":       strings.Replace(ok, "Content-Length: 3", "Transfer-Encoding: gzip, chunked", 1),
		"twice chunked":        strings.Replace(ok, "Content-Length: 3", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", 1),
		"chunked in 1.0":       "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n",
		"too many fields":      "GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("A: b\r\n", maxFields) + "\r\n",
		"something behind it":  "GET / HTTP/1.1\r\nHost: a\r\n\r\nmore",
		"no end":               "GET / HTTP/1.1\r\nHost: a\r\n",
		"nothing":              "",
		"a TLS greeting":       "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
		"leading empty line":   "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
		"two spaces":           "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
		"trailing words":       "GET / HTTP/1.1 x\r\nHost: a\r\n\r\n",
		"lower-case version":   "GET / http/1.1\r\nHost: a\r\n\r\n",
		"a colon at the start": "GET / HTTP/1.1\r\n: a\r\nHost: a\r\n\r\n",
	} {
		var h head
		err := h.parse(text)
		if err == nil {
			_, err = h.framing(100)
		}
		if err == nil {
			t.Errorf("%s is accepted: %+v", name, h)
		}
	}
}

// FuzzRequest holds our parser against net/http's: what both accept they must
// understand alike, or one connection could mean two things.
func FuzzRequest(f *testing.F) {
	f.Add([]byte("POST /v1/x?y HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"))
	f.Add([]byte("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nT: u\r\n\r\n"))
	f.Add([]byte("GET http://b/c HTTP/1.0\r\nConnection: close\r\n\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		head, body, ok := bytes.Cut(data, []byte("\r\n\r\n"))
		if !ok {
			return
		}
		ours, rest, err := parseAll(string(head)+"\r\n\r\n", body)
		if err != nil {
			return
		}
		r := bufio.NewReader(bytes.NewReader(data))
		theirs, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		if theirs.Method != ours.method || theirs.ProtoMinor != ours.minor || theirs.Close == ours.keepAlive && ours.minor == 1 {
			t.Errorf("ours %+v, theirs %+v", ours, theirs)
		}
		theirBody, err := io.ReadAll(theirs.Body)
		if err != nil {
			return
		}
		if !bytes.Equal(theirBody, ours.body) {
			t.Errorf("our body %q, theirs %q", ours.body, theirBody)
		}
		// Trailers are read lazily there, so only without them is the rest the same.
		if theirRest, _ := io.ReadAll(r); !ours.chunked && !bytes.Equal(theirRest, rest) {
			t.Errorf("our rest %q, theirs %q", rest, theirRest)
		}
	})
}

// parseAll is what a connection does with bytes that are all there.
func parseAll(text string, body []byte) (request, []byte, error) {
	var h head
	req := request{head: &h}
	if err := h.parse(text); err != nil {
		return req, nil, err
	}
	var err error
	if req.framing, err = h.framing(1 << 20); err != nil {
		return req, nil, err
	}
	if !req.chunked {
		if len(body) < req.length {
			return req, nil, io.ErrUnexpectedEOF
		}
		req.body = body[:req.length]
		return req, body[req.length:], nil
	}
	var d chunked
	n, err := d.feed(body, 1<<20)
	if err == nil && d.state != chunkDone {
		err = io.ErrUnexpectedEOF
	}
	req.body = d.body
	return req, body[n:], err
}

// FuzzChunked cuts a body in chunks anywhere, and holds the result against
// net/http's reader.
func FuzzChunked(f *testing.F) {
	f.Add([]byte("3\r\nabc\r\n0\r\n\r\n"), uint8(1))
	f.Add([]byte("A;q=\"x\"\r\n0123456789\r\n00\r\nX: y\r\n\r\n"), uint8(3))
	f.Fuzz(func(t *testing.T, data []byte, step uint8) {
		var d chunked
		var err error
		for from, to := 0, 0; to < len(data) && err == nil && d.state != chunkDone; {
			to = min(len(data), to+int(step)+1)
			var n int
			n, err = d.feed(data[from:to], 1<<20)
			from += n
		}
		if err != nil || d.state != chunkDone {
			return
		}
		theirs, err := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(data)))
		if err == nil && !bytes.Equal(theirs, d.body) {
			t.Errorf("ours %q, theirs %q", d.body, theirs)
		}
	})
}

// dial sends raw bytes and returns the connection's reader.
func dial(t *testing.T, s *Server, parts ...string) (net.Conn, *bufio.Reader) {
	t.Helper()
	nc, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	for _, p := range parts {
		if _, err := io.WriteString(nc, p); err != nil {
			t.Fatal(err)
		}
	}
	return nc, bufio.NewReader(nc)
}

func TestPipelinedRequests(t *testing.T) {
	s := start(t, Config{TTFT: "2ms", ITL: "1ms"})
	post := func(id string) string {
		body := chatBody(3)
		return fmt.Sprintf("POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nX-Request-Id: %s\r\nContent-Length: %d\r\n\r\n%s", id, len(body), body)
	}
	_, r := dial(t, s, post("p1")+"GET /health HTTP/1.1\r\nHost: a\r\n\r\n"+post("p2"))
	for i, want := range []string{"p1", "", "p2"} {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatalf("answer %d: %v", i, err)
		}
		b, err := io.ReadAll(resp.Body)
		if err != nil || !strings.Contains(string(b), want) {
			t.Errorf("answer %d: %s, %v", i, b, err)
		}
	}
	if a, b := recordOf(t, s, "p1"), recordOf(t, s, "p2"); a.Sequence != 1 || b.Sequence != 3 || b.Connection != a.Connection {
		t.Errorf("%+v %+v", a, b)
	}
}

// A request that does not come is answered so and its connection closed; one that
// has not begun, and the next after a slow one, have time.
func TestSlowRequestsAreCut(t *testing.T) {
	s := start(t, Config{RequestTimeout: 100 * time.Millisecond})
	for name, part := range map[string]string{
		"a header": "GET /health HT", "a body": "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{",
		"no byte of a body": "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n",
		"a chunk":           "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
	} {
		_, r := dial(t, s, part)
		resp, err := http.ReadResponse(r, nil)
		if err != nil || resp.StatusCode != http.StatusRequestTimeout {
			t.Errorf("%s: %v, %v", name, resp, err)
			continue
		}
		if _, err := io.ReadAll(r); err != nil {
			t.Errorf("%s: the connection did not end: %v", name, err)
		}
	}
	nc, r := dial(t, s, "GET /health HTTP/1.1\r\nHos")
	for range 2 {
		time.Sleep(20 * time.Millisecond)
		fmt.Fprint(nc, "t: a\r\n\r\n")
		if resp, err := http.ReadResponse(r, nil); err != nil || resp.StatusCode != http.StatusOK {
			t.Fatalf("%v, %v", resp, err)
		} else if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Fatal(err)
		}
		time.Sleep(200 * time.Millisecond)
		fmt.Fprint(nc, "GET /health HTTP/1.1\r\nHos")
	}
}

func TestOddButLawfulRequests(t *testing.T) {
	s := start(t, Config{})
	body := chatBody(2)
	for name, parts := range map[string][]string{
		"in pieces":    {"POST /v1/chat/comple", "tions HTTP/1.1\r\nHost: a\r", "\nContent-Length: ", fmt.Sprint(len(body)), "\r\n\r", "\n", body[:10], body[10:]},
		"chunked":      {"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n", body[:5], fmt.Sprintf("\r\n%x\r\n%s\r\n0\r\n\r\n", len(body)-5, body[5:])},
		"absolute":     {"POST http://a/v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: ", fmt.Sprint(len(body)), "\r\n\r\n", body},
		"HTTP/1.0":     {"POST /v1/chat/completions HTTP/1.0\r\nContent-Length: ", fmt.Sprint(len(body)), "\r\n\r\n", body},
		"close":        {"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nConnection: x, Close\r\nContent-Length: ", fmt.Sprint(len(body)), "\r\n\r\n", body},
		"long header":  {"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nX-Long: ", strings.Repeat("x", 50_000), "\r\nContent-Length: ", fmt.Sprint(len(body)), "\r\n\r\n", body},
		"long body":    {"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: ", fmt.Sprint(len(body) + 300_000), "\r\n\r\n", body, strings.Repeat(" ", 300_000)},
		"empty header": {"POST /v1/chat/completions HTTP/1.1\r\nHost:\r\nContent-Length: ", fmt.Sprint(len(body)), "\r\n\r\n", body},
	} {
		t.Run(name, func(t *testing.T) {
			_, r := dial(t, s, parts...)
			resp, err := http.ReadResponse(r, nil)
			if err != nil {
				t.Fatal(err)
			}
			var got result
			got.readEvents(resp.Body)
			if resp.StatusCode != 200 || got.tokens != 2 || !got.done || got.err != nil {
				t.Errorf("%d, %+v", resp.StatusCode, got)
			}
			if closes := name == "HTTP/1.0" || name == "close"; closes != resp.Close {
				t.Errorf("close is %v", resp.Close)
			}
		})
	}
}

func TestExpectContinue(t *testing.T) {
	s := start(t, Config{})
	body := chatBody(1)
	nc, r := dial(t, s, fmt.Sprintf("POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n", len(body)))
	if line, err := r.ReadString('\n'); err != nil || line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("%q, %v", line, err)
	}
	if _, err := io.WriteString(nc, body); err != nil {
		t.Fatal(err)
	}
	_, _ = r.ReadString('\n')
	if resp, err := http.ReadResponse(r, nil); err != nil || resp.StatusCode != 200 {
		t.Errorf("%+v, %v", resp, err)
	}
}

func TestNotRequests(t *testing.T) {
	s := start(t, Config{MaxHeaderBytes: 1000})
	for text, status := range map[string]int{
		"hello\r\n\r\n": 400, "GET / HTTP/3.0\r\n\r\n": 505, "GET / HTTP/1.1\r\nX: " + strings.Repeat("y", 2000): 431,
		"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n": 400,
	} {
		_, r := dial(t, s, text)
		resp, err := http.ReadResponse(r, nil)
		if err != nil || resp.StatusCode != status || !resp.Close {
			t.Errorf("%.20q: %+v, %v", text, resp, err)
		}
	}
	waitFor(t, "all counted", func() bool { return s.Summary().BadRequests == 4 })
}
