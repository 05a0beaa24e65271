package dataset

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/workload"
	"pgregory.net/rapid"
)

const sec = int64(time.Second)

// fileOf writes records as a corpus file and opens it.
func fileOf(t interface{ Fatalf(string, ...any) }, records ...Record) *File {
	var out bytes.Buffer
	w, err := NewWriter(&out)
	if err != nil {
		t.Fatalf("new writer: %v", err)
	}
	for i := range records {
		if err := w.Write(&records[i]); err != nil {
			t.Fatalf("write: %v", err)
		}
	}
	if _, err := w.Close(nil); err != nil {
		t.Fatalf("close: %v", err)
	}
	f, err := OpenFile(bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return f
}

// said is a turn of one message.
func said(text, answer string, at int64) Turn {
	return Turn{Messages: []Message{{Role: RoleUser, Content: text}}, Answer: answer, OffsetNanos: at}
}

func yes() *bool { v := true; return &v }

// visiting opens records under a spec's sessions section, every turn sent.
func visiting(t interface{ Fatalf(string, ...any) }, s workload.Sessions, records ...Record) Corpus {
	s.MultiTurn = yes()
	c, _, err := Open(&workload.Spec{Dataset: workload.Dataset{Path: "f"}, Sessions: s}, "f", fileOf(t, records...), Options{})
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return c
}

// shown writes the sessions of a corpus, one a line: arrival, then what each turn
// carries.
func shown(t *testing.T, c Corpus, n int64) string {
	t.Helper()
	var b strings.Builder
	for i := range n {
		s, err := c.Session(i)
		if err != nil {
			t.Fatal(err)
		}
		if s.OffsetNanos != c.Offset(i) || len(s.Turns) != c.Turns(i) || s.Index != i {
			t.Errorf("session %d: arrives at %d, has %d turns, index %d; the corpus says %d and %d", i, s.OffsetNanos, len(s.Turns), s.Index, c.Offset(i), c.Turns(i))
		}
		fmt.Fprintf(&b, "%v:", time.Duration(s.OffsetNanos))
		for _, turn := range s.Turns {
			for _, m := range turn.Messages {
				fmt.Fprintf(&b, " %s(%s)", m.Role[:1], m.Content)
			}
			if turn.OffsetNanos >= 0 {
				fmt.Fprintf(&b, "@%v", time.Duration(turn.OffsetNanos))
			}
			b.WriteByte(';')
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// chats are two visits: one of three turns, of which the third branches off the
// first, and one of a single turn.
func chats() []Record {
	third := said("c", "C", 40*sec)
	third.Skip, third.Heard = 1, "A2"
	return []Record{
		{OffsetNanos: 0, Turns: []Turn{said("a", "A", 0), said("b", "B", 30*sec), third}},
		{OffsetNanos: 20 * sec, Turns: []Turn{said("d", "D", -1)}},
		{OffsetNanos: 60 * sec, Turns: []Turn{said("e", "E", -1), said("f", "F", -1)}},
	}
}

func TestVisits(t *testing.T) {
	for _, tt := range []struct {
		name     string
		sessions workload.Sessions
		want     string
	}{
		{"as they are", workload.Sessions{}, "0s: u(a)@0s; u(b)@30s; u(c)@40s;\n20s: u(d);\n1m0s: u(e); u(f);\n"},
		{"compressed: visits, not turns", workload.Sessions{CompressionRatio: pointer(3.0)}, "0s: u(a)@0s; u(b)@30s; u(c)@40s;\n6.666666666s: u(d);\n20s: u(e); u(f);\n"},
		{"a range, from 0", workload.Sessions{Range: "1:"}, "0s: u(d);\n40s: u(e); u(f);\n"},
		{"from the end", workload.Sessions{Range: "-2:-1", CompressionRatio: pointer(2.0)}, "0s: u(d);\n"},
		{
			"turns apart, when they were recorded", workload.Sessions{SeparateTurns: true},
			"0s: u(a);\n20s: u(d);\n30s: u(a) a(A) u(b);\n40s: u(a) a(A2) u(c);\n1m0s: u(e);\n1m0s: u(e) a(E) u(f);\n",
		},
		{
			"turns at an interval", workload.Sessions{SeparateTurns: true, SeparateInterval: workload.Duration(50 * sec), Range: ":-1", CompressionRatio: pointer(10.0)},
			"0s: u(a);\n2s: u(d);\n5s: u(a) a(A) u(b);\n6s: u(e);\n10s: u(a) a(A2) u(c);\n",
		},
	} {
		c := visiting(t, tt.sessions, chats()...)
		if got := shown(t, c, c.Len()); got != tt.want {
			t.Errorf("%s: got\n%swant\n%s", tt.name, got, tt.want)
		}
	}
}

func TestVisitsWithoutStampsComeAtTheInterval(t *testing.T) {
	records := []Record{{OffsetNanos: 0, Turns: []Turn{said("a", "A", -1)}}, {OffsetNanos: sec, Turns: []Turn{said("b", "B", -1)}}, {OffsetNanos: 2 * sec, Turns: []Turn{said("c", "C", -1)}}}
	spec := &workload.Spec{
		Dataset:  workload.Dataset{Name: "dolly", Path: "f"},
		Sessions: workload.Sessions{MultiTurn: yes(), SeparateTurns: true, SeparateInterval: workload.Duration(5 * sec)},
	}
	c, _, err := Open(spec, "f", fileOf(t, records...), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := shown(t, c, 3), "0s: u(a);\n5s: u(b);\n10s: u(c);\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestAnEmptyRangeIsRefused(t *testing.T) {
	spec := &workload.Spec{Dataset: workload.Dataset{Path: "f"}, Sessions: workload.Sessions{Range: "5:"}}
	_, _, err := Open(spec, "f", fileOf(t, chats()...), Options{})
	if want := "sessions.range: 5: leaves none of the 3 sessions"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// TestSlicesArePythons holds ranges to what Python's slices take, and the entries
// before a session to the sum of turns, also when it wraps round.
func TestSlicesArePythons(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 8).Draw(t, "sessions")
		var records []Record
		for i := range n {
			r := Record{OffsetNanos: int64(i) * sec}
			for k := range rapid.IntRange(1, 3).Draw(t, "turns") {
				r.Turns = append(r.Turns, said(fmt.Sprint(i, k), "x", -1))
			}
			records = append(records, r)
		}
		bound := rapid.OneOf(rapid.Just[*int](nil), rapid.Ptr(rapid.IntRange(-10, 10), false))
		from, to := bound.Draw(t, "from"), bound.Draw(t, "to")
		text, a, b := ":", 0, n
		position := func(p *int) int {
			i := *p
			if i < 0 {
				i += n
			}
			return min(max(i, 0), n)
		}
		if from != nil {
			text, a = fmt.Sprint(*from)+":", position(from)
		}
		if to != nil {
			text, b = text+fmt.Sprint(*to), position(to)
		}
		if b <= a {
			return
		}
		c := visiting(t, workload.Sessions{Range: text}, records...)
		if c.Len() != int64(b-a) {
			t.Fatalf("%s of %d: %d sessions, want %d", text, n, c.Len(), b-a)
		}
		entries := int64(0)
		for i := range 2*c.Len() + 1 {
			want := a + int(i)%(b-a)
			s, err := c.Session(i)
			if err != nil || s.Turns[0].Messages[0].Content != fmt.Sprint(want, 0) || c.EntriesBefore(i) != entries || c.Offset(i) != int64(want-a)*sec {
				t.Fatalf("session %d of %s is %+v, %d entries before it, %v", i, text, s, c.EntriesBefore(i), err)
			}
			entries += int64(len(s.Turns))
		}
	})
}

func TestBranches(t *testing.T) {
	turns := []Turn{{}, {}, {Skip: 1}, {Skip: 1}, {}}
	for turn, want := range []string{"[0]", "[0 1]", "[0 2]", "[0 1 3]", "[0 1 3 4]"} {
		if got := fmt.Sprint(Branch(turns, turn)); got != want {
			t.Errorf("turn %d follows %s, want %s", turn, got, want)
		}
	}
}

// lengthsOnly is a record of turns without text.
func lengthsOnly(at int64, turns ...Turn) Record {
	for i := range turns {
		turns[i].OffsetNanos = -1
	}
	return Record{OffsetNanos: at, Turns: turns}
}

func TestPromptsOfATraceHaveItsLengths(t *testing.T) {
	records := []Record{
		lengthsOnly(0, Turn{InputTokens: 1100, OutputTokens: 7, Blocks: []int64{1, 2, 3}, BlockTokens: 512}),
		lengthsOnly(1, Turn{InputTokens: 1400, OutputTokens: 7, Blocks: []int64{1, 2, 4}, BlockTokens: 512}),
		lengthsOnly(2, Turn{InputTokens: 30, OutputTokens: 9}, Turn{InputTokens: 50, OutputTokens: 9}),
		lengthsOnly(3, Turn{InputTokens: 700, OutputTokens: 9, Blocks: []int64{1}, BlockTokens: 512}),
	}
	for _, nonce := range []string{"", "run"} {
		spec := &workload.Spec{Dataset: workload.Dataset{Path: "f", Nonce: nonce}, Sessions: workload.Sessions{MultiTurn: yes()}}
		open := func(run string) Corpus {
			c, _, err := Open(spec, "f", fileOf(t, records...), Options{RunID: run})
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		c, again := open("r.1"), open("r.2")
		text := func(c Corpus, i int64, turn int) string { return at(c, i).Turns[turn].Messages[0].Content }
		for i, want := range []int{1100, 1400, 30, 700} {
			if n := len(strings.Fields(text(c, int64(i), 0))); n != want {
				t.Errorf("prompt %d has %d words, want %d", i, n, want)
			}
			if (text(c, int64(i), 0) == text(again, int64(i), 0)) != (nonce == "") {
				t.Errorf("nonce %q: prompt %d of another run", nonce, i)
			}
			if canonical(c, int64(i)) != canonical(again, int64(i)) {
				t.Errorf("nonce %q: the hash of prompt %d depends on the run", nonce, i)
			}
			// The next round of the data shares nothing with this one.
			if n := sharedWords(text(c, int64(i), 0), text(c, int64(i)+4, 0)); n > nonceWords {
				t.Errorf("prompt %d begins with %d words of the round before", i, n)
			}
		}
		if n := sharedWords(text(c, 0, 0), text(c, 1, 0)); n != 1024 {
			t.Errorf("nonce %q: two common blocks are %d common words", nonce, n)
		}
		if n := sharedWords(text(c, 0, 0), text(c, 3, 0)); n != 512 {
			t.Errorf("nonce %q: one common block is %d common words", nonce, n)
		}
		// The second turn says what its prompt has beyond the first and its reply.
		if n := len(strings.Fields(text(c, 2, 1))); n != 50-30-9 {
			t.Errorf("the second turn has %d words", n)
		}
	}
}

func BenchmarkTracePrompt(b *testing.B) {
	turn := Turn{InputTokens: 8000, OutputTokens: 7, BlockTokens: 512}
	for id := range int64(16) {
		turn.Blocks = append(turn.Blocks, id)
	}
	c, _, err := Open(&workload.Spec{Dataset: workload.Dataset{Path: "f"}}, "f", fileOf(b, lengthsOnly(0, turn)), Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Session(0); err != nil {
			b.Fatal(err)
		}
	}
}
