package target

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// naiveEvents reads a whole stream by the letter of the standard, except that
// what stands before a clean end counts, too.
func naiveEvents(stream string) (events []string) {
	stream = strings.TrimPrefix(stream, "\xef\xbb\xbf")
	stream = strings.ReplaceAll(strings.ReplaceAll(stream, "\r\n", "\n"), "\r", "\n")
	var data []string
	name, has := "", false
	for _, line := range append(strings.Split(stream, "\n"), "") {
		if line == "" {
			if has {
				events = append(events, fmt.Sprintf("%s|%s", name, strings.Join(data, "\n")))
			}
			data, name, has = nil, "", false
			continue
		}
		field, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch field {
		case "data":
			data, has = append(data, value), true
		case "event":
			name = value
		}
	}
	return events
}

// ourEvents feeds the stream in pieces of n bytes.
func ourEvents(stream string, n int) (events []string) {
	var s sse
	s.reset()
	add := func(ev sseEvent) { events = append(events, fmt.Sprintf("%s|%s", ev.name, ev.data)) }
	for at := 0; at < len(stream); at += n {
		piece := []byte(stream[at:min(at+n, len(stream))])
		for p := piece; len(p) > 0; {
			m, ev, ok, err := s.next(p)
			if err != nil {
				return append(events, err.Error())
			}
			if ok {
				add(ev)
			}
			p = p[m:]
		}
		clear(piece)
	}
	if ev, ok := s.eof(); ok {
		add(ev)
	}
	return events
}

// TestSSEOfEmptyLines bounds an event whose lines hold nothing.
func TestSSEOfEmptyLines(t *testing.T) {
	var s sse
	s.reset()
	s.total = maxEvent - 2
	for i := range 3 {
		_, _, _, err := s.next([]byte("data:\n"))
		if (err != nil) != (i == 2) {
			t.Errorf("line %d: %v", i, err)
		}
	}
}

var streams = []string{
	"data: a\n\ndata: b\n\n",
	"data: a\r\n\r\ndata: b\r\n\r\n",
	"data: a\r\rdata: b\r\r",
	"data: one\ndata: two\ndata\n\n",
	"data:no space\ndata:  two spaces\n\n",
	": comment\n\n: ping\ndata: x\n\n",
	"event: error\ndata: {}\n\n",
	"id: 1\nretry: 5\nevent: x\n\ndata: y\n\n",
	"\xef\xbb\xbfdata: bom\n\n",
	"\xef\xbb\xbf\xef\xbb\xbfdata: two\n\n",
	"data: grüße 🦬\n\n",
	"data: [DONE]\n", "data: [DONE]", "data", "data:\n\n", "\n\n\n", "data: a\r\n\r", "data: \rdata: \r\n\n",
	"dataset: x\n\n", " data: x\n\n", "data : x\n\n", "\xef\xbbdata: x\n\n",
}

// FuzzSSE holds the parser against a naive one, whatever the pieces are.
func FuzzSSE(f *testing.F) {
	for i, s := range streams {
		f.Add(s, uint8(i))
	}
	f.Fuzz(func(t *testing.T, stream string, piece uint8) {
		want := fmt.Sprintf("%q", naiveEvents(stream))
		for _, n := range []int{1, int(piece)%13 + 1, len(stream) + 1} {
			if got := fmt.Sprintf("%q", ourEvents(stream, n)); got != want {
				t.Errorf("%q in pieces of %d:\ngot  %s\nwant %s", stream, n, got, want)
			}
		}
	})
}

func TestEventLimit(t *testing.T) {
	big := bytes.Repeat([]byte("x"), 1<<20)
	for name, line := range map[string]string{"one line": "data: ", "many lines": "\ndata: "} {
		var s sse
		s.reset()
		var err error
		for i := 0; i < 20 && err == nil; i++ {
			p := append([]byte(line), big...)
			if i > 0 && name == "one line" {
				p = big
			}
			_, _, _, err = s.next(p)
		}
		if !errors.Is(err, errEventLimit) {
			t.Errorf("%s: got %v, want %v", name, err, errEventLimit)
		}
	}
}

func BenchmarkSSE(b *testing.B) {
	stream := []byte(token("Hello") + token(", ") + token("world"))
	var s sse
	s.reset()
	b.SetBytes(int64(len(stream)))
	b.ReportAllocs()
	for b.Loop() {
		for p := stream; len(p) > 0; {
			n, _, _, _ := s.next(p)
			p = p[n:]
		}
	}
}
