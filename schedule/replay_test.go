package schedule

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/workload"
	"github.com/stampede-bench/stampede/workload/dataset"
	"pgregory.net/rapid"
)

// recording is a corpus of sessions with arrivals and numbers of turns; it wraps
// round.
type recording struct {
	offsets []int64
	turns   []int
}

func (r recording) Len() int64        { return int64(len(r.turns)) }
func (r recording) Turns(i int64) int { return r.turns[i%r.Len()] }
func (r recording) Offset(i int64) int64 {
	if r.offsets == nil {
		return -1
	}
	return r.offsets[i%r.Len()]
}

func (r recording) EntriesBefore(i int64) int64 {
	n := int64(0)
	for k := range i {
		n += int64(r.Turns(k))
	}
	return n
}

func (r recording) Session(i int64) (dataset.Session, error) {
	return dataset.Session{Index: i, OffsetNanos: r.Offset(i), Turns: make([]dataset.Turn, r.Turns(i))}, nil
}

const second64 = int64(time.Second)

func replayPlan(t interface{ Fatalf(string, ...any) }, c dataset.Corpus, stages ...workload.Stage) *Plan {
	plan, err := Compile(&workload.Spec{Load: workload.Load{Stages: stages}}, c)
	if err != nil {
		t.Fatalf("compile: %v", err)
	}
	return plan
}

func offsets(p *Phase) []int64 {
	var all []int64
	for k, at := range p.Arrivals(Whole, 0) {
		if at != p.Offset(k) {
			panic("Arrivals and Offset differ")
		}
		all = append(all, at)
	}
	return all
}

func TestReplay(t *testing.T) {
	c := recording{offsets: []int64{0, second64, second64, 4 * second64}, turns: []int{1, 1, 1, 1}}
	scale := func(x float64) *float64 { return &x }
	for _, tt := range []struct {
		name     string
		stage    workload.Stage
		want     []float64 // seconds
		duration float64
	}{
		{"as recorded", workload.Stage{Replay: &workload.Replay{}}, []float64{0, 1, 1, 4}, 4 + 4.0/3},
		{"twice as fast", workload.Stage{Replay: &workload.Replay{TimeScale: scale(2)}}, []float64{0, 0.5, 0.5, 2}, 2 + 2.0/3},
		{"slower", workload.Stage{Replay: &workload.Replay{TimeScale: scale(0.1)}}, []float64{0, 10, 10, 40}, 40 + 40.0/3},
		{"from the middle", workload.Stage{Replay: &workload.Replay{Offset: seconds64(0.5)}}, []float64{0.5, 0.5, 3.5}, 5},
		{"bounded by time", workload.Stage{Replay: &workload.Replay{}, Duration: seconds64(3)}, []float64{0, 1, 1}, 3},
		{"bounded by count", workload.Stage{Replay: &workload.Replay{}, Requests: 3}, []float64{0, 1, 1}, 4},
		{"longer than it is", workload.Stage{Replay: &workload.Replay{}, Duration: seconds64(60)}, []float64{0, 1, 1, 4}, 4 + 4.0/3},
		{"round and round", workload.Stage{Replay: &workload.Replay{Loop: true, Offset: seconds64(1)}, Requests: 7}, []float64{0, 0, 3, 4.5, 4.5, 7.5, 9}, 9 + 1e-9},
		{"round for some time", workload.Stage{Replay: &workload.Replay{Loop: true, Offset: seconds64(1)}, Duration: seconds64(9)}, []float64{0, 0, 3, 4.5, 4.5, 7.5}, 9},
	} {
		p := replayPlan(t, c, tt.stage).Phases[0]
		var want []int64
		for _, s := range tt.want {
			want = append(want, int64(s*1e9))
		}
		if got := offsets(p); !reflect.DeepEqual(got, want) || p.Sessions != int64(len(want)) {
			t.Errorf("%s: got %v, want %v", tt.name, got, want)
		}
		if got := float64(p.Duration) / 1e9; got < tt.duration-1e-8 || got > tt.duration+1e-8 {
			t.Errorf("%s: takes %v s, want %v", tt.name, got, tt.duration)
		}
		if !p.Judged || p.Kind != Open || p.Steady(&tt.stage) {
			t.Errorf("%s: %+v", tt.name, p)
		}
	}
}

func TestReplayErrors(t *testing.T) {
	one := recording{offsets: []int64{0, second64}, turns: []int{1, 1}}
	replay := workload.Stage{Replay: &workload.Replay{}}
	for _, tt := range []struct {
		name   string
		corpus dataset.Corpus
		stages []workload.Stage
		want   string
	}{
		{"no arrivals", recording{turns: []int{1}}, []workload.Stage{replay}, "load.stages[0].replay: needs recorded arrivals, which the dataset does not have"},
		{"nothing at all", nil, []workload.Stage{replay}, "load.stages[0].replay: needs recorded arrivals, which the dataset does not have"},
		{"out of order", recording{offsets: []int64{0, 5, 4}, turns: []int{1, 1, 1}}, []workload.Stage{replay}, "load.stages[0].replay: needs arrivals in order, but session 2 is recorded before the one in front of it"},
		{"begins behind its end", one, []workload.Stage{{Replay: &workload.Replay{Offset: seconds64(2)}}}, "load.stages[0].replay: begins at 2s, but the last session is recorded at 1s"},
		{"after an unknown number", one, []workload.Stage{{Concurrency: ptr(1), Duration: seconds64(1)}, replay}, "load.stages[1].replay: can't follow a closed loop that time ends"},
		{"too short", recording{offsets: []int64{second64}, turns: []int{1}}, []workload.Stage{{Replay: &workload.Replay{}, Duration: seconds64(0.5)}}, "load.stages[0].duration: is over before the first session"},
		{"without end", one, []workload.Stage{{Replay: &workload.Replay{Loop: true}}}, "load.stages[0]: would take longer than 366 days"},
	} {
		_, err := Compile(&workload.Spec{Load: workload.Load{Stages: tt.stages}}, tt.corpus)
		var list workload.Errors
		if !errors.As(err, &list) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %s", tt.name, err, tt.want)
		}
	}
}

// TestReplayIsOrdered holds for any recording, scale and loop: offsets rise, lie
// within the duration, and Before counts them.
func TestReplayIsOrdered(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 30).Draw(t, "sessions")
		c := recording{turns: make([]int, n)}
		at := int64(0)
		for i := range n {
			c.offsets = append(c.offsets, at)
			c.turns[i] = rapid.IntRange(1, 4).Draw(t, "turns")
			at += rapid.Int64Range(0, 1e12).Draw(t, "gap")
		}
		scale := rapid.SampledFrom([]float64{1, 2, 0.5, 3, 0.1, 1e6, 1.7}).Draw(t, "scale")
		st := workload.Stage{Replay: &workload.Replay{TimeScale: &scale, Loop: rapid.Bool().Draw(t, "loop")}}
		if st.Replay.Loop {
			st.Requests = rapid.Int64Range(1, 200).Draw(t, "requests")
		}
		plan := replayPlan(t, c, st)
		p := plan.Phases[0]
		all := offsets(p)
		for k, got := range all {
			if k > 0 && got < all[k-1] || got < 0 || got >= p.Duration {
				t.Fatalf("session %d of %d at %d of %d", k, len(all), got, p.Duration)
			}
			if k == 0 || got > all[k-1] {
				if b := p.Before(got); b != int64(k) {
					t.Fatalf("%d before %d, want %d", b, got, k)
				}
			}
		}
		played := plan.Play(c)
		entries := played.EntriesBefore(p.Sessions)
		if st.Requests > 0 && (entries < st.Requests || played.EntriesBefore(p.Sessions-1) >= st.Requests) {
			t.Fatalf("%d entries in %d sessions for %d requests", entries, p.Sessions, st.Requests)
		}
	})
}

func TestPlayedSessions(t *testing.T) {
	c := recording{offsets: []int64{0, 1, 2, 3, 4}, turns: []int{1, 2, 3, 4, 5}}
	plan := replayPlan(t, c,
		workload.Stage{Concurrency: ptr(2), Requests: 3},                              // sessions 0, 1
		workload.Stage{Replay: &workload.Replay{Offset: 3, Loop: true}, Requests: 15}, // 3 4 3 4
		workload.Stage{Rate: ptr(workload.Rate(1)), Arrival: "constant", Requests: 1}, // 2
		workload.Stage{Replay: &workload.Replay{}, Requests: 1},                       // 0
		workload.Stage{Concurrency: ptr(1), Duration: seconds64(1)},                   // 3 4 0 …
	)
	played := plan.Play(c)
	want := []int64{0, 1, 3, 4, 3, 4, 2, 0, 3, 4, 0, 1}
	entries := int64(0)
	for i, from := range want {
		s, _ := played.Session(int64(i))
		if len(s.Turns) != c.turns[from] || s.Index != int64(i) || s.OffsetNanos != from || played.Turns(int64(i)) != c.turns[from] || played.Offset(int64(i)) != from {
			t.Errorf("session %d: %d turns, index %d, offset %d; want session %d", i, len(s.Turns), s.Index, s.OffsetNanos, from)
		}
		if got := played.EntriesBefore(int64(i)); got != entries {
			t.Errorf("%d entries before session %d, want %d", got, i, entries)
		}
		entries += int64(c.turns[from])
	}
	if again := plan.Play(played); again != played {
		t.Error("what is played is played again")
	}
	if plain := replayPlan(t, c, workload.Stage{Concurrency: ptr(1), Requests: 3}); reflect.TypeOf(plain.Play(c)) != reflect.TypeOf(c) {
		t.Error("without a replay nothing is to be played")
	}
}

func TestRequestsCountTurns(t *testing.T) {
	c := recording{turns: []int{3, 1, 2}}
	for _, stage := range []workload.Stage{
		{Concurrency: ptr(4), Requests: 5},
		{Rate: ptr(workload.Rate(1)), Arrival: "constant", Requests: 5},
		{Rate: ptr(workload.Rate(1)), Requests: 5},
		funcStageOf("lambda t: 10 * t if t < 60 else None", 5),
	} {
		plan := replayPlan(t, c, stage, stage)
		// 3+1+2 reach 5 with the third session, and so do the next three.
		for i, p := range plan.Phases {
			if p.Sessions != 3 {
				t.Errorf("%s, stage %d: %d sessions", p.Name, i, p.Sessions)
			}
		}
	}
}

func funcStageOf(source string, requests int64) workload.Stage {
	s := funcStage(source)
	s.Requests = requests
	return s
}

func TestHashOfReplay(t *testing.T) {
	c := recording{offsets: []int64{0, 1, 2, 3, 4, 5, 6}, turns: []int{1, 2, 3, 1, 2, 1, 1}}
	spec := &workload.Spec{Load: workload.Load{Stages: []workload.Stage{{Replay: &workload.Replay{Offset: 2}}}}}
	plan := replayPlan(t, c, spec.Load.Stages...)
	whole := hashOf(t, plan, c, spec, nil, Whole)
	if again := hashOf(t, plan, plan.Play(c), spec, nil, Whole); again != whole {
		t.Error("the hash depends on whether the corpus is played")
	}
	var sum Hash
	for _, part := range Whole.Split(3) {
		sum = sum.Add(hashOf(t, plan, c, spec, nil, part))
	}
	if sum != whole {
		t.Error("the hash depends on the number of agents")
	}
}
