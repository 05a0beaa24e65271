package measure

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

const msec = int64(1_000_000)

// request streams tokens 10 ms apart behind a time to first token.
func request(index, intended, ttft int64, tokens int) Sample {
	x := Sample{
		Index: index, Status: Succeeded, ScheduleOffset: intended, Intended: intended, Sent: intended,
		OutputTokens: int32(tokens), InputTokens: 5, ReasoningTokens: -1, CachedTokens: -1, TokenSource: SourceUsage,
	}
	for i := range tokens {
		x.ChunkOffsets = append(x.ChunkOffsets, ttft+int64(i)*10*msec)
	}
	x.FirstToken, x.FirstOutput = intended+ttft, intended+ttft
	x.LastToken = intended + x.ChunkOffsets[tokens-1]
	x.Headers, x.End = intended, x.LastToken
	return x
}

// measured folds a run of one open-loop stage, then gathers its intervals in
// another order.
func measured(t *testing.T, samples []Sample, end int64) (*Set, *Intervals) {
	t.Helper()
	set := NewSet(Config{Phases: []PhaseInfo{{Name: "warmup", Warmup: true}, {Name: "stage", Judged: true}}, Streaming: true})
	set.Window(1, 0, end)
	for i := range samples {
		samples[i].Phase = 1
		set.Fold("a", &samples[i])
	}
	n := int64(len(samples))
	iv := set.Intervals([]Span{{Scope: 1, First: 0, End: n}, {Scope: Measured, First: 0, End: n}})
	for _, i := range rand.New(rand.NewPCG(1, 2)).Perm(len(samples)) {
		iv.Fold(&samples[i])
	}
	return set, iv
}

func TestIntervalsEncloseTheirFigures(t *testing.T) {
	for _, n := range []int{1000, 20_000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			rng := rand.New(rand.NewPCG(3, 4))
			samples := make([]Sample, n)
			for i := range samples {
				samples[i] = request(int64(i), int64(i)*20*msec, 100*msec+int64(rng.ExpFloat64()*100e6), 5)
			}
			set, iv := measured(t, samples, int64(n)*20*msec)
			for _, sc := range []Scope{1, Measured} {
				d, ci := set.Distribution(sc, TTFT), iv.Of(sc, TTFT)
				for name, v := range map[string]*float64{"mean": d.Mean, "p5": d.P5, "p50": d.P50, "p90": d.P90, "p95": d.P95} {
					in, there := ci[name]
					if !there || in[0] >= *v || in[1] <= *v || in[1]-in[0] > 0.2**v {
						t.Errorf("scope %d: %s %g in %v", sc, name, *v, in)
					}
				}
			}
			if _, there := iv.Of(1, TTFT)["p99"]; there != (n > 2000) {
				t.Errorf("p99 of %d requests: %v", n, there)
			}
			if iv.Of(1, Lateness) != nil || iv.Of(0, TTFT) != nil || iv.Of(7, TTFT) != nil || iv.Of(1, "unknown") != nil {
				t.Error("there are intervals of what was not gathered")
			}
		})
	}
}

// TestGapsOfOneRequestAreNotIndependent: requests whose gaps are all alike are
// worth as many values as there are requests.
func TestGapsOfOneRequestAreNotIndependent(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	samples := make([]Sample, 1000)
	for i := range samples {
		x := request(int64(i), int64(i)*20*msec, 100*msec, 20)
		gap := 10*msec + int64(rng.ExpFloat64()*10e6)
		for j := range x.ChunkOffsets {
			x.ChunkOffsets[j] = 100*msec + int64(j)*gap
		}
		x.LastToken = x.Intended + x.ChunkOffsets[19]
		x.End = x.LastToken
		samples[i] = x
	}
	_, iv := measured(t, samples, 20_000*msec)
	itl, tpot := iv.Of(1, ITL), iv.Of(1, TPOT)
	if got := slices.Sorted(maps.Keys(itl)); !slices.Equal(got, slices.Sorted(maps.Keys(tpot))) || len(got) < 4 {
		t.Fatalf("intervals of itl %v, of tpot %v", got, tpot)
	}
	for name, in := range itl {
		wide, want := in[1]-in[0], tpot[name][1]-tpot[name][0]
		if wide < 0.7*want || wide > 1.4*want {
			t.Errorf("%s: itl %v, tpot %v: as many requests, so about as wide", name, in, tpot[name])
		}
	}
}

func TestNoIntervalsWhileLoadBuildsUp(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for _, tt := range []struct {
		name   string
		ttft   func(i int) int64
		builds bool
	}{
		{"steady", func(int) int64 { return 200*msec + rng.Int64N(100*msec) }, false},
		{"queue grows", func(i int) int64 { return 200*msec + int64(i)*10*msec }, true},
		{"queue grew and stopped", func(i int) int64 { return 200*msec + int64(min(i, 1000))*5*msec }, false},
		{"one slow third", func(i int) int64 { return 200*msec + int64(i/1000%2)*300*msec }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			samples := make([]Sample, 3000)
			for i := range samples {
				samples[i] = request(int64(i), int64(i)*10*msec, tt.ttft(i), 2)
			}
			_, iv := measured(t, samples, 30_000*msec)
			if got := iv.BuildsUp(1); got != tt.builds {
				t.Errorf("builds up: %v, want %v", got, tt.builds)
			}
			if tt.builds && (iv.Of(1, TTFT) != nil || iv.Of(Measured, E2E) != nil) {
				t.Error("there are intervals")
			}
		})
	}
}

func TestNoIntervalsOfNothing(t *testing.T) {
	set := NewSet(Config{Phases: []PhaseInfo{{Name: "stage"}}})
	iv := set.Intervals([]Span{{Scope: 0}, {Scope: Measured, First: 5, End: 5}})
	x := request(5, 0, msec, 2)
	for _, status := range []Status{Unsent, Lost, Failed, Cancelled} {
		x.Status = status
		iv.Fold(&x)
	}
	if iv.Of(0, E2E) != nil || iv.Of(Measured, E2E) != nil {
		t.Error("there are intervals")
	}
	var none *Intervals
	if none.Of(Measured, E2E) != nil || none.BuildsUp(0) {
		t.Error("nil has intervals")
	}
}

// TestIntervalsOfARunThatWasStopped are those of what ran of it: what its plan held
// beyond are no batches that were found to be alike.
func TestIntervalsOfARunThatWasStopped(t *testing.T) {
	for _, ran := range []int64{200, 1000} {
		rng := rand.New(rand.NewPCG(7, 8))
		samples := make([]Sample, ran)
		for i := range samples {
			samples[i] = request(int64(i), int64(i)*20*msec, 100*msec+int64(rng.ExpFloat64()*100e6), 5)
		}
		set, whole := measured(t, samples, ran*20*msec)
		want := whole.Of(1, TTFT)
		if has := len(want) > 0; has != (ran == 1000) {
			t.Fatalf("intervals of %d requests: %v", ran, want)
		}
		for _, planned := range []int64{2 * ran, 20 * ran, 4000 * ran} {
			iv := set.Intervals([]Span{{Scope: 1, First: -planned / 2, End: planned}})
			for i := range samples {
				iv.Fold(&samples[i])
			}
			all := iv.Of(1, TTFT)
			if planned == 2*ran && len(all) != len(want) {
				t.Errorf("%d of %d: intervals %v, want as of the whole: %v", ran, planned, all, want)
			}
			for name, got := range all {
				if wide, exact := got[1]-got[0], want[name][1]-want[name][0]; wide < 0.7*exact || exact == 0 {
					t.Errorf("%d of %d: %s in %v, want about %v", ran, planned, name, got, want[name])
				}
			}
		}
	}
}
