package dataset_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stampede-bench/stampede/workload"
	"github.com/stampede-bench/stampede/workload/dataset"
	"github.com/stampede-bench/stampede/workload/tokenizer"
)

// tokenizersOf are one of each kind: built in, committed and, where they were
// fetched, those of real models.
func tokenizersOf(t *testing.T) map[string]*tokenizer.Tokenizer {
	t.Helper()
	builtin, err := tokenizer.Builtin("cl100k_base")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*tokenizer.Tokenizer{"cl100k_base": builtin}
	for _, pattern := range []string{"../tokenizer/testdata/reference/small/*.json", "../../.tmp/tokenizers/models/mistral.json", "../../.tmp/tokenizers/models/qwen2_5.json"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if all[filepath.Base(path)], err = tokenizer.Load(data); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(all) < 11 {
		t.Fatalf("%d tokenizers, want at least 11", len(all))
	}
	return all
}

// Prompts have exactly the lengths that were asked for, also when they are encoded
// again, and share beginnings token by token.
func TestPromptsHaveExactlyTheirLengths(t *testing.T) {
	for name, tokens := range tokenizersOf(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec := &workload.Spec{Seed: 7, Dataset: workload.Dataset{
				Name: workload.DatasetSynthetic, InputTokens: "uniform:1:300", Prefix: &workload.Prefix{Tokens: "64", Groups: 2},
			}}
			corpus, _, err := dataset.Open(spec, "", nil, dataset.Options{Tokens: tokens})
			if err != nil {
				t.Fatal(err)
			}
			seen := map[string]bool{}
			for i := range int64(60) {
				s, err := corpus.Session(i)
				if err != nil {
					t.Fatal(err)
				}
				text, want := s.Turns[0].Messages[0].Content, s.Turns[0].InputTokens
				ids := tokens.Encode(text)
				if len(ids) != want {
					t.Errorf("prompt %d has %d tokens, want %d: %.60q", i, len(ids), want, text)
				}
				if back := tokens.Decode(ids); name == "cl100k_base" && (back != text || tokens.Count(back) != want) {
					t.Errorf("prompt %d decodes to another text, of %d tokens", i, tokens.Count(back))
				}
				seen[strings.Join(strings.Fields(text)[:min(10, len(strings.Fields(text)))], " ")] = true
			}
			if len(seen) != 2 {
				t.Errorf("prompts begin in %d ways, want the 2 of their groups", len(seen))
			}
		})
	}
}

// Without a tokenizer nothing changes: the same spec has the same prompts.
func TestPromptsWithoutTokenizerStay(t *testing.T) {
	spec := &workload.Spec{Seed: 1, Dataset: workload.Dataset{Name: workload.DatasetSynthetic, InputTokens: "12"}}
	corpus, _, err := dataset.Open(spec, "", nil, dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := corpus.Session(0)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(strings.Fields(s.Turns[0].Messages[0].Content)); n != 12 {
		t.Errorf("12 tokens are %d words, want 12", n)
	}
}

// What the server said of words is enough for exact prompts.
func TestSingleWords(t *testing.T) {
	tokens, err := tokenizer.Builtin("o200k_base")
	if err != nil {
		t.Fatal(err)
	}
	after, start := map[string]bool{}, map[string]bool{}
	for _, w := range dataset.Vocabulary() {
		after[w] = tokens.Count("the "+w) == 2
		start[w] = tokens.Count(w) == 1
	}
	spec := &workload.Spec{Dataset: workload.Dataset{
		Name: workload.DatasetSynthetic, InputTokens: "uniform:1:99", Tokenizer: workload.TokenizerServer, SingleWords: dataset.SingleWords(after, start),
	}}
	if err := (&workload.Spec{Dataset: spec.Dataset, Endpoint: workload.Endpoint{URL: "http://h/v1"}}).Validate(); err != nil {
		t.Error(err)
	}
	corpus, _, err := dataset.Open(spec, "", nil, dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range int64(30) {
		s, err := corpus.Session(i)
		if err != nil {
			t.Fatal(err)
		}
		if n := tokens.Count(s.Turns[0].Messages[0].Content); n != s.Turns[0].InputTokens {
			t.Errorf("prompt %d has %d tokens, want %d", i, n, s.Turns[0].InputTokens)
		}
	}
	for _, bad := range []string{"AA", "AAAA.AAAA", "."} {
		spec.Dataset.SingleWords = bad
		if _, _, err := dataset.Open(spec, "", nil, dataset.Options{}); err == nil || !strings.Contains(err.Error(), "dataset.single_words") {
			t.Errorf("single_words %q: error %v", bad, err)
		}
	}
}
