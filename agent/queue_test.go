package agent

import (
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/stampede-bench/stampede/internal/clock"
	"github.com/stampede-bench/stampede/schedule"
)

func TestHeapOrders(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SliceOf(rapid.Custom(func(t *rapid.T) freeSlot {
			return freeSlot{due: rapid.Int64Range(0, 9).Draw(t, "due"), slot: rapid.Int32Range(0, 99).Draw(t, "slot")}
		})).Draw(t, "slots")
		var h slotHeap
		for _, s := range all {
			h.push(s)
		}
		slices.SortFunc(all, func(a, b freeSlot) int {
			if a.before(b) {
				return -1
			}
			return 1
		})
		for _, want := range all {
			if got := h.pop(); got != want {
				t.Fatalf("got %v, want %v", got, want)
			}
		}
	})
}

func TestStackLosesNothing(t *testing.T) {
	const writers, each = 8, 1000
	var s stack
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				s.push(&entry{k: int64(w), index: int64(i)})
			}
		})
	}
	finished := make(chan struct{})
	go func() { wg.Wait(); close(finished) }()
	next := map[int64]int64{}
	for over := false; !over; {
		select {
		case <-finished:
			over = true
		default:
		}
		for e := s.takeAll(); e != nil; e = e.next {
			if e.index != next[e.k] {
				t.Fatalf("writer %d: entry %d after %d", e.k, e.index, next[e.k]-1)
			}
			next[e.k]++
		}
	}
	for w := range int64(writers) {
		if next[w] != each {
			t.Errorf("writer %d: %d entries", w, next[w])
		}
	}
}

// The law: over all shards, the sessions of a closed loop are each there once and
// belong to the slot that deals them.
func TestClosedSessionsAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		slots := rapid.IntRange(1, 20).Draw(t, "slots")
		parts := rapid.IntRange(1, 6).Draw(t, "shards")
		bound := rapid.Int64Range(0, 200).Draw(t, "bound")
		from := rapid.Int64Range(0, 100).Draw(t, "from")
		seen := map[int64]bool{}
		for _, part := range schedule.Whole.Split(parts) {
			last := int64(-1)
			for k := range closedSessions(schedule.SlotsOf(slots, part), int64(slots), from, bound) {
				if seen[k] || k <= last || !part.Has(k%int64(slots)) {
					t.Fatalf("session %d of shard %v after %d", k, part, last)
				}
				seen[k], last = true, k
			}
		}
		if want := max(0, bound-from); int64(len(seen)) != want {
			t.Fatalf("%d sessions, want %d", len(seen), want)
		}
	})
}

// On the real clock: a sleeper wakes neither early nor so late that anything but
// the machine could be to blame, and at once when it is woken.
func TestSleeperOnTheRealClock(t *testing.T) {
	for name, s := range map[string]sleeper{"best": newSleeper(), "timer": newTimerSleeper()} {
		t.Run(name, func(t *testing.T) {
			for range 20 {
				until := clock.Now() + int64(2*time.Millisecond)
				for clock.Now() < until {
					s.sleep(until)
				}
				if late := time.Duration(clock.Now() - until); late > time.Second {
					t.Errorf("%v late", late)
				}
			}
			woken := make(chan struct{})
			go func() {
				defer close(woken)
				s.sleep(never)
			}()
			time.Sleep(5 * time.Millisecond)
			s.wake()
			<-woken
			s.wake() // before the sleep: it must not be lost
			s.sleep(never)
			s.sleep(clock.Now() - 1)
		})
	}
}
