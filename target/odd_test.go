package target

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/measure"
)

// TestOddStreams goes through what a server may do and still be understood: whole, and
// byte by byte.
func TestOddStreams(t *testing.T) {
	const (
		ab      = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\ndata: {\"choices\":[{\"delta\":{\"content\":\"b\"}}]}\n\n"
		untilOK = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
	)
	length := func(body, more string) string {
		return fmt.Sprintf("%sContent-Length: %d\r\n\r\n%s%s", untilOK, len(body), body, more)
	}
	for name, answer := range map[string]string{
		"pings without data":       streamHead + chunk("data:\n\n"+ab+"data: \n\nevent: ping\ndata: {}\n\n"+finish+doneMark) + chunk(""),
		"spaces round the mark":    streamHead + chunk(ab+"data:  [DONE] \n\n") + chunk(""),
		"no blank line at the end": streamHead + chunk(ab+"data: [DONE]") + chunk(""),
		"no end mark":              streamHead + chunk(ab+finish) + chunk(""),
		"byte order mark":          streamHead + chunk("\xef\xbb\xbf"+ab+doneMark) + chunk(""),
		"line ends of CR":          streamHead + chunk(strings.ReplaceAll(ab+doneMark, "\n", "\r")) + chunk(""),
		"line ends of CR LF":       streamHead + chunk(strings.ReplaceAll(ab+doneMark, "\n", "\r\n")) + chunk(""),
		"data over lines":          streamHead + chunk(strings.ReplaceAll(ab, "[{", "[\ndata: {")+doneMark) + chunk(""),
		"index behind the text":    streamHead + chunk("data: {\"choices\":[{\"delta\":{\"content\":\"x\"},\"index\":1}]}\n\n"+ab+doneMark) + chunk(""),
		"two choices in an event":  streamHead + chunk("data: {\"choices\":[{\"text\":\"x\",\"index\":1},{\"text\":\"ab\",\"index\":0}]}\n\n"+doneMark) + chunk(""),
		"content in parts":         streamHead + chunk("data: {\"choices\":[{\"delta\":{\"content\":[{\"type\":\"thinking\",\"thinking\":[{\"type\":\"text\",\"text\":\"hm\"}]}]}}]}\n\ndata: {\"choices\":[{\"delta\":{\"content\":[{\"type\":\"text\",\"text\":\"ab\"}]}}]}\n\n"+doneMark) + chunk(""),
		"chunk extensions":         streamHead + strings.Replace(chunk(ab+doneMark), "\r\n", ";a=\"b c\";d\r\n", 1) + "0;x\r\n\r\n",
		"trailers":                 streamHead + chunk(ab+doneMark) + "0\r\nX-Sum: 1\r\nX-More: 2\r\n\r\n",
		"interim replies":          "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + streamHead + chunk(ab+doneMark) + chunk(""),
		"a length":                 length(ab+doneMark, ""),
		"bytes beyond the length":  length(ab+doneMark, "\r\nmore"),
		"another reply behind":     length(ab+doneMark, untilOK+"\r\n"),
		"until the end":            untilOK + "\r\n" + ab + doneMark,
		"close":                    untilOK + "Connection: close\r\n\r\n" + ab + doneMark,
		"HTTP/1.0":                 "HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n" + ab + doneMark,
		"lines without CR":         "HTTP/1.1 200\nContent-Type: text/event-stream\n\n" + ab + doneMark,
		"charset":                  strings.Replace(streamHead, "event-stream", "event-stream;charset=UTF-8", 1) + chunk(ab+doneMark) + chunk(""),
		"another media type":       strings.Replace(streamHead, "event-stream", "plain", 1) + chunk(ab+doneMark) + chunk(""),
	} {
		t.Run(name, func(t *testing.T) {
			for _, size := range []int{len(answer), 1} {
				s := serveRaw(t, func(n int, c *net.TCPConn, r *bufio.Reader) {
					if readRequest(r) == nil {
						return
					}
					for at := 0; at < len(answer); at += size {
						say(c, answer[at:min(at+size, len(answer))])
					}
				})
				cl := newClient(t, configFor(s.url()))
				x, err := ask(t, cl)
				if err != nil || string(x.Answer) != "ab" || x.HTTPStatus != 200 {
					t.Errorf("pieces of %d: %v, answer %q, HTTP %d", size, err, x.Answer, x.HTTPStatus)
				}
				if x.End-x.Sent > int64(time.Second) || x.Status != measure.Succeeded {
					t.Errorf("pieces of %d: %v after %d ns", size, x.Status, x.End-x.Sent)
				}
				if x, err = ask(t, cl); err != nil || x.Attempt == 2 && !x.Stale {
					t.Errorf("pieces of %d, again: %v", size, err)
				}
			}
		})
	}
}
