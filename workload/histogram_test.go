package workload

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestHistogramNotations(t *testing.T) {
	for text, want := range map[string]string{
		"values:5,7,5,100":            "histogram:5=2,7=1,100=1",
		"histogram:100-200=1,50=3":    "histogram:50=3,100-200=1",
		"histogram:1=0.5, 1=1.5,2=0 ": "histogram:1=2",
	} {
		d, err := ParseDist(text)
		if err != nil || d.String() != want {
			t.Errorf("%s: got %v, %v, want %s", text, d, err, want)
		}
		again, err := ParseDist(d.String())
		if err != nil || again.String() != want {
			t.Errorf("%s became %v, %v", want, again, err)
		}
	}
	for _, text := range []string{"histogram:", "histogram:5", "histogram:0=1", "histogram:5=-1", "histogram:5=x", "histogram:9-5=1", "histogram:5=0", "histogram:5=NaN",
		"values:", "values:1.5", "values:-4", "file:x", "file:", "histogram:1=1:2"} {
		if d, err := ParseDist(text); err == nil {
			t.Errorf("ParseDist(%q) = %v, want an error", text, d)
		}
	}
}

// TestHistogramDrawsItsShares holds a grid of draws to what was counted.
func TestHistogramDrawsItsShares(t *testing.T) {
	d, err := ParseDist("histogram:10=1,20-29=6,400=3")
	if err != nil {
		t.Fatal(err)
	}
	const n = 1000
	counts, sum := map[int]int{}, 0
	for i := range n {
		v := d.At((float64(i)+0.5)/n, float64(i%10)/10)
		counts[v]++
		sum += v
	}
	if counts[10] != 100 || counts[400] != 300 || counts[20] != 60 || counts[29] != 60 {
		t.Errorf("drawn %v", counts)
	}
	if mean := float64(sum) / n; math.Abs(mean-d.Mean()) > 0.5 {
		t.Errorf("mean %v, Mean says %v", mean, d.Mean())
	}
	if d.At(0, 0) != 10 || d.At(1, 1) != 400 {
		t.Errorf("the ends are %d and %d", d.At(0, 0), d.At(1, 1))
	}
}

func TestHistogramNeverLeavesItsBins(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.IntRange(1, maxTokens), 1, 20).Draw(t, "values")
		var bins []bin
		for _, v := range values {
			bins = append(bins, bin{from: v, to: v, weight: rapid.Float64Range(0.001, 1e9).Draw(t, "weight")})
		}
		d, err := newHistogram(bins)
		if err != nil {
			t.Fatal(err)
		}
		got := d.At(rapid.Float64Range(0, 1).Draw(t, "u1"), rapid.Float64Range(0, 1).Draw(t, "u2"))
		for _, v := range values {
			if got == v {
				return
			}
		}
		t.Fatalf("%d is none of %v", got, values)
	})
}

func TestLengthsFromAFile(t *testing.T) {
	files := map[string]string{
		"values": "\xef\xbb\xbflengths\n# measured in May\n12\n 7\n\n12\r\n",
		"shares": "tokens,share\n100-200,5\n7 2.5\n",
		"bad":    "12\n  x7\n",
		"weight": "12,3\n13,-4\n",
		"three":  "1,2,3\n",
		"empty":  "# nothing\n",
	}
	read := func(path string) ([]byte, error) {
		if text, ok := files[path]; ok {
			return []byte(text), nil
		}
		return nil, errors.New("no such file")
	}
	s := &Spec{Dataset: Dataset{InputTokens: "file:values", OutputTokens: " file:shares", Prefix: &Prefix{Tokens: "file:values"}, Chat: &Chat{InputTokens: "file:values", Turns: "3"}}}
	if err := s.InlineLengths(read); err != nil {
		t.Fatal(err)
	}
	const counted = "histogram:7=1,12=2"
	if d := s.Dataset; d.InputTokens != counted || d.OutputTokens != "histogram:7=2.5,100-200=5" || d.Prefix.Tokens != counted || d.Chat.InputTokens != counted || d.Chat.Turns != "3" {
		t.Errorf("got %+v %+v %+v", d, d.Prefix, d.Chat)
	}
	for file, want := range map[string]string{
		"bad":    "dataset.input_tokens: bad:2:3: must have lengths from 1 to 10000000, or ranges FROM-TO of them, got \"x7\"",
		"weight": "dataset.input_tokens: weight:2:4: must have weights from 0 to 1e15, got \"-4\"",
		"three":  "dataset.input_tokens: three:1:1: must be a length, or a length and its weight, got \"1,2,3\"",
		"empty":  "dataset.input_tokens: empty: must have a length with a weight above 0",
		"":       "dataset.input_tokens: must name a file of lengths, as in file:lengths.txt",
		"none":   "dataset.input_tokens: file of lengths: no such file",
	} {
		s := &Spec{Dataset: Dataset{InputTokens: "file:" + file}}
		if err := s.InlineLengths(read); err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

func FuzzLengthFile(f *testing.F) {
	for _, text := range []string{"12\n7 3\n", "a,b\n100-200,5\n", "#\n", "1=2\n\xff", "1,-2", "9-1"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := parseLengthFile("f", data)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "f:") {
				t.Fatalf("the error does not name the file: %v", err)
			}
			return
		}
		if again, err := ParseDist(d.String()); err != nil || again.String() != d.String() {
			t.Fatalf("%q became %v, %v", d.String(), again, err)
		}
	})
}

func TestPause(t *testing.T) {
	for _, c := range []struct {
		text   string
		u1, u2 float64
		want   time.Duration
	}{
		{"0s", 0.5, 0.5, 0}, {"2.5s", 0.5, 0.5, 2500 * time.Millisecond}, {"uniform:0s:10ms", 0, 0, 0}, {"uniform:0s:10ms", 0.9999, 0, 10 * time.Millisecond},
		{"normal:5s:1s", 0.5, 0.25, 5 * time.Second}, {"lognormal:8s:4s", 0.5, 0.25, 7155 * time.Millisecond},
	} {
		p, err := ParsePause(c.text)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.At(c.u1, c.u2); got != c.want {
			t.Errorf("%s at %g, %g = %v, want %v", c.text, c.u1, c.u2, got, c.want)
		}
	}
	for _, text := range []string{"", "x", "-1s", "25h", "uniform:2s", "uniform:3s:2s", "pareto:1s:2s", "normal:0s:1s", "1s:2s"} {
		if p, err := ParsePause(text); err == nil {
			t.Errorf("ParsePause(%q) = %v, want an error", text, p)
		}
	}
}

func TestValidateSynthetic(t *testing.T) {
	half, one := 0.5, 1
	for _, tt := range []struct {
		change func(*Spec)
		want   string
	}{
		{func(s *Spec) { s.Dataset.Prefix = &Prefix{} }, "dataset.prefix: must have tokens, how long it is, or hit_rate, what it is for"},
		{func(s *Spec) { s.Dataset.Prefix = &Prefix{Tokens: "5", HitRate: &half} }, "dataset.prefix.tokens: must not be given together with hit_rate, which says how long it is"},
		{func(s *Spec) { s.Dataset.Prefix = &Prefix{Tokens: "none"} }, "dataset.prefix.tokens: must be " + distForms + ", got \"none\""},
		{func(s *Spec) { s.Dataset.Prefix = &Prefix{Tokens: "5", BlockTokens: 16} }, "dataset.prefix.block_tokens: needs hit_rate"},
		{func(s *Spec) { s.Dataset.Prefix = &Prefix{HitRate: ptr(1.0)} }, "dataset.prefix.hit_rate: must be between 0 and 0.99, got 1"},
		{func(s *Spec) { s.Dataset.Prefix = &Prefix{HitRate: &half, Share: &half} }, "dataset.prefix.share: must not be given together with hit_rate"},
		{func(s *Spec) { s.Dataset.Prefix, s.Dataset.Chat = &Prefix{HitRate: &half}, &Chat{Turns: "2"} }, "dataset.prefix.hit_rate: must not be given together with dataset.chat, whose histories are cached as well"},
		{func(s *Spec) { s.Dataset.Prefix = &Prefix{Tokens: "5", Share: ptr(2.0)} }, "dataset.prefix.share: must be between 0 and 1, got 2"},
		{func(s *Spec) { s.Dataset.Prefix = &Prefix{Tokens: "5", Groups: -1} }, "dataset.prefix.groups: must not be negative, got -1"},
		{func(s *Spec) { s.Dataset.Path, s.Dataset.Prefix = "f.jsonl", &Prefix{Tokens: "5"} }, "dataset.prefix: needs synthetic prompts; recorded ones are sent as they are"},
		{func(s *Spec) { s.Dataset.Path, s.Dataset.Chat = "f.jsonl", &Chat{Turns: "2"} }, "dataset.chat: needs synthetic prompts; recorded conversations have turns of their own"},
		{func(s *Spec) { s.Dataset.Chat = &Chat{} }, "dataset.chat.turns: is required"},
		{func(s *Spec) { s.Dataset.Chat = &Chat{Turns: "5000"} }, "dataset.chat.turns: must be at most 1000 on average, got 5000"},
		{func(s *Spec) { s.Dataset.Chat = &Chat{Turns: "2", ThinkTime: "soon"} }, "dataset.chat.think_time: must be a duration such as 5s, or uniform:2s:8s, normal:5s:1s, lognormal:8s:4s, each at most 24h, got \"soon\""},
		{func(s *Spec) { s.Dataset.InputTokens = "file:lengths.txt" }, "dataset.input_tokens: names the file \"lengths.txt\", which only the stampede command reads; give histogram: or values: here"},
		{func(s *Spec) { s.Sessions.Range = ":5" }, "sessions.range: needs recorded sessions, which synthetic data does not have"},
		{func(s *Spec) { s.Sessions.SeparateTurns, s.Sessions.SeparateInterval = true, 5 }, "sessions.separate_turns: needs recorded sessions, which synthetic data does not have"},
		{func(s *Spec) { s.Sessions.CompressionRatio = ptr(2.0) }, "sessions.compression_ratio: needs recorded sessions, which synthetic data does not have"},
		{func(s *Spec) { s.Load.Stages = []Stage{{Rate: ptr(Rate(1)), ConcurrencyOf: OfSessions}} }, "load.stages[0].concurrency_of: needs concurrency"},
		{func(s *Spec) { s.Load.Stages = []Stage{{Concurrency: &one, ConcurrencyOf: "users"}} }, "load.stages[0].concurrency_of: must be one of requests, sessions, got \"users\""},
	} {
		s := valid()
		tt.change(s)
		if err := s.Validate(); err == nil || err.Error() != tt.want {
			t.Errorf("got  %v\nwant %s", err, tt.want)
		}
	}
}

func TestSyntheticDefaults(t *testing.T) {
	s := valid()
	s.Dataset.Prefix, s.Dataset.Chat = &Prefix{HitRate: ptr(0.5)}, &Chat{Turns: "3"}
	full, _ := s.WithDefaults()
	if p, c := full.Dataset.Prefix, full.Dataset.Chat; p.Groups != 1 || p.BlockTokens != 16 || p.Share != nil || c.InputTokens != "256" || c.ThinkTime != "0s" {
		t.Errorf("got %+v %+v", p, c)
	}
	s.Sessions.HumanInputWPS = ptr(2.0)
	if full, _ := s.WithDefaults(); full.Dataset.Chat.ThinkTime != "" {
		t.Errorf("typing speed was given, and yet the pause is %q", full.Dataset.Chat.ThinkTime)
	}
	for _, c := range []struct {
		change func(*Spec)
		want   bool
	}{
		{func(*Spec) {}, false},
		{func(s *Spec) { s.Load.Stages = []Stage{{Replay: &Replay{}}} }, true},
		{func(s *Spec) { s.Sessions.HumanInputWPS = ptr(3.0) }, true},
		{func(s *Spec) { s.Sessions.SeparateTurns = true }, true},
		{func(s *Spec) { s.Load.Stages = []Stage{{Concurrency: ptr(1), ConcurrencyOf: OfSessions}} }, true},
		{func(s *Spec) { s.Load.Stages, s.Sessions.MultiTurn = []Stage{{Replay: &Replay{}}}, ptr(false) }, false},
	} {
		s := valid()
		s.Dataset.Path = "chats.jsonl"
		c.change(s)
		if full, _ := s.WithDefaults(); *full.Sessions.MultiTurn != c.want {
			t.Errorf("%s: multi_turn is %v", asJSON(t, s), *full.Sessions.MultiTurn)
		}
	}
}
