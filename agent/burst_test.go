package agent

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/stampede-bench/stampede/schedule"
)

func openPhase(rate float64, sessions int64, most int) *phase {
	return &phase{Phase: &schedule.Phase{Kind: schedule.Open, Rate: rate, Sessions: sessions, MaxConcurrency: most}}
}

// TestBurstsAgainstBruteForce: what take finds is the most entries in any window.
func TestBurstsAgainstBruteForce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := newBursts()
		var all []int64
		at := int64(0)
		for _, gap := range rapid.SliceOfN(rapid.SampledFrom([]int64{0, 1, burstWindow / 7, burstWindow, burstWindow + 1}), 1, 200).Draw(t, "gaps") {
			at += gap
			all = append(all, at)
			b.add(at)
		}
		most := 0
		for i := range all {
			n, _ := slices.BinarySearch(all, all[i]+burstWindow+1)
			most = max(most, n-i)
		}
		want := most + 1 // and the one in reserve
		if most <= 1 {
			want = 0
		}
		if got := b.take(openPhase(1, 1000, 0), 1); got != want {
			t.Fatalf("take says %d of %v, want %d", got, all, want)
		}
		if got := b.take(openPhase(1, 1000, 0), 1); got != 0 {
			t.Fatalf("a second take says %d, want 0", got)
		}
	})
}

func TestBurstsWant(t *testing.T) {
	for name, c := range map[string]struct {
		at     []int64
		phase  *phase
		agents int
		want   int
	}{
		"2,000 at once":               {make([]int64, 2000), openPhase(10, 2000, 0), 1, 2010},
		"more than are ever readied":  {make([]int64, 20000), openPhase(10, 20000, 0), 1, maxBurst + 10},
		"a cap of requests in flight": {make([]int64, 2000), openPhase(10, 2000, 300), 2, 150 + 5},
		"no more than the reserve":    {make([]int64, 200), openPhase(250, 2000, 0), 1, 0},
		"a constant rate":             {[]int64{0, 5e6, 10e6, 15e6, 20e6}, openPhase(200, 2000, 0), 1, 0},
		"nothing":                     {nil, openPhase(200, 2000, 0), 1, 0},
	} {
		b := newBursts()
		for _, at := range c.at {
			b.add(at)
		}
		if got := b.take(c.phase, c.agents); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

// TestBurstOfMillions remembers no more of a burst than is asked for.
func TestBurstOfMillions(t *testing.T) {
	b := newBursts()
	for range 1 << 20 {
		b.add(0)
	}
	if c := cap(b.offsets); c > 4*maxBurst {
		t.Errorf("room for %d offsets", c)
	}
	if got := b.take(openPhase(1, 1<<20, 0), 1); got != maxBurst+1 {
		t.Errorf("take says %d", got)
	}
}

// TestBurstsAreServedOneAtATime: while connections are readied, the largest of the
// wishes that come waits.
func TestBurstsAreServedOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBursts()
		ctx, stop := context.WithCancel(t.Context())
		var readied []int
		done := make(chan struct{})
		go func() {
			defer close(done)
			b.serve(ctx, func(_ context.Context, n int) {
				time.Sleep(time.Second)
				readied = append(readied, n)
			})
		}()
		b.ask(300)
		synctest.Wait()
		b.ask(500)
		b.ask(400)
		time.Sleep(5 * time.Second)
		stop()
		<-done
		if !slices.Equal(readied, []int{300, 500}) {
			t.Errorf("readied %v, want [300 500]", readied)
		}
	})
}
