package schedule

import (
	"math"
	"testing"

	"github.com/stampede-bench/stampede/workload"
	"github.com/stampede-bench/stampede/workload/dataset"
	"pgregory.net/rapid"
)

// mixed is a spec with every kind of phase.
func mixed(seed int64) *workload.Spec {
	return &workload.Spec{
		Seed:    seed,
		Dataset: workload.Dataset{InputTokens: "uniform:1:20", OutputTokens: "normal:50:10"},
		Load: workload.Load{
			Warmup: workload.Warmup{Requests: 5},
			Stages: []workload.Stage{
				stageWith(20, "poisson", 1, 0),
				{Concurrency: ptr(3), Duration: seconds64(1)},
				{Concurrency: ptr(5), Requests: 13},
				{Rate: ptr(workload.Rate(math.Inf(1))), Requests: 4},
				{Func: ptr("lambda t: 3 * t if t < 4 else None")},
			},
		},
	}
}

func open(t interface{ Fatalf(string, ...any) }, spec *workload.Spec, o dataset.Options) dataset.Corpus {
	c, _, err := dataset.Open(spec, "", nil, o)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return c
}

func hashOf(t interface{ Fatalf(string, ...any) }, plan *Plan, c dataset.Corpus, spec *workload.Spec, drawn []int64, s Shard) Hash {
	h, err := WorkloadHash(plan, c, spec, drawn, s)
	if err != nil {
		t.Fatalf("hash: %v", err)
	}
	return h
}

func TestWorkloadHashesOfShardsAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec := mixed(rapid.Int64Range(0, 5).Draw(t, "seed"))
		c := open(t, spec, dataset.Options{})
		plan := compile(t, spec.Seed, spec.Load.Stages...)
		drawn := []int64{0, rapid.Int64Range(0, 40).Draw(t, "drawn")}
		whole := hashOf(t, plan, c, spec, drawn, Whole)
		for _, n := range []int{1, 2, 3, 8} {
			var sum Hash
			for _, s := range Whole.Split(n) {
				if s.Offset == 1 {
					for _, part := range s.Split(3) {
						sum = sum.Add(hashOf(t, plan, c, spec, drawn, part))
					}
					continue
				}
				sum = sum.Add(hashOf(t, plan, c, spec, drawn, s))
			}
			if sum != whole {
				t.Fatalf("%d shards: %s, the whole %s", n, sum, whole)
			}
		}
	})
}

func TestWorkloadHashKnowsWhatIsSentAndNothingElse(t *testing.T) {
	hash := func(edit func(*workload.Spec), o dataset.Options, drawn ...int64) string {
		spec := mixed(1)
		if edit != nil {
			edit(spec)
		}
		plan, err := Compile(spec, nil)
		if err != nil {
			t.Fatal(err)
		}
		return hashOf(t, plan, open(t, spec, o), spec, drawn, Whole).String()
	}
	base := hash(nil, dataset.Options{}, 0, 0, 10)
	for name, same := range map[string]string{
		"again":      hash(nil, dataset.Options{}, 0, 0, 10),
		"the run id": hash(nil, dataset.Options{RunID: "x.7"}, 0, 0, 10),
		"the endpoint": hash(func(s *workload.Spec) {
			s.Endpoint.URL, s.Endpoint.Model, s.Endpoint.Headers = "http://x", "m", workload.Headers{"a": "b"}
		}, dataset.Options{}, 0, 0, 10),
		"a nonce of the run": hash(func(s *workload.Spec) { s.Dataset.Nonce = "seed" }, dataset.Options{}, 0, 0, 10),
	} {
		if same != base {
			t.Errorf("%s changes the hash", name)
		}
	}
	run := func(s *workload.Spec) { s.Dataset.Nonce = "run" }
	if a, b := hash(run, dataset.Options{RunID: "x.1"}), hash(run, dataset.Options{RunID: "x.2"}); a != b {
		t.Error("a nonce of the run is in the hash")
	}
	for name, other := range map[string]string{
		"a session more":     hash(nil, dataset.Options{}, 0, 0, 11),
		"the seed":           hash(func(s *workload.Spec) { s.Seed = 2 }, dataset.Options{}, 0, 0, 10),
		"the trial":          hash(nil, dataset.Options{Trial: 1}, 0, 0, 10),
		"a parameter":        hash(func(s *workload.Spec) { s.Sampling.Temperature = ptr(0.5) }, dataset.Options{}, 0, 0, 10),
		"an offset":          hash(func(s *workload.Spec) { s.Load.Stages[4].Spread = true }, dataset.Options{}, 0, 0, 10),
		"the output lengths": hash(func(s *workload.Spec) { s.Dataset.OutputTokens = "51" }, dataset.Options{}, 0, 0, 10),
	} {
		if other == base {
			t.Errorf("%s does not change the hash", name)
		}
	}
}

func TestGoldenWorkloadHash(t *testing.T) {
	spec := mixed(1234)
	plan, err := Compile(spec, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := hashOf(t, plan, open(t, spec, dataset.Options{}), spec, []int64{0, 0, 10}, Whole)
	golden(t, "workload_hash.txt", got.String()+"\n")
}

func TestHashAddsModulo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) (h Hash) {
			copy(h[:], rapid.SliceOfN(rapid.OneOf(rapid.Byte(), rapid.Just[byte](255)), 32, 32).Draw(t, name))
			return h
		}
		a, b, c := draw("a"), draw("b"), draw("c")
		if a.Add(b) != b.Add(a) || a.Add(b).Add(c) != a.Add(b.Add(c)) || a.Add(Hash{}) != a {
			t.Fatal("addition has an order or a zero of its own")
		}
	})
	var top, one Hash
	for i := range top {
		top[i] = 255
	}
	one[31] = 1
	if top.Add(one) != (Hash{}) {
		t.Error("2^256 is not 0")
	}
}

func BenchmarkWorkloadHash(b *testing.B) {
	spec := &workload.Spec{Load: workload.Load{Stages: []workload.Stage{stageWith(100, "constant", 0, 1000)}}}
	c := open(b, spec, dataset.Options{})
	plan := compile(b, 0, spec.Load.Stages...)
	b.ReportAllocs()
	for b.Loop() {
		WorkloadHash(plan, c, spec, nil, Whole)
	}
}
