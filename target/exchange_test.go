package target

import (
	"runtime"
	"testing"

	"github.com/stampede-bench/stampede/measure"
)

func TestExchange(t *testing.T) {
	transports(t, func(t *testing.T, cfg func(string) Config) {
		s := serveStreams(t, answer)
		cl := newClient(t, cfg(s.url()))
		for i := range 3 {
			x, err := ask(t, cl)
			if err != nil {
				t.Fatal(err)
			}
			if x.Status != measure.Succeeded || x.HTTPStatus != 200 || x.FinishReason != "stop" {
				t.Errorf("got status %v, HTTP %d, finish %q", x.Status, x.HTTPStatus, x.FinishReason)
			}
			if got := string(x.Answer); got != "Hello, world" {
				t.Errorf("answer is %q", got)
			}
			if x.Usage != (measure.Usage{Input: 17, Output: 3, Cached: 13, Reasoning: -1}) {
				t.Errorf("usage is %+v", x.Usage)
			}
			if x.Reused != (i > 0) || x.Attempt != 1 || x.Stale {
				t.Errorf("request %d: reused %v, attempt %d, stale %v", i, x.Reused, x.Attempt, x.Stale)
			}
			checkInstants(t, x, 3)
		}
		if n := s.accepted(); n != 1 {
			t.Errorf("%d connections were opened, want 1", n)
		}
	})
}

// checkInstants checks that instants stand in their order.
func checkInstants(t *testing.T, x *measure.Exchange, chunks int) {
	t.Helper()
	if len(x.Chunks) != chunks {
		t.Fatalf("got %d chunks, want %d", len(x.Chunks), chunks)
	}
	last := x.Sent
	for _, at := range append([]int64{x.Headers}, instants(x)...) {
		if at < last {
			t.Errorf("an instant is %d ns before the one before it", last-at)
		}
		last = at
	}
	if x.End < last {
		t.Errorf("the end is %d ns before the last chunk", last-x.End)
	}
	if runtime.GOOS == "linux" && x.KernelStamped && x.ReadDelayMaxNano <= 0 {
		t.Errorf("kernel stamps with a read delay of %d ns", x.ReadDelayMaxNano)
	}
}

func instants(x *measure.Exchange) (at []int64) {
	for _, c := range x.Chunks {
		at = append(at, c.At)
	}
	return at
}
