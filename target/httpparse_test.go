package target

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

// parsed is what a response parser made of some bytes.
type parsed struct {
	status int
	header string // what is kept of the headers
	body   string
	close  bool
	rest   int // bytes behind the response; not for close-delimited ones
	err    error
}

// parseOurs feeds data in pieces of n bytes.
func parseOurs(data []byte, n int) (p parsed) {
	var r response
	r.reset(false)
	var body bytes.Buffer
	at := 0
	for at < len(data) && !r.done() {
		piece := bytes.Clone(data[at:min(at+n, len(data))])
		m, b, err := r.feed(piece)
		if err != nil {
			return parsed{err: err}
		}
		body.Write(b)
		at += m
		clear(piece) // whoever keeps a slice of it is found out
	}
	if !r.done() {
		if err := r.eof(); err != nil {
			return parsed{err: err}
		}
	}
	return parsed{r.status, r.contentType, body.String(), !r.keepAlive, len(data) - at, nil}
}

// parseTheirs does the same by net/http.
func parseTheirs(data []byte) (p parsed) {
	br := bufio.NewReaderSize(bytes.NewReader(data), max(16, len(data)))
	req := &http.Request{Method: "POST"}
	resp, err := http.ReadResponse(br, req)
	for err == nil && resp.StatusCode/100 == 1 && resp.StatusCode != 101 {
		resp, err = http.ReadResponse(br, req)
	}
	if err != nil {
		return parsed{err: err}
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return parsed{err: err}
	}
	var contentType string
	if all := resp.Header["Content-Type"]; len(all) > 0 {
		contentType = all[len(all)-1]
	}
	return parsed{resp.StatusCode, contentType, string(body), resp.Close, br.Buffered(), nil}
}

// stricter reports whether data holds something that net/http lets pass and this
// parser refuses on purpose:
//   - header lines folded over several lines (RFC 9112, 5.2, lets us refuse them);
//   - versions other than HTTP/1.x, status codes below 100, and 101;
//   - more than 16 interim replies, chunk sizes of 16 digits, lines over 64 KiB;
//   - Transfer-Encoding beside a malformed Content-Length in HTTP/1.0;
//   - trailer lines that end without CR;
//   - spaces before a header's colon or inside its name.
func stricter(data []byte, err error) bool {
	text := err.Error()
	if strings.Contains(text, "HTTP version") || strings.Contains(text, "status code") ||
		strings.Contains(text, "interim") || strings.Contains(text, "switched") || strings.Contains(text, "header name") ||
		strings.Contains(text, "without CR") {
		return true
	}
	head, _, _ := bytes.Cut(data, []byte("\n\n"))
	folded := bytes.Contains(head, []byte("\n ")) || bytes.Contains(head, []byte("\n\t"))
	return folded
}

func compareResponses(t *testing.T, data []byte, n int) {
	t.Helper()
	ours, theirs := parseOurs(data, n), parseTheirs(data)
	if ours.err != nil && theirs.err == nil {
		if !stricter(data, ours.err) {
			t.Errorf("refused (%v) what net/http takes: %q\ntheirs: %+v", ours.err, data, theirs)
		}
		return
	}
	if ours.err == nil && theirs.err != nil {
		t.Errorf("took what net/http refuses (%v): %q\nours: %+v", theirs.err, data, ours)
		return
	}
	if ours.err != nil {
		return
	}
	if ours != theirs {
		t.Errorf("%q\nours:   %+v\ntheirs: %+v", data, ours, theirs)
	}
}

var responses = []string{
	"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Type: text/plain\r\n\r\nhello",
	"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel",
	"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\n\r\n",
	"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
	"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
	"HTTP/1.1 204 No Content\r\n\r\n",
	"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
	"HTTP/1.1 200 OK\r\n\r\nuntil close",
	"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
	"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
	"HTTP/1.1 200 OK\r\nConnection: foo, Close\r\nContent-Length: 2\r\n\r\nok",
	"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
	"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 1\r\n\r\n!",
	"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nxyz",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6; ext=\"a b\"\r\n world\r\n0\r\n\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n1\r\na\r\n0\r\nX-Sum: 1\r\n\r\nmore",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello!\r\n0\r\n\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n1\r\na\r\n0\r\n\r\n",
	"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok",
	"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
	"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
	"HTTP/1.1 200 OK\r\nNo colon\r\n\r\n",
	"HTTP/1.1 200 OK\r\n: empty name\r\n\r\n",
	"HTTP/1.1 200 OK\r\nBad Name: x\r\n\r\n",
	"HTTP/1.1 200 OK\r\nName : x\r\n\r\n",
	"HTTP/1.1 200 OK\r\nX: a\x00b\r\n\r\n",
	"HTTP/1.1 200 OK\r\nX: a\r\n folded\r\nContent-Length: 0\r\n\r\n",
	"HTTP/2.0 200 OK\r\n\r\n",
	"HTTP/1.1 20 OK\r\n\r\n",
	"HTTP/1.1 2000 OK\r\n\r\n",
	"HTTP/1.1  200 OK\r\nContent-Length: 0\r\n\r\n",
	"ICY 200 OK\r\n\r\n",
	"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\n", // found by fuzzing
	"<html>", "", "HTTP/1.1", "HTTP/1.1 200 OK\r\n",
}

// FuzzResponse holds the parser against net/http.ReadResponse on the same bytes,
// whole and in pieces: the same status, content type, body, keep-alive and bytes
// left over, or both refuse. Where it differs on purpose: see stricter.
func FuzzResponse(f *testing.F) {
	for i, s := range responses {
		f.Add([]byte(s), uint8(i))
	}
	f.Fuzz(func(t *testing.T, data []byte, piece uint8) {
		compareResponses(t, data, len(data)+1)
		compareResponses(t, data, int(piece)%17+1)
	})
}

func TestResponseByteByByte(t *testing.T) {
	for _, s := range responses {
		compareResponses(t, []byte(s), 1)
	}
}

func TestHeaderLimits(t *testing.T) {
	line := "X-Fill: " + strings.Repeat("x", 1000) + "\r\n"
	for name, data := range map[string]string{
		"many headers":     "HTTP/1.1 200 OK\r\n" + strings.Repeat(line, 300) + "\r\n",
		"a long header":    "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 70<<10) + "\r\n\r\n",
		"an endless line":  strings.Repeat("x", 70<<10),
		"endless trailers": streamHead + "0\r\n" + strings.Repeat(line, 300),
	} {
		for _, n := range []int{1, 1000, 1 << 20} {
			if p := parseOurs([]byte(data), n); !errors.Is(p.err, errHeaderLimit) {
				t.Errorf("%s in pieces of %d: got %v, want %v", name, n, p.err, errHeaderLimit)
			}
		}
	}
}

func TestChunkLimits(t *testing.T) {
	for name, data := range map[string]string{
		"a long extension":        streamHead + "1;" + strings.Repeat("x", 5000) + "\r\na\r\n",
		"extensions without data": streamHead + strings.Repeat("1;"+strings.Repeat("x", 1000)+"\r\na\r\n", 40),
		"a size that overflows":   streamHead + "fffffffffffffffff\r\n",
	} {
		if p := parseOurs([]byte(data), 1<<20); p.err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}
