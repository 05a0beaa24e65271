package agent

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stampede-bench/stampede/measure"
	"github.com/stampede-bench/stampede/schedule"
	"github.com/stampede-bench/stampede/workload"
	"github.com/stampede-bench/stampede/workload/dataset"
)

// chats is a corpus of sessions with three turns each.
type chats struct{}

func (chats) Len() int64                  { return -1 }
func (chats) Turns(int64) int             { return 3 }
func (chats) EntriesBefore(i int64) int64 { return 3 * i }
func (chats) Offset(int64) int64          { return -1 }
func (chats) Session(i int64) (dataset.Session, error) {
	turn := func(text string) dataset.Turn {
		return dataset.Turn{Messages: []dataset.Message{{Role: "user", Content: text}}, OffsetNanos: -1}
	}
	return dataset.Session{Index: i, OffsetNanos: -1, Turns: []dataset.Turn{turn("hello"), turn("two words"), turn("bye")}}, nil
}

// chatting makes an agent send chats.
func chatting(a *Agent) {
	a.openCorpus = func(*workload.Spec, string, *dataset.File, dataset.Options) (dataset.Corpus, []string, error) {
		return chats{}, nil, nil
	}
}

func TestTurnsFollowOneAnother(t *testing.T) {
	for _, load := range []string{"{rate: 10, arrival: constant, duration: 200ms}", "{concurrency: 2, requests: 6}", "{concurrency: 2, requests: 6, concurrency_of: sessions}"} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t)
			defer b.close()
			a, end := b.agent()
			chatting(a)
			b.start("endpoint: {url: \"http://target/v1\", model: m}\nload: {stages: ["+load+"]}", ref("run", 0, 1))
			b.release("run", 0, 0, 0)
			b.until(done, 1, time.Minute)
			samples := b.c.samples(t)
			if len(samples) != 6 {
				t.Fatalf("%d samples, want 6", len(samples))
			}
			for i, s := range samples {
				if s.Index != int64(i) || s.Session != int64(i/3) || s.Turn != int32(i%3) || s.Status != measure.Succeeded {
					t.Errorf("sample %d: %+v", i, s)
				}
				// Two words are typed in two seconds, one in one.
				if i%3 > 0 {
					pause := time.Duration(3-i%3) * time.Second
					if got := time.Duration(s.Sent - samples[i-1].End); got != pause || s.Intended != s.Sent || s.ScheduleOffset != measure.Absent {
						t.Errorf("entry %d came %v after the one before, want %v", i, got, pause)
					}
				}
			}
			for _, s := range b.d.sent {
				if turn := (s.id[len(s.id)-1] - '0') % 3; s.messages != 1+2*int(turn) {
					t.Errorf("%s carried %d messages", s.id, s.messages)
				}
			}
			if err := end(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestFailedTurnEndsItsSession(t *testing.T) {
	for _, load := range []string{"{rate: 10, arrival: constant, duration: 300ms}", "{concurrency: 1, requests: 9}", "{concurrency: 1, requests: 9, concurrency_of: sessions}"} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t)
			defer b.close()
			b.d.fail = func(id string) bool { return strings.HasSuffix(id, "-3") || strings.HasSuffix(id, "-7") }
			a, end := b.agent()
			chatting(a)
			b.start("endpoint: {url: \"http://target/v1\", model: m}\nload: {stages: ["+load+"]}", ref("run", 0, 1))
			b.release("run", 0, 0, 0)
			b.until(done, 1, time.Minute)
			want := []measure.Status{
				measure.Succeeded, measure.Succeeded, measure.Succeeded,
				measure.Failed, measure.Unsent, measure.Unsent,
				measure.Succeeded, measure.Failed, measure.Unsent,
			}
			samples := b.c.samples(t)
			if len(samples) != len(want) {
				t.Fatalf("%d samples, want %d", len(samples), len(want))
			}
			for i, s := range samples {
				if s.Index != int64(i) || s.Turn != int32(i%3) || s.Status != want[i] {
					t.Errorf("entry %d: index %d turn %d status %d, want status %d", i, s.Index, s.Turn, s.Status, want[i])
				}
			}
			if err := end(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestStopEndsSessionsBetweenTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.close()
		a, end := b.agent()
		chatting(a)
		b.start("endpoint: {url: \"http://target/v1\", model: m}\nload: {stages: [{concurrency: 2, duration: 1h, concurrency_of: sessions}]}", ref("run", 0, 1))
		b.release("run", 0, 0, 0)
		time.Sleep(time.Second)
		b.stop("run", time.Minute)
		b.until(done, 1, 100*time.Millisecond)
		if n := len(b.c.samples(t)); n != 2 {
			t.Errorf("%d samples, want the 2 first turns", n)
		}
		if err := end(); err != nil {
			t.Error(err)
		}
	})
}

func TestFollowDue(t *testing.T) {
	second := int64(time.Second)
	message := []dataset.Message{{Role: "system", Content: "not typed by anyone"}, {Role: "user", Content: " four words are  typed"}}
	tests := []struct {
		name         string
		turn         dataset.Turn
		began, ended int64
		wps          float64
		want         int64
	}{
		{"typed", dataset.Turn{OffsetNanos: -1, Messages: message}, 0, second, 2, 3 * second},
		{"no time to type", dataset.Turn{OffsetNanos: -1, Messages: message}, 0, second, 0, second},
		{"recorded", dataset.Turn{OffsetNanos: 5 * second, Messages: message}, 10 * second, 11 * second, 1, 15 * second},
		{"a pause of its own", dataset.Turn{OffsetNanos: -1, ThinkNanos: 4 * second, Messages: message}, 0, second, 1, 5 * second},
		{"no pause", dataset.Turn{OffsetNanos: -1, ThinkNanos: -1, Messages: message}, 0, second, 1, second},
		{"recorded, but the turn before took longer", dataset.Turn{OffsetNanos: 5 * second}, 10 * second, 20 * second, 1, 20 * second},
	}
	for _, test := range tests {
		if got := followDue(&test.turn, test.began, test.ended, test.wps); got != test.want {
			t.Errorf("%s: due at %v, want %v", test.name, time.Duration(got), time.Duration(test.want))
		}
	}
}

// TestConcurrencyOfRequests holds that a session gives its slot back between its
// turns, so that as many requests as slots are in flight at all times, and that its
// next turn comes before a new session.
func TestConcurrencyOfRequests(t *testing.T) {
	for _, of := range []string{"requests", "sessions"} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t)
			defer b.close()
			b.d.latency = func(string) time.Duration { return time.Second }
			a, end := b.agent()
			chatting(a)
			b.start("endpoint: {url: \"http://target/v1\", model: m}\nload: {stages: [{concurrency: 2, duration: 10s, concurrency_of: "+of+"}]}", ref("run", 0, 1))
			b.release("run", 0, 0, 0)
			b.until(done, 1, time.Minute)
			// Turn 2 comes 2 s after the first's end, turn 3 a second after that's.
			first := map[int64]int64{}
			sentWithin := 0
			samples := b.c.samples(t)
			for _, s := range samples {
				if s.Status != measure.Succeeded || s.Sent < s.Intended {
					t.Errorf("entry %d: status %d, sent %v before it was due", s.Index, s.Status, time.Duration(s.Intended-s.Sent))
				}
				if s.Turn == 0 {
					first[s.Session] = s.Sent
				}
				if s.Sent < int64(10*time.Second) {
					sentWithin++
				}
			}
			switch of {
			case "sessions":
				// A session takes 6 s, so each slot begins a second one and ends it.
				if len(first) != 4 || b.d.most > 2 {
					t.Errorf("%d sessions were begun, at most %d requests in flight", len(first), b.d.most)
				}
			default:
				if sentWithin != 20 || b.d.most != 2 {
					t.Errorf("%d requests in 10 s, want 20; at most %d in flight, want 2", sentWithin, b.d.most)
				}
			}
			if len(samples) != 3*len(first) {
				t.Errorf("%d requests of %d sessions", len(samples), len(first))
			}
			if err := end(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestTurnsOutliveTheirPhase has a turn wait for a slot that is still thinking when the
// phase ends: from then on no slot has to.
func TestTurnsOutliveTheirPhase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.close()
		b.c.period = 5 * time.Second // whose answers wake the dispatcher
		a, end := b.agent()
		chatting(a)
		b.start("endpoint: {url: \"http://target/v1\", model: m}\nload: {stages: [{concurrency: 1, think_time: 20s, duration: 3s, requests: 30}]}", ref("run", 0, 1))
		b.release("run", 0, 0, 0)
		b.until(done, 1, time.Minute)
		var sent []time.Duration
		for _, s := range b.c.samples(t) {
			sent = append(sent, time.Duration(s.Sent))
		}
		want := []time.Duration{0, 3 * time.Second, 4*time.Second + 10*time.Millisecond}
		if !slices.Equal(sent, want) {
			t.Errorf("turns were sent at %v, want %v", sent, want)
		}
		if err := end(); err != nil {
			t.Error(err)
		}
	})
}

// TestTurnsAfterAWiderPhase holds that turns which are left over go on the slots of the
// last phase, not on all there ever were.
func TestTurnsAfterAWiderPhase(t *testing.T) {
	var s slots
	s.drop = func(*entry) {}
	deal := func(count int) {
		p := &phase{Phase: &schedule.Phase{Kind: schedule.Closed}, ready: make(chan *entry)}
		p.built.Store(true)
		s.begin(p, count, 0, never)
		s.take(1)
	}
	deal(4)
	deal(1)
	for range 2 {
		s.wait(&entry{})
	}
	if d := s.take(1); d.entry == nil || d.entry.slot != 0 {
		t.Errorf("the first turn got %+v", d.entry)
	}
	if d := s.take(1); d.entry != nil {
		t.Errorf("the second turn got slot %d of one", d.entry.slot)
	}
	s.release(0, 2)
	deal(0) // a phase with slots elsewhere alone
	if d := s.take(2); d.entry == nil {
		t.Error("the second turn got none")
	}
}

func TestStopGivesUpTurnsThatWaitForASlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.close()
		b.d.latency = func(string) time.Duration { return time.Second }
		a, end := b.agent()
		chatting(a)
		b.start("endpoint: {url: \"http://target/v1\", model: m}\nload: {stages: [{concurrency: 1, duration: 1h}]}", ref("run", 0, 1))
		b.release("run", 0, 0, 0)
		time.Sleep(20500 * time.Millisecond)
		b.stop("run", 10*time.Second)
		b.until(done, 1, 15*time.Second)
		if n := len(b.c.samples(t)); n < 20 || n > 21 {
			t.Errorf("%d samples of 20.5 s, one in flight", n)
		}
		if err := end(); err != nil {
			t.Error(err)
		}
	})
}
