package controller

import (
	"strconv"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/internal/clock"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/report"
)

// TestPeerClock: what an agent tells of its clock is estimated, and nonsense is
// ignored.
func TestPeerClock(t *testing.T) {
	const skew = int64(5 * time.Millisecond)
	now := int64(1000e9)
	var c peerClock
	if _, ok := c.view(now); ok {
		t.Error("an estimate before the first exchange")
	}
	exchange := func(sequence, up, down int64) {
		c.sent(sequence, clock.Exchange{T0: now + skew, T1: now + up, T2: now + up + 1000})
		c.received(sequence, now+up+1000+down+skew, 0)
		now += up + 1000 + down
	}
	hold := func(most int64) {
		t.Helper()
		if v, ok := c.view(now); !ok || v.bound > most || v.offset < skew-v.bound || v.offset > skew+v.bound {
			t.Errorf("offset %d ± %d, true %d, bound at most %d", v.offset, v.bound, skew, most)
		}
	}
	exchange(1, 10_000_000, 1_000_000)
	hold(6_000_000)
	exchange(2, 100_000, 120_000)
	hold(111_000)
	now += int64(time.Minute) // 6 ms of drift are possible: the old one has grown worse
	exchange(3, 200_000, 200_000)
	hold(201_000)
	c.received(99, 1, 0) // never sent
	c.sent(4, clock.Exchange{T0: now + 100, T1: now, T2: now + 10})
	c.received(4, now+50, 0) // arrived before it left
	hold(201_000)
	c.received(0, 0, 1) // the agent saw its wall clock set; what it tells follows the monotonic one
	hold(201_000)
	if v, _ := c.view(now); v.steps != 1 {
		t.Errorf("%d steps, want 1", v.steps)
	}
	if len(c.open) > openRenewals {
		t.Errorf("%d renewals are open", len(c.open))
	}
}

// TestHeartbeatPeriod: it grows with the agents, and never so far that a lease is
// in danger; what is dictated is spread.
func TestHeartbeatPeriod(t *testing.T) {
	g := newRegistry(&Config{Lease: 10 * time.Second, Heartbeat: time.Second}, nil, newWall(), nil)
	for _, test := range []struct {
		agents int
		want   time.Duration
	}{{0, time.Second}, {1000, time.Second}, {4000, 2 * time.Second}, {maxPeers, 10 * time.Second / 3}} {
		for i := len(g.peers); i < test.agents; i++ {
			g.peers[strconv.Itoa(i)] = &peer{}
		}
		if got := g.period(); got != test.want {
			t.Errorf("%d agents: a heartbeat every %v, want %v", test.agents, got, test.want)
		}
	}
	if a, b := jittered(time.Second, 0), jittered(time.Second, 1); a != 900*time.Millisecond || b != 1100*time.Millisecond {
		t.Errorf("jittered between %v and %v", a, b)
	}
}

// An agent's clock that is off, drifts, or is set moves its rows by no more than
// what the report says; a step is counted.
func TestRowsLieOnTheControllersClock(t *testing.T) {
	const ms = time.Millisecond
	for name, test := range map[string]struct {
		clock func(since time.Duration) time.Duration
		ppm   float64
		steps int64
		torn  int // rows between the heartbeats around a step, and those that a clock shows twice
	}{
		"true":             {clock: func(time.Duration) time.Duration { return 0 }},
		"ahead by 5 ms":    {clock: func(time.Duration) time.Duration { return 5 * ms }},
		"a day behind":     {clock: func(time.Duration) time.Duration { return -24 * time.Hour }},
		"fast by 50 ppm":   {clock: func(d time.Duration) time.Duration { return d * 50 / 1e6 }, ppm: 50},
		"slow by 50 ppm":   {clock: func(d time.Duration) time.Duration { return 3*time.Second - d*50/1e6 }, ppm: -50},
		"stopped for 2 s":  {clock: steppedBy(-2 * time.Second), steps: 1, torn: 32},
		"set forward, 2 s": {clock: steppedBy(2 * time.Second), steps: 1, torn: 12},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, Config{}, func(r *rig) {
				f, began := r.agent("a"), time.Now()
				f.clock = func(now time.Time) time.Duration { return test.clock(now.Sub(began)) }
				f.join()
				id := r.run("endpoint: {url: 'http://e', model: m}\nload: {stages: [{rate: 10, arrival: constant, duration: 30s}]}\n")
				r.finished(id)
				raw, err := r.tests.GetReport(r.ctx, &stampedev1.GetReportRequest{TestId: id})
				if err != nil {
					t.Fatal(err)
				}
				rep, err := report.Parse(raw.GetReportJson())
				if err != nil {
					t.Fatal(err)
				}
				a := rep.Agents[0]
				truth := test.clock(time.Since(began)).Seconds()
				if off := *a.ClockOffset - truth; max(off, -off) > *a.ClockBound || *a.ClockBound > 1e-3 {
					t.Errorf("offset %v ± %v s, true %v", *a.ClockOffset, *a.ClockBound, truth)
				}
				if off := *a.ClockDrift - test.ppm/1e6; max(off, -off) > *a.ClockDriftBound+1e-9 || *a.ClockDriftBound > 10e-6 {
					t.Errorf("drift %v ± %v, true %v ppm", *a.ClockDrift, *a.ClockDriftBound, test.ppm)
				}
				if *a.ClockSteps != test.steps {
					t.Errorf("%d clock steps, want %d", *a.ClockSteps, test.steps)
				}
				if off := r.misplaced(id, time.Duration(*a.ClockBound*1e9)); off > test.torn {
					t.Errorf("%d rows are further off than ± %v s, want at most %d", off, *a.ClockBound, test.torn)
				}
			})
		})
	}
}

func steppedBy(d time.Duration) func(time.Duration) time.Duration {
	return func(since time.Duration) time.Duration {
		if since > 15*time.Second {
			return d
		}
		return 0
	}
}

// misplaced counts rows that were sent on time and, brought to the controller's
// clock, lie further off than the bound.
func (r *rig) misplaced(id string, bound time.Duration) (n int) {
	r.t.Helper()
	stream, err := r.tests.StreamSamples(r.ctx, &stampedev1.StreamSamplesRequest{TestId: id})
	if err != nil {
		r.t.Fatal(err)
	}
	rows := 0
	for {
		resp, err := stream.Recv()
		if err != nil {
			break
		}
		for _, s := range resp.GetSamples() {
			rows++
			if off := time.Duration(s.GetSentNanos() + resp.GetCorrectionNanos() - s.GetIntendedNanos()); off.Abs() > bound {
				n++
			}
		}
	}
	if rows != 300 {
		r.t.Errorf("%d rows, want 300", rows)
	}
	return n
}

// TestWallFollowsTheMonotonicClock: what is said of a moment comes back.
func TestWallFollowsTheMonotonicClock(t *testing.T) {
	w := newWall()
	now := time.Now()
	if back := w.at(w.unix(now)); back.Sub(now) != 0 {
		t.Errorf("%v came back as %v", now, back)
	}
	set := time.Unix(0, now.UnixNano()) // as a wall clock shows it, without the monotonic reading
	if w.unix(now) != set.UnixNano() && w.unix(now)-set.UnixNano() > int64(time.Millisecond) {
		t.Errorf("%d, the wall clock shows %d", w.unix(now), set.UnixNano())
	}
}
