package agent

import (
	"runtime"
	"sync"
	"testing"
	"time"
)

func TestRunDelay(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"12 345 6\n": 345, "": 0, "1": 0, "1 x 2": 0, "1 -5 2": -5, "1 99999999999999999999 2": 0,
	} {
		if got := runDelay(text); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
}

// TestCPUWaitGrows with more busy threads than there are processors.
func TestCPUWaitGrows(t *testing.T) {
	if cpuWait() < 0 {
		t.Fatal("less than nothing")
	}
	n := runtime.NumCPU() + 2
	old := runtime.GOMAXPROCS(n)
	defer runtime.GOMAXPROCS(old)
	before := cpuWait()
	end := time.Now().Add(100 * time.Millisecond)
	var wg sync.WaitGroup
	after := make(chan float64, n)
	for range n {
		wg.Go(func() {
			for time.Now().Before(end) {
				continue
			}
			after <- cpuWait()
		})
	}
	wg.Wait()
	if got := <-after - before; got < 0.02 {
		t.Errorf("%d busy threads waited %.3f s for a processor in 0.1 s", n, got)
	}
}
