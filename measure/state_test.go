package measure

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

func stateConfig() Config {
	return Config{
		Phases:    []PhaseInfo{{Name: "warmup", Warmup: true}, {Name: "a"}, {Name: "b", Closed: true, Judged: true}},
		SLO:       SLO{TTFT: 5e8, E2E: 1e10},
		Streaming: true, TimeTolerance: 1e8,
	}
}

func stateSample(rng *rand.Rand, s *Sample, seconds int64) {
	at := rng.Int64N(seconds) * 1_000_000_000
	*s = Sample{
		Index: rng.Int64N(1000), Phase: rng.Int32N(3), Status: Status(rng.IntN(7)), Attempt: 1, ScheduleOffset: at, Intended: at,
		Sent: at + rng.Int64N(1e7), Headers: Absent, FirstToken: Absent, FirstOutput: Absent, LastToken: Absent, End: Absent,
		InputTokens: rng.Int32N(300) - 1, OutputTokens: -1, ReasoningTokens: -1, CachedTokens: rng.Int32N(10) - 1,
		KernelStamped: rng.IntN(2) == 0, ReadDelayMax: rng.Int64N(1e6), ConnectNanos: rng.Int64N(2) * rng.Int64N(1e6), ResendNanos: rng.Int64N(2) * rng.Int64N(1e6),
		ErrorKind: []string{"refused", "stalled", ""}[rng.IntN(3)], ErrorMessage: "no", ChunkOffsets: s.ChunkOffsets[:0],
	}
	if s.Status != Succeeded {
		s.End = s.Sent + rng.Int64N(1e9)
		return
	}
	offset := rng.Int64N(1e9)
	for range 1 + rng.IntN(20) {
		s.ChunkOffsets = append(s.ChunkOffsets, offset)
		offset += rng.Int64N(1e8)
	}
	s.OutputTokens = int32(len(s.ChunkOffsets))
	s.FirstToken, s.LastToken = s.Sent+s.ChunkOffsets[0], s.Sent+s.ChunkOffsets[len(s.ChunkOffsets)-1]
	s.FirstOutput, s.End = s.FirstToken, s.LastToken
}

// everything is all that a set says.
func everything(t interface{ Fatal(...any) }, s *Set) []byte {
	all := map[string]any{"series": s.Series(), "errors": s.Errors(), "overflow": s.Overflow(), "warmup": s.Warmup(), "live": s.Live(3e12), "recent": s.RecentTokens(3e12, 60), "coalesced": s.Coalesced(), "shed": s.DetailShed()}
	for _, sc := range []Scope{Measured, 1, 2} {
		key := string(rune('k' + int(sc)))
		all[key+"throughput"], all[key+"judged"] = s.Throughput(sc), s.Judged(sc)
		for _, f := range Figures() {
			all[key+string(f)] = s.Distribution(sc, f)
		}
	}
	for _, name := range s.AgentNames() {
		all["agent "+name] = s.Agent(name)
	}
	data, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// A set that was written and read goes on as the one that wrote it, to the bit.
func TestStateGoesOn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		a := NewSet(stateConfig())
		seconds := int64(20)
		if rng.IntN(20) == 0 {
			seconds = 30_000 // far enough for bins to be joined
		}
		var s Sample
		fold := func(sets ...*Set) {
			for range rng.IntN(200) {
				stateSample(rng, &s, seconds)
				name := []string{"x", "y"}[rng.IntN(2)]
				for _, set := range sets {
					set.Fold(name, &s)
				}
			}
		}
		fold(a)
		a.Window(1, 5, 9e12)
		state := a.AppendState(nil)
		b := NewSet(stateConfig())
		if err := b.RestoreState(state); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(b.AppendState(nil), state) {
			t.Fatal("what was read is written otherwise")
		}
		fold(a, b)
		if want, got := everything(t, a), everything(t, b); !bytes.Equal(want, got) {
			t.Fatalf("restored\n%s\nwant\n%s", got, want)
		}
		other := stateConfig()
		other.TimeTolerance++
		if NewSet(other).RestoreState(state) == nil {
			t.Fatal("the state of another config was taken")
		}
	})
}

// FuzzState: whatever bytes come, an error or a set that can be used.
func FuzzState(f *testing.F) {
	rng := rand.New(rand.NewPCG(1, 2))
	set := NewSet(stateConfig())
	f.Add(set.AppendState(nil))
	var s Sample
	for range 20 {
		stateSample(rng, &s, 2)
		set.Fold("x", &s)
	}
	f.Add(set.AppendState(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		set := NewSet(stateConfig())
		if set.RestoreState(data) != nil {
			return
		}
		stateSample(rng, &s, 2)
		set.Fold("x", &s)
		_ = set.Throughput(1)
		_, _ = set.Series(), set.Live(1e9)
		_ = set.Distribution(1, TTFT)
	})
}

// A field that is added must be added to the state, too, or a run that is resumed
// from a checkpoint reports something else: whoever changes a number here has
// looked at state.go.
func TestStateKnowsAllFields(t *testing.T) {
	for _, tt := range []struct {
		of   any
		want int
	}{
		{Set{}, 9}, {phase{}, 27}, {Histogram{}, 8}, {sums{}, 3}, {lane{}, 2}, {timeline{}, 2}, {bin{}, 4}, {live{}, 1},
		{liveSecond{}, 2}, {series{}, 2}, {point{}, 5}, {sketch{}, 1}, {bucket{}, 2}, {errorGroups{}, 1}, {ErrorGroup{}, 7}, {agent{}, 11},
	} {
		if got := reflect.TypeOf(tt.of).NumField(); got != tt.want {
			t.Errorf("%T has %d fields, the state was written for %d", tt.of, got, tt.want)
		}
	}
}
