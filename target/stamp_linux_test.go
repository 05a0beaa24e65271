package target

import (
	"bufio"
	"net"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/internal/clock"
	"github.com/stampede-bench/stampede/measure"
)

// stall keeps the poller busy from the first token on, by a done function that
// does what it must not: wait.
func stall(t *testing.T, cl *Client, until <-chan struct{}) {
	t.Helper()
	c, err := cl.Prepare(hello())
	if err != nil {
		t.Fatal(err)
	}
	began := make(chan struct{})
	cl.Start(c, func(*Call, *measure.Exchange) {
		close(began)
		<-until
	})
	<-began
}

// TestCoalesced sends five tokens 20 ms apart while the reader is stopped. All
// carry the last one's stamp, and the uncertainty covers the truth.
func TestCoalesced(t *testing.T) {
	for name, listen := range map[string]func(testing.TB, func(int, net.Conn, *bufio.Reader)) (*rawServer, Config){
		"plain": plainServer, "tls": tlsServer,
	} {
		t.Run(name, func(t *testing.T) {
			var wrote []int64
			arrived, sent, stopped := make(chan struct{}), make(chan struct{}), make(chan struct{})
			_, cfg := listen(t, func(_ int, c net.Conn, r *bufio.Reader) {
				req := readRequest(r)
				if req == nil {
					return
				}
				if req.Header.Get("X-Request-Id") != "slow" {
					say(c, answer())
					_ = readRequest(r)
					return
				}
				close(arrived)
				<-stopped
				say(c, streamHead)
				for range 5 {
					time.Sleep(20 * time.Millisecond)
					wrote = append(wrote, clock.Now())
					say(c, chunk(token("x")))
				}
				close(sent)
				_ = readRequest(r)
			})
			cfg.Pollers = 1
			cl := newClient(t, cfg)
			in := hello()
			in.ID = "slow"
			c, err := cl.Prepare(in)
			if err != nil {
				t.Fatal(err)
			}
			done := make(chan *measure.Exchange, 1)
			cl.Start(c, func(_ *Call, x *measure.Exchange) { done <- x })
			go func() {
				<-sent
				time.Sleep(5 * time.Millisecond)
			}()
			<-arrived
			release := make(chan struct{})
			go func() {
				<-sent
				time.Sleep(5 * time.Millisecond)
				close(release)
				time.Sleep(5 * time.Millisecond)
				cl.Cancel(c)
			}()
			stall(t, cl, release)
			close(stopped)
			x := <-done
			checkCoalesced(t, x, wrote)
		})
	}
}

func checkCoalesced(t *testing.T, x *measure.Exchange, wrote []int64) {
	t.Helper()
	if len(x.Chunks) != 5 || x.CoalescedChunks != 5 || !x.KernelStamped {
		t.Fatalf("got %d chunks, %d coalesced, kernel %v: %s", len(x.Chunks), x.CoalescedChunks, x.KernelStamped, x.ErrorMessage)
	}
	last := x.Chunks[4].At
	for i, c := range x.Chunks {
		if c.At != last {
			t.Errorf("chunk %d has another stamp than the last", i)
		}
	}
	if off := last - wrote[4]; off < 0 || off > 5*ms {
		t.Errorf("the stamp is %d ns after the last write", off)
	}
	if x.StampUncertaintyNano < last-wrote[0] {
		t.Errorf("uncertainty %d ns does not cover the truth, %d ns", x.StampUncertaintyNano, last-wrote[0])
	}
	if x.ReadDelayMaxNano < 4*ms {
		t.Errorf("read delay %d ns, but the reader was stopped for 5 ms more", x.ReadDelayMaxNano)
	}
}

// TestSharedRead sends two tokens in one segment to a reader that is awake: the
// uncertainty is about the poller's tick, not the time since the last token.
func TestSharedRead(t *testing.T) {
	for name, listen := range map[string]func(testing.TB, func(int, net.Conn, *bufio.Reader)) (*rawServer, Config){
		"plain": plainServer, "tls": tlsServer,
	} {
		t.Run(name, func(t *testing.T) {
			_, cfg := listen(t, func(_ int, c net.Conn, r *bufio.Reader) {
				for readRequest(r) != nil {
					say(c, streamHead)
					time.Sleep(30 * time.Millisecond)
					say(c, chunk(roleOnly)+chunk(token("one")))
					time.Sleep(30 * time.Millisecond)
					say(c, chunk(token("two"))+chunk(token("three")))
					time.Sleep(30 * time.Millisecond)
					say(c, chunk(finish)+chunk(usage)+chunk(doneMark)+chunk(""))
				}
			})
			cl := newClient(t, cfg)
			best := 100 * ms
			for range 5 {
				x, err := ask(t, cl)
				if err != nil {
					t.Fatal(err)
				}
				if x.CoalescedChunks != 2 || !x.KernelStamped || x.ClockSteps != 0 {
					t.Fatalf("got %d coalesced chunks, kernel %v, %d clock steps", x.CoalescedChunks, x.KernelStamped, x.ClockSteps)
				}
				best = min(best, x.StampUncertaintyNano)
			}
			if best > 5*ms {
				t.Errorf("uncertainty is %d ns at best; the reader looked far more often", best)
			}
		})
	}
}

func plainServer(t testing.TB, handle func(int, net.Conn, *bufio.Reader)) (*rawServer, Config) {
	s := serveRaw(t, func(n int, c *net.TCPConn, r *bufio.Reader) { handle(n, c, r) })
	return s, configFor(s.url())
}

// TestClockStep sets the wall clock, as far as the poller can see, while a stream
// is read: what arrived around it gets the process's time and is counted.
func TestClockStep(t *testing.T) {
	arrived, step, wrote := make(chan struct{}), make(chan struct{}), make(chan struct{})
	_, cfg := plainServer(t, func(_ int, c net.Conn, r *bufio.Reader) {
		for req := readRequest(r); req != nil; req = readRequest(r) {
			if req.Header.Get("X-Request-Id") != "slow" {
				say(c, answer())
				continue
			}
			say(c, streamHead, chunk(token("a")))
			close(arrived)
			<-step
			say(c, chunk(token("b")))
			close(wrote)
			time.Sleep(20 * time.Millisecond)
			say(c, chunk(token("c"))+chunk(finish)+chunk(doneMark)+chunk(""))
		}
	})
	cfg.Pollers = 1
	cl := newClient(t, cfg)
	in := hello()
	in.ID = "slow"
	slow, err := cl.Prepare(in)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan *measure.Exchange, 1)
	cl.Start(slow, func(_ *Call, x *measure.Exchange) { done <- x })
	<-arrived
	fast, err := cl.Prepare(hello())
	if err != nil {
		t.Fatal(err)
	}
	cl.Start(fast, func(*Call, *measure.Exchange) { // on the poller
		close(step)
		<-wrote // token b arrives before the step is seen
		cl.net.(*pollNetwork).pollers[0].stamps.offset += 2 * ms
	})
	x := <-done
	if x.Status != measure.Succeeded {
		t.Fatal(x.ErrorMessage)
	}
	if x.ClockSteps != 1 || x.KernelStamped || cl.Stats().ClockSteps != 1 {
		t.Errorf("%d clock steps in the exchange, %d in all, kernel %v", x.ClockSteps, cl.Stats().ClockSteps, x.KernelStamped)
	}
	checkInstants(t, x, 3)
}
