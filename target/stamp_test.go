package target

import (
	"testing"

	"github.com/stampede-bench/stampede/internal/clock"
)

const (
	us  = int64(1e3)
	ms  = int64(1e6)
	sec = int64(1e9)
)

// TestStamper plays readings of both clocks. The wall clock stands at 1000 s when
// the monotonic one stands at 0.
func TestStamper(t *testing.T) {
	const epoch = 1000 * sec
	type step struct {
		say        string
		mono, wall int64 // the pair; wall as an error of the wall clock
		stamp      int64 // when the last byte arrived on the monotonic clock; -1: no stamp
		stampWall  int64 // the wall clock's error when the stamp was taken
		emptyAt    int64
		at         int64
		kernel     bool
		stepped    bool
		width, lag int64
		stepsInSum int64
		noRead     bool // only a pair was seen
	}
	for name, steps := range map[string][]step{
		"a stamp is believed": {
			{say: "30 µs before the read", mono: 10 * ms, stamp: 10*ms - 30*us, emptyAt: 9 * ms,
				at: 10*ms - 30*us, kernel: true, width: ms - 30*us, lag: 30 * us},
		},
		"a late reader": {
			{say: "9 ms late", mono: 20 * ms, stamp: 11 * ms, emptyAt: 10 * ms, at: 11 * ms, kernel: true, width: ms, lag: 9 * ms},
		},
		"no stamp": {
			{say: "the process's time, and the most it can be off", mono: 20 * ms, stamp: -1, emptyAt: 19 * ms,
				at: 20 * ms, width: ms, lag: ms},
		},
		"the wall clock is set ahead": {
			{say: "a pair", mono: 10 * ms, noRead: true},
			{say: "stamped before the step, read after it", mono: 11 * ms, wall: 2 * sec, stamp: 10*ms + 500*us, emptyAt: 10 * ms,
				at: 11 * ms, stepped: true, width: ms, lag: ms, stepsInSum: 1},
			{say: "another socket, last seen empty before the step", mono: 11*ms + 10*us, wall: 2 * sec, stamp: 10*ms + 600*us, emptyAt: 10 * ms,
				at: 11*ms + 10*us, stepped: true, width: ms + 10*us, lag: ms + 10*us, stepsInSum: 1},
			{say: "seen empty after the step", mono: 12 * ms, wall: 2 * sec, stamp: 12*ms - 20*us, stampWall: 2 * sec, emptyAt: 11*ms + 500*us,
				at: 12*ms - 20*us, kernel: true, width: 480 * us, lag: 20 * us, stepsInSum: 1},
		},
		"the wall clock is set back": {
			{say: "a pair", mono: 10 * ms, noRead: true},
			{say: "the stamp lies in the future", mono: 11 * ms, wall: -2 * sec, stamp: 11*ms - 20*us, emptyAt: 10 * ms,
				at: 11 * ms, stepped: true, width: ms, lag: ms, stepsInSum: 1},
		},
		"a step of 1.2 ms is one, of 0.8 ms none": {
			{say: "a pair", mono: 10 * ms, noRead: true},
			{say: "0.8 ms", mono: 11 * ms, wall: 800 * us, noRead: true},
			{say: "and 1.2 ms more", mono: 12 * ms, wall: 2 * ms, noRead: true, stepsInSum: 1},
		},
		"slewing is no step": {
			{say: "a pair", mono: 0, noRead: true},
			{say: "a minute later, at 400 ppm", mono: 60 * sec, wall: 24 * ms, noRead: true},
		},
		"a stamp of long ago": {
			{say: "over 10 s", mono: 20 * sec, stamp: 9 * sec, emptyAt: 8 * sec, at: 20 * sec, stepped: true, width: 12 * sec, lag: 12 * sec},
			{say: "just under", mono: 21 * sec, stamp: 11*sec + ms, emptyAt: 11 * sec, at: 11*sec + ms, kernel: true, width: ms, lag: 10*sec - ms},
		},
		"softirq later than the poll": {
			{say: "a stamp before the socket was seen empty has no negative width", mono: 20 * ms, stamp: 19 * ms, emptyAt: 19*ms + 5*us,
				at: 19 * ms, kernel: true, width: 0, lag: ms},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var s stamper
			for _, st := range steps {
				p := clock.Pair{Mono: st.mono + 1, Unix: epoch + st.mono + st.wall}
				if st.noRead {
					s.see(p)
				} else {
					stamp := int64(0)
					if st.stamp >= 0 {
						stamp = epoch + st.stamp + st.stampWall
					}
					a := s.arrival(p, stamp, st.emptyAt+1)
					if a.at != st.at+1 || a.kernel != st.kernel || a.stepped != st.stepped || a.width() != st.width || a.lag != st.lag {
						t.Errorf("%s: got %+v, width %d", st.say, a, a.width())
					}
				}
				if s.steps != st.stepsInSum {
					t.Errorf("%s: %d steps, want %d", st.say, s.steps, st.stepsInSum)
				}
			}
		})
	}
}

// TestTornPair loses the processor between the readings of the two clocks, which is
// no step of the wall clock.
func TestTornPair(t *testing.T) {
	const epoch = 1000 * sec
	for name, c := range map[string]struct {
		pairs []clock.Pair
		steps int64
		want  clock.Pair
	}{
		"torn, and read again":         {[]clock.Pair{{Mono: 20 * ms, Unix: epoch + 24*ms}, {Mono: 25 * ms, Unix: epoch + 25*ms}}, 0, clock.Pair{Mono: 25 * ms, Unix: epoch + 25*ms}},
		"torn by less than counts":     {[]clock.Pair{{Mono: 20 * ms, Unix: epoch + 20*ms + 900*us}}, 0, clock.Pair{Mono: 20 * ms, Unix: epoch + 20*ms + 900*us}},
		"set, which both readings say": {[]clock.Pair{{Mono: 20 * ms, Unix: epoch + 24*ms}, {Mono: 21 * ms, Unix: epoch + 25*ms}}, 1, clock.Pair{Mono: 21 * ms, Unix: epoch + 25*ms}},
	} {
		t.Run(name, func(t *testing.T) {
			var s stamper
			s.see(clock.Pair{Mono: 10 * ms, Unix: epoch + 10*ms})
			n := 0
			got := s.take(func() clock.Pair { n++; return c.pairs[n-1] })
			if got != c.want || s.steps != c.steps || n != len(c.pairs) {
				t.Errorf("%+v after %d readings, %d steps; want %+v after %d, %d steps", got, n, s.steps, c.want, len(c.pairs), c.steps)
			}
		})
	}
}
