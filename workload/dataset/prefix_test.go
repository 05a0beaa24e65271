package dataset

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/workload"
)

func pointer[T any](v T) *T { return &v }

// sharedWords is how many words two texts begin with in common.
func sharedWords(a, b string) int {
	x, y := strings.Fields(a), strings.Fields(b)
	n := 0
	for n < min(len(x), len(y)) && x[n] == y[n] {
		n++
	}
	return n
}

func TestPrefixesAreSharedWithinGroups(t *testing.T) {
	d := workload.Dataset{InputTokens: "60", Prefix: &workload.Prefix{Tokens: "uniform:100:140", Groups: 4, Share: pointer(0.75)}}
	for _, nonce := range []string{"seed", "run", "none"} {
		d.Nonce = nonce
		c := synthetics(t, 7, d, Options{RunID: "r"})
		groups, with := map[string]int{}, 0
		for i := range int64(2000) {
			turn := at(c, i).Turns[0]
			words := strings.Fields(turn.Messages[0].Content)
			if len(words) != turn.InputTokens {
				t.Fatalf("%d words for %d tokens", len(words), turn.InputTokens)
			}
			if len(words) > 60 {
				groups[strings.Join(words[:len(words)-60], " ")]++
				with++
			}
		}
		if len(groups) != 4 || math.Abs(float64(with)/2000-0.75) > 0.03 {
			t.Fatalf("nonce %s: %d different beginnings, %d of 2000 sessions have one", nonce, len(groups), with)
		}
		for text, n := range groups {
			if n < 250 || len(strings.Fields(text)) < 100 || len(strings.Fields(text)) > 140 {
				t.Errorf("nonce %s: %d sessions share a beginning of %d words", nonce, n, len(strings.Fields(text)))
			}
		}
	}
}

func TestRunsDoNotShareBeginnings(t *testing.T) {
	d := workload.Dataset{InputTokens: "40", Nonce: "run", Prefix: &workload.Prefix{Tokens: "50"}}
	a, b := synthetics(t, 7, d, Options{RunID: "a.1"}), synthetics(t, 7, d, Options{RunID: "a.2"})
	for i := range int64(50) {
		if n := sharedWords(prompt(a, i), prompt(b, i)); n > nonceWords {
			t.Fatalf("prompts of two runs begin with %d words in common", n)
		}
		if n := sharedWords(prompt(a, i), prompt(a, i+1)); n < 50 || n > 52 {
			t.Fatalf("prompts of one run begin with %d words in common, want the 50 of the prefix", n)
		}
		if canonical(a, i) != canonical(b, i) {
			t.Fatalf("the hash of session %d depends on the run", i)
		}
	}
}

// TestHitRateIsMade counts what an endless cache of blocks would serve.
func TestHitRateIsMade(t *testing.T) {
	for _, c := range []struct {
		rate   float64
		block  int
		input  string
		groups int
	}{
		{0.05, 16, "700", 1}, {0.5, 16, "uniform:100:900", 1}, {0.9, 16, "lognormal:700:200", 3},
		{0.3, 64, "uniform:400:1200", 2}, {0.75, 1, "60", 1}, {0.5, 16, "40", 1}, {0, 16, "100", 1},
	} {
		d := workload.Dataset{InputTokens: c.input, Prefix: &workload.Prefix{HitRate: &c.rate, BlockTokens: c.block, Groups: c.groups}}
		got, _ := ExpectedHits(synthetics(t, 11, d, Options{}), 0, 600, c.block, TokensPerWord, 1<<40)
		if math.Abs(got.Rate()-c.rate) > 0.015 {
			t.Errorf("%+v: %.3f of the input would be cached", c, got.Rate())
		}
	}
}

func TestChats(t *testing.T) {
	d := workload.Dataset{InputTokens: "30", OutputTokens: "20", Chat: &workload.Chat{Turns: "uniform:1:5", InputTokens: "7", ThinkTime: "uniform:0s:2s"}}
	c := synthetics(t, 3, d, Options{})
	again := synthetics(t, 3, d, Options{Trial: 2, RunID: "x"})
	seen := map[string]bool{}
	entries := int64(0)
	for i := range int64(3000) {
		if got := c.EntriesBefore(i); got != entries {
			t.Fatalf("%d entries before session %d, want %d", got, i, entries)
		}
		s := at(c, i)
		if n := c.Turns(i); n != len(s.Turns) || n < 1 || n > 5 || again.Turns(i) != n {
			t.Fatalf("session %d has %d turns, Turns says %d", i, len(s.Turns), n)
		}
		entries += int64(len(s.Turns))
		history := 0
		for k, turn := range s.Turns {
			words := len(strings.Fields(turn.Messages[0].Content))
			history += words
			if want := map[bool]int{true: 30, false: 7}[k == 0]; words != want || turn.InputTokens != history {
				t.Fatalf("turn %d of session %d: %d words, %d tokens of input with the history's %d", k, i, words, turn.InputTokens, history)
			}
			history += turn.OutputTokens
			if think := time.Duration(turn.ThinkNanos); k > 0 && (think == 0 || think > 2*time.Second) {
				t.Fatalf("turn %d waits %v", k, think)
			}
			if seen[turn.Messages[0].Content] {
				t.Fatalf("turn %d of session %d was said before", k, i)
			}
			seen[turn.Messages[0].Content] = true
		}
	}
	if got := again.EntriesBefore(2999); got != c.EntriesBefore(2999) {
		t.Errorf("the number of turns depends on the order of asking: %d", got)
	}
	typed := synthetics(t, 3, workload.Dataset{Chat: &workload.Chat{Turns: "2"}}, Options{})
	if got := at(typed, 0).Turns[1].ThinkNanos; got != 0 || typed.EntriesBefore(1e12) != 2e12 {
		t.Errorf("without a think time the turn waits %d", got)
	}
}

func TestBadPrefixesAndChats(t *testing.T) {
	for want, d := range map[string]workload.Dataset{
		"dataset.prefix.tokens: ":     {Prefix: &workload.Prefix{Tokens: "x"}},
		"dataset.chat.turns: ":        {Chat: &workload.Chat{Turns: "x"}},
		"dataset.chat.input_tokens: ": {Chat: &workload.Chat{Turns: "2", InputTokens: "x"}},
		"dataset.chat.think_time: ":   {Chat: &workload.Chat{Turns: "2", ThinkTime: "x"}},
	} {
		_, _, err := Open(&workload.Spec{Dataset: d}, "", nil, Options{})
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestExpectedHitsKnowHistories(t *testing.T) {
	d := workload.Dataset{InputTokens: "64", OutputTokens: "32", Chat: &workload.Chat{Turns: "3", InputTokens: "16"}}
	got, _ := ExpectedHits(synthetics(t, 1, d, Options{}), 0, 50, 16, TokensPerWord, 1<<40)
	// Prompts of 64, 112 and 160 tokens: the second has 96 of before, the third 144.
	if want := (Hits{Entries: 150, Input: 50 * (64 + 112 + 160), Cached: 50 * (96 + 144)}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := fmt.Sprintf("%.3f", got.Rate()); got != "0.714" {
		t.Errorf("rate %s", got)
	}
}

func BenchmarkSyntheticChat(b *testing.B) {
	d := workload.Dataset{InputTokens: "256", Prefix: &workload.Prefix{Tokens: "512", Groups: 8}, Chat: &workload.Chat{Turns: "uniform:2:6", InputTokens: "40"}}
	c := synthetics(b, 0, d, Options{})
	b.ReportAllocs()
	var i int64
	for b.Loop() {
		at(c, i)
		i++
	}
}
