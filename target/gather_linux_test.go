package target

import (
	"bufio"
	"net"
	"testing"
)

// TestGauge has arrivals gather while they come in quick succession, and no longer.
func TestGauge(t *testing.T) {
	p := &poller{}
	now := int64(1e9)
	for i, step := range []struct {
		after int64 // since the step before
		n     int   // sockets that the wait reported
		want  bool
	}{
		{gather, 1, false}, {gather, 5, false}, {gather / 4, 1, true}, // two in quick succession
		{gather, 3, true}, {gather, 2, true}, {10 * gather, 0, true},
		{gather, 1, false}, // one alone was not worth the wait
		{gather / 4, 1, true},
	} {
		now += step.after
		p.now = now
		if p.gauge(step.n); p.crowded != step.want {
			t.Errorf("step %d: crowded %v, want %v", i, p.crowded, step.want)
		}
	}
}

// TestRelaxedReadsTheSame streams through a client that lets arrivals gather.
func TestRelaxedReadsTheSame(t *testing.T) {
	_, cfg := plainServer(t, answering)
	cfg.Relaxed = true
	cl := newClient(t, cfg)
	for range 50 {
		x, err := ask(t, cl)
		if err != nil || len(x.Chunks) != 3 {
			t.Fatalf("%d chunks, %v", len(x.Chunks), err)
		}
		if !x.KernelStamped {
			t.Fatal("the kernel did not stamp it")
		}
	}
}

func answering(_ int, c net.Conn, r *bufio.Reader) {
	for readRequest(r) != nil {
		say(c, answer())
	}
}
