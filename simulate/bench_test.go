package simulate

import (
	"bytes"
	"fmt"
	"net"
	"strings"
	"testing"
)

// BenchmarkStep is the cost of making one token's event.
func BenchmarkStep(b *testing.B) {
	st := newStream(1<<30, 0, 1, 1, Fault{})
	st.start(0)
	buf, _ := st.step(nil, st.due)
	b.ReportAllocs()
	for b.Loop() {
		buf, _ = st.step(buf[:0], st.due)
	}
	b.SetBytes(int64(len(buf)))
}

// BenchmarkParse is the cost of reading one request of 256 words.
func BenchmarkParse(b *testing.B) {
	s, err := New(Config{Addr: "127.0.0.1:0"})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	body := []byte(strings.Replace(chatBody(64), "one two three", strings.Repeat("word ", 256), 1))
	text := fmt.Sprintf("POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nX-Request-Id: x-1\r\nContent-Length: %d\r\n\r\n", len(body))
	c := &conn{srv: s}
	b.ReportAllocs()
	for b.Loop() {
		req := request{head: &c.head, body: body}
		if err := c.head.parse(text); err != nil {
			b.Fatal(err)
		}
		if req.framing, err = c.head.framing(1 << 20); err != nil {
			b.Fatal(err)
		}
		var a apiRequest
		if _, err := s.prepare(c, req, s.newRecord(c, req), &a, apiChat); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkReply is a whole request of one token over loopback, client included.
func BenchmarkReply(b *testing.B) {
	s := start(b, Config{})
	nc, err := net.Dial("tcp", s.Addr())
	if err != nil {
		b.Fatal(err)
	}
	defer nc.Close()
	body := chatBody(1)
	request := fmt.Appendf(nil, "POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nX-Request-Id: x\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	buf := make([]byte, 64<<10)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := nc.Write(request); err != nil {
			b.Fatal(err)
		}
		for n := 0; !bytes.HasSuffix(buf[:n], []byte("\r\n0\r\n\r\n")); {
			k, err := nc.Read(buf[n:])
			if err != nil {
				b.Fatal(err)
			}
			n += k
		}
	}
}

// BenchmarkHeap is one deadline among a thousand streams.
func BenchmarkHeap(b *testing.B) {
	var h dueHeap
	for i := range 1000 {
		h.push(&stream{}, int64(mix(uint64(i))%10_000))
	}
	b.ReportAllocs()
	for b.Loop() {
		_, due := h.peek()
		h.replaceTop(due + 10_000)
	}
}
