package agent

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stampede-bench/stampede/measure"
	"github.com/stampede-bench/stampede/workload"
	"github.com/stampede-bench/stampede/workload/dataset"
)

// chats is a corpus of sessions with three turns each.
type chats struct{}

func (chats) Len() int64                  { return -1 }
func (chats) Turns(int64) int             { return 3 }
func (chats) EntriesBefore(i int64) int64 { return 3 * i }
func (chats) Offset(int64) int64          { return -1 }
func (chats) Session(i int64) dataset.Session {
	turn := func(text string) dataset.Turn {
		return dataset.Turn{Messages: []dataset.Message{{Role: "user", Content: text}}, OffsetNanos: -1}
	}
	return dataset.Session{Index: i, OffsetNanos: -1, Turns: []dataset.Turn{turn("hello"), turn("two words"), turn("bye")}}
}

// chatting makes an agent send chats.
func chatting(a *Agent) {
	a.openCorpus = func(*workload.Spec, string, []byte, dataset.Options) (dataset.Corpus, []string, error) {
		return chats{}, nil, nil
	}
}

func TestTurnsFollowOneAnother(t *testing.T) {
	for _, load := range []string{"{rate: 10, arrival: constant, duration: 200ms}", "{concurrency: 2, requests: 2}"} {
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
	for _, load := range []string{"{rate: 10, arrival: constant, duration: 300ms}", "{concurrency: 1, requests: 3}"} {
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
		b.start("endpoint: {url: \"http://target/v1\", model: m}\nload: {stages: [{concurrency: 2, duration: 1h}]}", ref("run", 0, 1))
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
