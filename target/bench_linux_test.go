package target

import (
	"bufio"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/measure"
)

// echoServer answers as fast as it can without allocating: it knows how long
// requests are.
func echoServer(b testing.TB, size int, answer string) *rawServer {
	reply := []byte(answer)
	return serveRaw(b, func(_ int, c *net.TCPConn, _ *bufio.Reader) {
		buf := make([]byte, 64<<10)
		have := 0
		for {
			n, err := c.Read(buf)
			if err != nil {
				return
			}
			for have += n; have >= size; have -= size {
				if _, err := c.Write(reply); err != nil {
					return
				}
			}
		}
	})
}

// BenchmarkExchange sends one request after the other and reads its stream of
// three tokens, over loopback; the server's part is in it.
func BenchmarkExchange(b *testing.B) {
	for name, portable := range map[string]bool{"own": false, "portable": true} {
		b.Run(name, func(b *testing.B) {
			probe := newClient(b, configFor("http://127.0.0.1:10000/v1"))
			c, err := probe.Prepare(hello())
			if err != nil {
				b.Fatal(err)
			}
			s := echoServer(b, len(c.req), answer())
			cfg := configFor(s.url())
			cfg.portable = portable
			cl := newClient(b, cfg)
			done := make(chan *Call, 1)
			b.ReportAllocs()
			for b.Loop() {
				c, _ := cl.Prepare(hello())
				cl.Start(c, func(c *Call, _ *measure.Exchange) { done <- c })
				if c = <-done; c.x.Status != measure.Succeeded {
					b.Fatal(c.x.ErrorMessage)
				}
				c.Release()
			}
		})
	}
}

// BenchmarkStart measures the part of a request that runs between its deadline
// and the return to the dispatcher: taking a connection and the write.
func BenchmarkStart(b *testing.B) {
	probe := newClient(b, configFor("http://127.0.0.1:10000/v1"))
	c, err := probe.Prepare(hello())
	if err != nil {
		b.Fatal(err)
	}
	s := echoServer(b, len(c.req), answer())
	cl := newClient(b, configFor(s.url()))
	if _, err := cl.Warm(b.Context(), 64); err != nil {
		b.Fatal(err)
	}
	const batch = 32
	calls := make([]*Call, 0, batch)
	var wg sync.WaitGroup
	done := func(*Call, *measure.Exchange) { wg.Done() }
	prepare := func() {
		for _, c := range calls {
			c.Release()
		}
		calls = calls[:0]
		for range batch {
			c, _ := cl.Prepare(hello())
			calls = append(calls, c)
		}
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		if i%batch == 0 {
			b.StopTimer()
			wg.Wait()
			prepare()
			b.StartTimer()
		}
		wg.Add(1)
		cl.Start(calls[i%batch], done)
	}
	b.StopTimer()
	wg.Wait()
}

// TestExchangeAllocates nothing: not between the deadline and the write, and not
// while the stream is read.
func TestExchangeAllocates(t *testing.T) {
	const runs = 100
	cl, calls := preparedCalls(t, runs+2)
	ended := make(chan struct{})
	done := func(*Call, *measure.Exchange) { ended <- struct{}{} }
	cl.Start(calls[runs+1], done)
	<-ended
	i := 0
	allocs := testing.AllocsPerRun(runs, func() {
		cl.Start(calls[i], done)
		i++
		<-ended
	})
	if allocs != 0 {
		t.Errorf("an exchange allocates %v times", allocs)
	}
}

// preparedCalls makes n calls to a server that allocates nothing itself.
func preparedCalls(t testing.TB, n int) (*Client, []*Call) {
	probe := newClient(t, configFor("http://127.0.0.1:10000/v1"))
	c, err := probe.Prepare(hello())
	if err != nil {
		t.Fatal(err)
	}
	s := echoServer(t, len(c.req), answer())
	cl := newClient(t, configFor(s.url()))
	calls := make([]*Call, n)
	for i := range calls {
		c, err := cl.Prepare(hello())
		if err != nil {
			t.Fatal(err)
		}
		c.x.Answer, c.x.Chunks = make([]byte, 0, 64), make([]measure.Chunk, 0, 16)
		calls[i] = c
	}
	return cl, calls
}

// BenchmarkTick tells what it costs to have requests in flight that nothing
// happens to: CPU time of the process for each second that passes.
func BenchmarkTick(b *testing.B) {
	s := serveRaw(b, func(_ int, _ *net.TCPConn, r *bufio.Reader) { _ = readRequest(r); _ = readRequest(r) })
	cl := newClient(b, configFor(s.url()))
	c, err := cl.Prepare(hello())
	if err != nil {
		b.Fatal(err)
	}
	cl.Start(c, func(*Call, *measure.Exchange) {})
	time.Sleep(50 * time.Millisecond)
	used, passed := cpuTime(b), time.Now()
	for b.Loop() {
		time.Sleep(100 * time.Millisecond)
	}
	b.ReportMetric(float64(cpuTime(b)-used)/float64(time.Since(passed))*1e3, "cpu-ms/s")
}

func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
