package target

import (
	"bufio"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/measure"
)

// TestLongOnesDoNotHoldUpOthers reads short streams on the same thread as a reply of
// 100,000 tokens that comes at once, one whose events are heavy with logprobs, and
// the answer to a prompt of a megabyte: the others are read as soon as they arrive.
func TestLongOnesDoNotHoldUpOthers(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	many := strings.Repeat(chunk(token("x")), 1000)
	logprob := `{"token":"x","logprob":-0.1,"bytes":[120],"top_logprobs":[` + strings.Repeat(`{"token":"y","logprob":-1.5,"bytes":[121]},`, 199) + `{"token":"z","logprob":-2,"bytes":[122]}]}`
	heavy := strings.Repeat(chunk(`data: {"choices":[{"index":0,"delta":{"content":"x"},"logprobs":{"content":[`+logprob+"]}}]}\n\n"), 20)
	s := serveRaw(t, func(_ int, c *net.TCPConn, r *bufio.Reader) {
		for req := readRequest(r); req != nil; req = readRequest(r) {
			say(c, streamHead)
			switch req.Header.Get("X-Request-Id") {
			case "many":
				for range 100 {
					say(c, many)
				}
			case "heavy":
				for range 50 {
					say(c, heavy)
				}
			default:
				for range 20 {
					time.Sleep(5 * time.Millisecond)
					say(c, chunk(token("x")))
				}
			}
			say(c, chunk(finish)+chunk(usage)+chunk(doneMark)+chunk(""))
		}
	})
	cfg := configFor(s.url())
	cfg.Pollers = 1
	cl := newClient(t, cfg)
	const limit = 10 * ms
	best := 1000 * ms
	for try := 0; try < 8 && best > limit; try++ {
		best = min(best, delayBeside(t, cl))
	}
	if best > limit {
		t.Errorf("the short ones lay unread for %.1f ms at the median, want %.0f ms at most", float64(best)/1e6, float64(limit)/1e6)
	}
}

// delayBeside runs short streams beside long ones and returns the median of the
// longest times that one's bytes lay unread.
func delayBeside(t *testing.T, cl *Client) int64 {
	t.Helper()
	var delays []int64
	done, long := make(chan *measure.Exchange, 16), make(chan *measure.Exchange, 3)
	start := func(id string, words int, to chan *measure.Exchange) {
		in := hello()
		in.ID = id
		in.Messages[0].Content += strings.Repeat(" word", words)
		c, err := cl.Prepare(in)
		if err != nil {
			t.Fatal(err)
		}
		cl.Start(c, func(_ *Call, x *measure.Exchange) { to <- x })
	}
	for range cap(done) {
		start("short", 0, done)
	}
	start("many", 0, long)
	start("heavy", 0, long)
	start("prompt", 200_000, long) // a megabyte
	chunks := 0
	for range cap(long) {
		x := <-long
		if x.Status != measure.Succeeded {
			t.Fatalf("a long one: %v, %s", x.Status, x.ErrorMessage)
		}
		chunks = max(chunks, len(x.Chunks))
	}
	for range cap(done) {
		x := <-done
		if x.Status != measure.Succeeded || len(x.Chunks) != 20 {
			t.Fatalf("a short one: %v, %d chunks, %s", x.Status, len(x.Chunks), x.ErrorMessage)
		}
		delays = append(delays, x.ReadDelayMaxNano)
	}
	if chunks != 100_000 {
		t.Fatalf("the longest reply had %d chunks", chunks)
	}
	slices.Sort(delays)
	return delays[len(delays)/2]
}
