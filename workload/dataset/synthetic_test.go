package dataset

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stampede-bench/stampede/workload"
	"pgregory.net/rapid"
)

func synthetics(t interface{ Fatalf(string, ...any) }, seed int64, d workload.Dataset, o Options) Corpus {
	c, notices, err := Open(&workload.Spec{Seed: seed, Dataset: d}, "", nil, o)
	if err != nil || len(notices) > 0 {
		t.Fatalf("open: %v, notices %q", err, notices)
	}
	return c
}

// at builds a session of a corpus that can't fail.
func at(c Corpus, i int64) Session {
	s, err := c.Session(i)
	if err != nil {
		panic(err)
	}
	return s
}

func prompt(c Corpus, i int64) string { return at(c, i).Turns[0].Messages[0].Content }

func TestSyntheticPromptsHaveTheirLength(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		factor := rapid.Float64Range(0.5, 3).Draw(t, "tokens per word")
		d := workload.Dataset{
			InputTokens:   rapid.SampledFrom([]string{"1", "7", "550", "uniform:1:300", "normal:100:50", "lognormal:200:100"}).Draw(t, "input"),
			Nonce:         rapid.SampledFrom([]string{"", "seed", "run", "none"}).Draw(t, "nonce"),
			TokensPerWord: &factor,
		}
		c := synthetics(t, rapid.Int64().Draw(t, "seed"), d, Options{RunID: "r"})
		i := rapid.Int64Range(0, 1e12).Draw(t, "i")
		turn := at(c, i).Turns[0]
		text := turn.Messages[0].Content
		want := max(1, int(math.Round(float64(turn.InputTokens)/factor)))
		if n := len(strings.Fields(text)); n != want || strings.Join(strings.Fields(text), " ") != text {
			t.Fatalf("%d words for %d tokens at %v a word, want %d: %q", n, turn.InputTokens, factor, want, text)
		}
		for _, w := range strings.Fields(text) {
			if _, known := slices.BinarySearch(words, w+" "); !known {
				t.Fatalf("%q is not in the list", w)
			}
		}
		if turn.OutputTokens != 128 || turn.OffsetNanos != -1 || c.Len() != -1 || c.Turns(i) != 1 || c.EntriesBefore(i) != i {
			t.Fatalf("turn %+v", turn)
		}
	})
}

func TestSyntheticIsPure(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Int64().Draw(t, "seed")
		d := workload.Dataset{InputTokens: "uniform:10:40", OutputTokens: "lognormal:50:20"}
		a, b := synthetics(t, seed, d, Options{}), synthetics(t, seed, d, Options{RunID: "other"})
		for _, i := range rapid.SliceOfN(rapid.Int64Range(0, 1e15), 1, 5).Draw(t, "indexes") {
			if !reflect.DeepEqual(at(a, i), at(b, i)) {
				t.Fatalf("session %d differs", i)
			}
			if prompt(a, i) == prompt(a, i+1) {
				t.Fatalf("sessions %d and %d are equal", i, i+1)
			}
		}
	})
}

func TestNonces(t *testing.T) {
	d := workload.Dataset{InputTokens: "50"}
	body := func(s string) string { return strings.Join(strings.Fields(s)[nonceWords:], " ") }
	first := prompt(synthetics(t, 1, d, Options{}), 3)
	if second := prompt(synthetics(t, 1, d, Options{Trial: 1}), 3); second == first || body(second) != body(first) {
		t.Errorf("trials:\n%s\n%s\nshould differ in their first %d words only", first, second, nonceWords)
	}
	d.Nonce = "run"
	run1, run2 := synthetics(t, 1, d, Options{RunID: "a.1"}), synthetics(t, 1, d, Options{RunID: "a.2"})
	if p, q := prompt(run1, 3), prompt(run2, 3); p == q || body(p) != body(q) || body(p) != body(first) {
		t.Errorf("runs:\n%s\n%s\nshould differ in their first %d words only", p, q, nonceWords)
	}
	if p, q := canonical(run1, 3), canonical(run2, 3); p != q || !strings.Contains(p, body(first)) {
		t.Errorf("the canonical bodies of two runs differ:\n%s\n%s", p, q)
	}
	d.Nonce = "none"
	if p, q := prompt(synthetics(t, 1, d, Options{Trial: 1, RunID: "a.1"}), 3), prompt(synthetics(t, 1, d, Options{}), 3); p != q {
		t.Errorf("without a nonce:\n%s\n%s\nshould be equal", p, q)
	}
	d.InputTokens, d.Nonce = "2", "run"
	if got := canonical(synthetics(t, 1, d, Options{RunID: "a"}), 0); strings.Contains(got, " ") {
		t.Errorf("a prompt that is all nonce leaves %s", got)
	}
}

func canonical(c Corpus, i int64) string {
	s := at(c, i)
	return string(CanonicalBody(s, 0, workload.Sampling{}, s.Turns[0].OutputTokens))
}

func TestPromptsBeginDifferently(t *testing.T) {
	c := synthetics(t, 5, workload.Dataset{InputTokens: "5"}, Options{})
	seen := map[string]bool{}
	for i := range int64(20000) {
		p := prompt(c, i)
		if seen[p] {
			t.Fatalf("prompt %d begins like another: %s", i, p)
		}
		seen[p] = true
	}
}

func TestOutputLengths(t *testing.T) {
	max64, one := 64, 1
	for _, c := range []struct {
		output string
		most   *int
		want   int
	}{
		{"", nil, 128}, {"", &max64, 64}, {"100", nil, 100}, {"100", &max64, 64}, {"30", &max64, 30}, {"normal:300:20", &one, 1}, {"none", nil, 0}, {"none", &max64, 0},
	} {
		spec := &workload.Spec{Dataset: workload.Dataset{OutputTokens: c.output}, Sampling: workload.Sampling{MaxTokens: c.most}}
		corpus, _, err := Open(spec, "", nil, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := at(corpus, 9).Turns[0].OutputTokens; got != c.want {
			t.Errorf("%q: got %d, want %d", c.output, got, c.want)
		}
	}
}

func TestBadSyntheticSpecs(t *testing.T) {
	for _, c := range []struct {
		dataset workload.Dataset
		want    string
	}{
		{workload.Dataset{InputTokens: "some"}, "dataset.input_tokens: "},
		{workload.Dataset{OutputTokens: "normal:1"}, "dataset.output_tokens: "},
		{workload.Dataset{Nonce: "often"}, `dataset.nonce: must be seed, run or none, got "often"`},
	} {
		_, _, err := Open(&workload.Spec{Dataset: c.dataset}, "", nil, Options{})
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
}

func TestGoldenPrompts(t *testing.T) {
	c := synthetics(t, 1234, workload.Dataset{InputTokens: "lognormal:20:8", OutputTokens: "normal:100:30"}, Options{})
	var got strings.Builder
	for i := range int64(3) {
		s := at(c, i)
		fmt.Fprintf(&got, "%d %d %s\n", s.Turns[0].InputTokens, s.Turns[0].OutputTokens, prompt(c, i))
	}
	const want = `12 94 sad onto cream chemical produce beautiful very if operate well craft launch
17 72 elect among crowd least little mother have drama leader house south throw beautiful public smooth stake heart
31 133 teacher recall grab shower pretend tissue promise head mobile classic session follow transport cable maybe cow lawyer actual whereas humor when cost put brief bonus rise fire tunnel unit reality country
`
	if got.String() != want {
		t.Errorf("got\n%s", got.String())
	}
}

func TestWordsAreSortedAndPlain(t *testing.T) {
	if !slices.IsSorted(words) || len(slices.Compact(slices.Clone(words))) != len(words) {
		t.Error("the list is not sorted, or holds a word twice")
	}
	for _, w := range words {
		if strings.Trim(strings.TrimSuffix(w, " "), "abcdefghijklmnopqrstuvwxyz") != "" {
			t.Errorf("%q is not plain lower case", w)
		}
	}
	if n := len(words); n < 1000 || n > 2000 {
		t.Errorf("%d words", n)
	}
}

func BenchmarkSyntheticSession(b *testing.B) {
	c := synthetics(b, 0, workload.Dataset{InputTokens: "256"}, Options{})
	b.ReportAllocs()
	var i int64
	for b.Loop() {
		at(c, i)
		i++
	}
}
