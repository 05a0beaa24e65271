package agent

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/stampede-bench/stampede/internal/clock"
	"github.com/stampede-bench/stampede/internal/wire"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
)

// grants remembers the highest bound that was handed out per shard; the fake
// controller asks it, and the test holds every send against it.
type grants struct {
	mu    sync.Mutex
	until map[wire.Ref]int64
}

func (g *grants) raise(r wire.Ref, to int64) int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.until == nil {
		g.until = map[wire.Ref]int64{}
	}
	g.until[r] = max(g.until[r], to)
	return g.until[r]
}

// The law: whatever is permitted, and however late, nothing beyond it is sent,
// and everything is sent once it is permitted.
func TestOpenLoopPermitsAreNeverExceeded(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		shards := rapid.IntRange(1, 3).Draw(rt, "shards")
		steps := rapid.SliceOfN(rapid.Int64Range(0, int64(700*time.Millisecond)), 1, 5).Draw(rt, "steps")
		period := rapid.Int64Range(int64(10*time.Millisecond), int64(time.Second)).Draw(rt, "period")
		var wrong []string
		synctest.Test(t, func(t *testing.T) { wrong = openLoopUnderPermits(t, shards, steps, time.Duration(period)) })
		if len(wrong) > 0 {
			rt.Fatal(wrong)
		}
	})
}

func openLoopUnderPermits(t *testing.T, shards int, steps []int64, period time.Duration) (wrong []string) {
	b := newBench(t)
	defer b.close()
	var g grants
	next := map[wire.Ref]int{}
	released := false
	b.c.period = period
	b.c.permit = func(r wire.Ref, _ *stampedev1.ShardProgress) *stampedev1.Permit {
		to := int64(0)
		if released {
			i := next[r]
			next[r]++
			for _, step := range steps[:min(i, len(steps))] {
				to += step
			}
			if i > len(steps) {
				to = never // at last everything
			}
		}
		return &stampedev1.Permit{Ref: r.Proto(), DispatchUntilOffsetNanos: g.raise(r, to)}
	}
	_, end := b.agent()
	b.d.latency = func(id string) time.Duration {
		index, _ := strconv.ParseInt(strings.TrimPrefix(id, "run-"), 10, 64)
		r := ref("run", index%int64(shards), int64(shards))
		if offset := index * int64(100*time.Millisecond); offset >= g.raise(r, 0) {
			wrong = append(wrong, fmt.Sprintf("entry %d was sent under a permit up to %d", index, g.raise(r, 0)))
		}
		return time.Millisecond
	}
	var refs []wire.Ref
	for j := range shards {
		refs = append(refs, ref("run", int64(j), int64(shards)))
	}
	b.start(constant, refs...)
	b.c.mu.Lock()
	released = true
	b.c.mu.Unlock()
	b.release("run", 0, 0, 0)
	b.until(done, shards, time.Minute)
	if len(b.d.sent) != 20 {
		wrong = append(wrong, fmt.Sprintf("%d entries were sent, want 20", len(b.d.sent)))
	}
	if err := end(); err != nil {
		wrong = append(wrong, err.Error())
	}
	return wrong
}

// The law: for any number of slots, agents and requests, and any permits that
// grow, every session is begun exactly once, none beyond its permit, and never
// more than the slots are in flight.
func TestClosedLoopSendsEverySessionOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		slots := rapid.IntRange(1, 12).Draw(rt, "slots")
		shards := rapid.IntRange(1, 5).Draw(rt, "shards")
		requests := rapid.IntRange(1, 120).Draw(rt, "requests")
		window := rapid.Int64Range(1, 40).Draw(rt, "window") * int64(slots)
		think := rapid.SampledFrom([]string{"0s", "7ms"}).Draw(rt, "think")
		spread := rapid.IntRange(1, 40).Draw(rt, "spread")
		var wrong []string
		synctest.Test(t, func(t *testing.T) {
			wrong = closedLoopUnderPermits(t, slots, shards, requests, window, think, spread)
		})
		if len(wrong) > 0 {
			rt.Fatal(wrong)
		}
	})
}

func closedLoopUnderPermits(t *testing.T, slots, shards, requests int, window int64, think string, spread int) (wrong []string) {
	b := newBench(t)
	defer b.close()
	var g grants
	b.c.permit = func(r wire.Ref, p *stampedev1.ShardProgress) *stampedev1.Permit {
		return &stampedev1.Permit{Ref: r.Proto(), DispatchUntilSession: g.raise(r, p.GetNextSession()+window)}
	}
	b.d.latency = func(id string) time.Duration {
		k, _ := strconv.ParseInt(strings.TrimPrefix(id, "run-"), 10, 64)
		r := ref("run", k%int64(slots)%int64(shards), int64(shards))
		if k >= g.raise(r, 0) {
			wrong = append(wrong, fmt.Sprintf("session %d was begun under a permit up to %d", k, g.raise(r, 0)))
		}
		return time.Duration(1+k*7%int64(spread)) * time.Millisecond
	}
	_, end := b.agent()
	b.conduct(fmt.Sprintf(`
endpoint: {url: "http://target/v1", model: m}
load: {stages: [{concurrency: %d, requests: %d, think_time: %s}]}`, slots, requests, think), shards)
	var ids []int
	for _, s := range b.d.sent {
		k, _ := strconv.Atoi(strings.TrimPrefix(s.id, "run-"))
		ids = append(ids, k)
	}
	slices.Sort(ids)
	for i, k := range ids {
		if i != k {
			wrong = append(wrong, fmt.Sprintf("sessions were not each begun once: %v", ids))
			break
		}
	}
	if len(ids) != requests || b.d.most > slots {
		wrong = append(wrong, fmt.Sprintf("%d sessions, want %d; %d in flight, slots %d", len(ids), requests, b.d.most, slots))
	}
	if n := len(b.c.samples(t)); n != requests {
		wrong = append(wrong, fmt.Sprintf("%d samples, want %d", n, requests))
	}
	if err := end(); err != nil {
		wrong = append(wrong, err.Error())
	}
	return wrong
}

// A closed loop that runs through its permit asks for more at half of it, so
// that it never stands still.
func TestClosedLoopAsksInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.close()
		var g grants
		b.c.period = time.Hour // only asking brings renewals
		b.c.lease = 10 * time.Hour
		b.c.permit = func(r wire.Ref, p *stampedev1.ShardProgress) *stampedev1.Permit {
			return &stampedev1.Permit{Ref: r.Proto(), DispatchUntilSession: g.raise(r, p.GetNextSession()+40)}
		}
		b.d.latency = func(string) time.Duration { return time.Millisecond }
		_, end := b.agent()
		b.start(`
endpoint: {url: "http://target/v1", model: m}
load: {stages: [{concurrency: 4, duration: 1s}]}`, ref("run", 0, 1))
		b.release("run", 0, 0, 0)
		start := clock.Now()
		b.until(done, 1, time.Minute)
		if n := len(b.d.sent); n != 4000 {
			t.Errorf("4 slots of 1 ms sent %d requests in 1 s, want 4000", n)
		}
		if n := len(b.c.beats); n < 4000/40 || n > 4000/10 {
			t.Errorf("%d heartbeats for 100 windows", n)
		}
		if took := clock.Now() - start; took > int64(2*time.Second) {
			t.Errorf("it took %v", time.Duration(took))
		}
		if err := end(); err != nil {
			t.Error(err)
		}
	})
}
