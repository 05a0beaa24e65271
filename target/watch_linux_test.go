package target

import (
	"testing"
	"time"
)

// TestWatch: a poller looks closely until tokens have come alone for a period, and
// again as soon as a few of them share reads.
func TestWatch(t *testing.T) {
	var w watch
	now := int64(0)
	period := func(alone, shared int) time.Duration {
		for range alone {
			w.read(1)
		}
		for range shared / 2 {
			w.read(2)
		}
		w.read(0)
		now += watchPeriod
		return w.tick(now)
	}
	for i, c := range []struct {
		alone, shared int
		want          time.Duration
	}{
		{0, 0, tickClose},
		{100, 0, tickClose},   // too few to tell, and kept
		{500, 0, tickWide},    // with those
		{2000, 4, tickWide},   // a chance meeting
		{100, 0, tickWide},    // too few to tell
		{5000, 20, tickClose}, // 0.4 %
		{0, 2000, tickClose},
		{5000, 8, tickWide},
	} {
		if got := period(c.alone, c.shared); got != c.want {
			t.Errorf("after period %d, with %d alone and %d shared: %v, want %v", i, c.alone, c.shared, got, c.want)
		}
	}
	for range 3 {
		w.read(2)
	}
	if got := w.tick(now + 1); got != tickClose {
		t.Errorf("%v after three shared reads, want %v before the period is over", got, tickClose)
	}
}
