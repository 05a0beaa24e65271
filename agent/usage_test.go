package agent

import (
	"errors"
	"math"
	"runtime/metrics"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stampede-bench/stampede/internal/clock"
)

func TestQuantileOfGrowth(t *testing.T) {
	buckets := []float64{math.Inf(-1), 1, 2, 4, math.Inf(1)}
	before := &metrics.Float64Histogram{Counts: []uint64{5, 0, 100, 0}, Buckets: buckets}
	now := &metrics.Float64Histogram{Counts: []uint64{5, 98, 102, 0}, Buckets: buckets}
	tests := []struct {
		name        string
		now, before *metrics.Float64Histogram
		q, want     float64
	}{
		{"the most", now, before, 1, 4},
		{"the middle", now, before, 0.5, 2},
		{"99 of 100", now, before, 0.99, 4},
		{"98 of 100", now, before, 0.98, 2},
		{"no growth", before, before, 0.99, 0},
		{"from the start", now, nil, 0.01, 1},
		{"nothing known", nil, nil, 1, 0},
		{"beyond the last bound", &metrics.Float64Histogram{Counts: []uint64{0, 0, 0, 1}, Buckets: buckets}, nil, 1, 4},
	}
	for _, test := range tests {
		if got := quantile(test.now, test.before, test.q); got != test.want {
			t.Errorf("%s: got %g, want %g", test.name, got, test.want)
		}
	}
}

func TestCgroupQuota(t *testing.T) {
	files := map[string]string{"/a/b": "max 100000\n", "/a": "150000 100000\n", "/": "400000 100000\n"}
	read := func(p string) (string, error) {
		if text, there := files[p]; there {
			return text, nil
		}
		return "", errors.New("none")
	}
	for path, want := range map[string]float64{"/a/b/c": 1.5, "a": 1.5, "/": 4, "/x/y": 4} {
		if got := tightestQuota(path, read); got != want {
			t.Errorf("%s: %g CPUs, want %g", path, got, want)
		}
	}
	for text, want := range map[string]float64{"": 0, "max 100000": 0, "50000 100000": 0.5, "1 0": 0, "-1 100": 0, "1 2 3": 0} {
		if got := parseQuota(text); got != want {
			t.Errorf("%q: %g CPUs, want %g", text, got, want)
		}
	}
}

func TestCPUMeter(t *testing.T) {
	m := newCPUMeter()
	for end := time.Now().Add(20 * time.Millisecond); time.Now().Before(end); {
		_ = math.Sqrt(2)
	}
	if _, share := m.read(); share != 0 {
		t.Errorf("after 20 ms: share %g, too short a stretch to tell", share)
	}
	m.lastAt -= int64(time.Second) // as if a heartbeat period had passed
	if seconds, share := m.read(); seconds <= 0 || share <= 0 || share > 1 || m.quota <= 0 {
		t.Errorf("after 20 ms of work: %g s, share %g of %g CPUs", seconds, share, m.quota)
	}
	if memoryMax() < 1<<20 {
		t.Errorf("the process never held a megabyte: %d", memoryMax())
	}
}

func TestWallClockCountsSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWallClock()
		p := clock.ReadPair()
		w.look(clock.Pair{Mono: p.Mono + 1e9, Unix: p.Unix + 1e9 + 500_000})
		if w.steps != 0 {
			t.Error("a slewed clock is no jump")
		}
		w.look(clock.Pair{Mono: p.Mono + 2e9, Unix: p.Unix + 4e9})
		w.look(clock.Pair{Mono: p.Mono + 3e9, Unix: p.Unix + 5e9})
		if w.steps != 1 {
			t.Errorf("%d jumps, want 1", w.steps)
		}
	})
}

func TestWallClockKnowsItsHeartbeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWallClock()
		sent, renewal, at, _ := w.beat(1)
		if renewal != 0 || at != 0 {
			t.Error("a renewal before the first")
		}
		time.Sleep(10 * time.Millisecond)
		if w.renewed(7) {
			t.Error("a renewal of a heartbeat that was never sent")
		}
		if !w.renewed(1) || w.renewed(1) {
			t.Error("each heartbeat is answered once")
		}
		if _, renewal, at, _ = w.beat(2); renewal != 1 || at != sent+10e6 {
			t.Errorf("renewal %d at %d", renewal, at)
		}
		// The controller is a second behind and names a moment 5 ms after the heartbeat.
		if got := w.anchor(sent+5e6-1e9, 1e9); got != clock.Now()-5e6 {
			t.Errorf("anchor %d, want %d", got, clock.Now()-5e6)
		}
		w.restart()
		if _, renewal, _, _ = w.beat(1); renewal != 0 {
			t.Error("a new session begins with the old one's renewal")
		}
	})
}
