package dataset

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stampede-bench/stampede/workload"
)

func openTestdata(t *testing.T, name string, spec *workload.Spec, o Options) (Corpus, []string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	spec.Dataset.Path = name
	c, notices, err := Open(spec, name, data, o)
	if err != nil {
		t.Fatal(err)
	}
	return c, notices
}

// brief writes a session as text: messages by role, then the answer and what is
// asked for.
func brief(s Session) string {
	var b strings.Builder
	for _, turn := range s.Turns {
		for _, m := range turn.Messages {
			b.WriteString(m.Role[:1] + "(" + m.Content + ") ")
		}
		b.WriteString("-> (" + turn.Answer + ") " + strings.Repeat("#", turn.OutputTokens) + "\n")
	}
	return b.String()
}

func sessions(c Corpus, n int64) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(brief(c.Session(i)))
	}
	return b.String()
}

func TestShareGPTTakesTheFirstHumanTurn(t *testing.T) {
	c, notices := openTestdata(t, "sharegpt.json", &workload.Spec{Dataset: workload.Dataset{Name: "sharegpt"}}, Options{})
	want := `u(What is the tallest mountain?) -> (Mount Everest, at 8,849 metres above the sea.) ###########
u(Go on.) -> (That was all.) ####
s(Answer in German.) u(Wie heißt du? 😀) -> (Ich habe keinen Namen.) ######
u(Anyone here?) -> () 
`
	if got := sessions(c, c.Len()); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	wantNotices := []string{
		"sharegpt.json: conversations that began with a model's turn, which was left out: 1",
		"sharegpt.json: conversations without a human turn, left out: 2",
		"sharegpt.json: conversations with an empty first prompt, left out: 1",
	}
	if strings.Join(notices, "\n") != strings.Join(wantNotices, "\n") {
		t.Errorf("notices %q", notices)
	}
}

func TestShareGPTKeepsAllTurnsWhenAskedTo(t *testing.T) {
	c, _ := openTestdata(t, "sharegpt.json", &workload.Spec{}, Options{MultiTurn: true})
	want := `u(What is the tallest mountain?) -> (Mount Everest, at 8,849 metres above the sea.) ###########
u(And the second?) -> (K2.) ##
`
	if got := brief(c.Session(0)); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if c.Len() != 4 || c.Turns(0) != 2 || c.Turns(4) != 2 || c.Turns(1) != 1 {
		t.Errorf("%d sessions with %d, %d turns", c.Len(), c.Turns(0), c.Turns(1))
	}
	for i, want := range []int64{0, 2, 3, 4, 5, 7} {
		if got := c.EntriesBefore(int64(i)); got != want {
			t.Errorf("%d entries before session %d, want %d", got, i, want)
		}
	}
}

func TestJSONLRows(t *testing.T) {
	spec := &workload.Spec{Dataset: workload.Dataset{InputTokens: "5"}}
	c, notices := openTestdata(t, "rows.jsonl", spec, Options{})
	want := `u(Count to three.) -> () #######
s(Be brief.) u(Say hello.) -> () ###
s(You teach.) u(What is 2 + 2?) a(It is four.) u(And 3 + 3?) -> () 
u(One) -> (two three four) #########
`
	if got := sessions(c, c.Len()); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if len(notices) != 1 || notices[0] != "dataset.input_tokens is not used: rows.jsonl has prompts of its own" {
		t.Errorf("notices %q", notices)
	}
	c, _ = openTestdata(t, "rows.jsonl", &workload.Spec{}, Options{MultiTurn: true})
	want = `s(You teach.) u(What is 2 + 2?) -> (It is four.) ####
u(And 3 + 3?) -> () 
`
	if got := brief(c.Session(2)); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestLengthsOfFilesCanBeOverruledAndCapped(t *testing.T) {
	most := 5
	c, _ := openTestdata(t, "rows.jsonl", &workload.Spec{Sampling: workload.Sampling{MaxTokens: &most}}, Options{})
	if a, b := c.Session(0).Turns[0].OutputTokens, c.Session(1).Turns[0].OutputTokens; a != 5 || b != 3 {
		t.Errorf("capped at 5: %d and %d, want 5 and 3", a, b)
	}
	c, _ = openTestdata(t, "rows.jsonl", &workload.Spec{Dataset: workload.Dataset{OutputTokens: "uniform:10:1000"}}, Options{})
	a, b := c.Session(0).Turns[0].OutputTokens, c.Session(c.Len()).Turns[0].OutputTokens
	if a < 10 || a > 1000 || a == b {
		t.Errorf("drawn: %d, and %d for the same row again", a, b)
	}
	factor := 10.0
	c, _ = openTestdata(t, "sharegpt.json", &workload.Spec{Dataset: workload.Dataset{TokensPerWord: &factor, SampleSize: 2}}, Options{})
	if c.Len() != 2 || c.Session(1).Turns[0].OutputTokens != 30 {
		t.Errorf("%d sessions, the second asks for %d", c.Len(), c.Session(1).Turns[0].OutputTokens)
	}
}

func TestFilesWrapRound(t *testing.T) {
	c, _ := openTestdata(t, "rows.jsonl", &workload.Spec{}, Options{})
	first, again := c.Session(1), c.Session(1+c.Len())
	if again.Index != 5 || brief(first) != brief(again) || c.EntriesBefore(5) != 5 || c.Offset(5) != -1 {
		t.Errorf("session 5 is %+v, session 1 is %+v", again, first)
	}
}

func TestMalformedFilesAreNamedByLineAndColumn(t *testing.T) {
	for _, c := range []struct{ name, data, want string }{
		{"a.jsonl", "", "a.jsonl: the file is empty"},
		{"a.jsonl", " \n\n", "a.jsonl: the file is empty"},
		{"a.json", "[]", "a.json: holds no conversation that could be sent"},
		{"a.json", `[{"conversations": [{"from": "gpt", "value": "x"}]}]`, "a.json: holds no conversation that could be sent; a.json: conversations without a human turn, left out: 1"},
		{"a.csv", "a,b\n", "a.csv: files that end in .csv can't be read as a dataset; .json and .jsonl can"},
		{"a", "\n hello", "a:2:2: a dataset begins with [ (a JSON array of rows) or { (one JSON object a line)"},
		{"a.jsonl", "{\"prompt\": \"x\"}\n{\"prompt\": x}\n", "a.jsonl:2:12: invalid character 'x' looking for beginning of value"},
		{"a.jsonl", "{\"prompt\": \"x\"}\n{\"prompt\": 5}\n", "a.jsonl:2:12: prompt: must be a string, got number"},
		{"a.jsonl", "{\"prompt\": \"x\"}\n{\"promt\": \"y\"}\n", "a.jsonl:2:1: the row has none of prompt, messages and conversations"},
		{"a.jsonl", "{\"prompt\": \"x\", \"messages\": []}\n", "a.jsonl:1:1: the row has prompt and messages, it must have only one of them"},
		{"a.jsonl", "{\"prompt\": \"\"}\n", "a.jsonl:1:1: its first prompt is empty"},
		{"a.jsonl", "{\"messages\": []}\n", "a.jsonl:1:1: no turn in it is a human's"},
		{"a.jsonl", "{\"messages\": [{\"role\": \"user\", \"content\": 5}]}\n", "a.jsonl:1:1: messages.content: must be a string or a list of parts of text"},
		{"a.jsonl", "{\"messages\": [{\"role\": \"user\", \"content\": [{\"type\": \"image_url\"}]}]}\n", `a.jsonl:1:1: messages.content: has a part of type "image_url", only text can be sent`},
		{"a.jsonl", "{\"messages\": \"x\"}\n", "a.jsonl:1:16: messages: must be a list, got string"},
		{"a.jsonl", "{\"messages\": [7]}\n", "a.jsonl:1:15: messages: must be an object, got number"},
		{"a.jsonl", "{\"prompt\": \"x\", \"output_tokens\": 0}\n", "a.jsonl:1:1: output_tokens: must be from 1 to 10000000, got 0"},
		{"a.jsonl", "{\"prompt\": \"x\", \"max_tokens\": 1.5}\n", "a.jsonl:1:33: max_tokens: must be a whole number, got number 1.5"},
		{"a.jsonl", "{\"prompt\": \"x\"}\n[1]\n", "a.jsonl:2:1: a row must be a JSON object"},
		{"a.jsonl", "{\"prompt\": \"x\"", "a.jsonl:1:14: unexpected end of JSON input"},
		{"a.json", "[{\"prompt\": \"x\"},\n {\"prompt\": \"y\"", "a.json:2:16: the file ends in the middle of a row"},
		{"a.json", "[{\"prompt\": \"x\"},\n  5]", "a.json:2:3: a row must be a JSON object"},
		{"a.json", "[{\"prompt\": \"x\"},\n  {\"prompt\": [1]}]", "a.json:2:14: prompt: must be a string, got array"},
		{"a.json", "[{\"prompt\": \"x\"}\n  {\"prompt\": \"y\"}]", "a.json:2:3: expected comma after array element"},
		{"a.json", "[{\"prompt\": \"x\"}\n] 7", "a.json:2:"},
		{"a.json", "[{\"prompt\": \"x\"}", "a.json:1:17: the file ends in the middle of a row"},
	} {
		_, _, err := Open(&workload.Spec{Dataset: workload.Dataset{Path: c.name}}, c.name, []byte(c.data), Options{})
		if err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%q:\n got %v\nwant %s", c.data, err, c.want)
		}
	}
	spec := &workload.Spec{Dataset: workload.Dataset{Name: "sharegpt", Path: "a.json"}}
	_, _, err := Open(spec, "a.json", []byte(`[{"prompt": "x"}]`), Options{})
	if want := "a.json:1:2: the row has no conversations, which data in the form of ShareGPT must have"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	_, _, err = Open(spec, "", nil, Options{})
	if want := `dataset "sharegpt": it has no built-in data; give a file as dataset.path`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestByteOrderMarkIsSkipped(t *testing.T) {
	c, _, err := Open(&workload.Spec{Dataset: workload.Dataset{Path: "x"}}, "x", []byte("\xef\xbb\xbf{\"prompt\":\"hi\"}\r\n"), Options{})
	if err != nil || c.Session(0).Turns[0].Messages[0].Content != "hi" {
		t.Errorf("got %v", err)
	}
}

// FuzzOpen looks for files that crash, and for sessions that can't be sent.
func FuzzOpen(f *testing.F) {
	for _, name := range []string{"sharegpt.json", "rows.jsonl"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, false)
		f.Add(data, true)
	}
	f.Fuzz(func(t *testing.T, data []byte, multiTurn bool) {
		c, _, err := Open(&workload.Spec{Dataset: workload.Dataset{Path: "f"}}, "f", data, Options{MultiTurn: multiTurn})
		if err != nil {
			if !strings.HasPrefix(err.Error(), "f:") {
				t.Fatalf("an error that does not name the file: %v", err)
			}
			return
		}
		for i := range c.Len() {
			s := c.Session(i)
			if len(s.Turns) != c.Turns(i) || len(s.Turns) == 0 || c.EntriesBefore(i+1)-c.EntriesBefore(i) != int64(len(s.Turns)) {
				t.Fatalf("session %d has %d turns, counted %d", i, len(s.Turns), c.Turns(i))
			}
			for _, turn := range s.Turns {
				if m := turn.Messages; len(m) == 0 || m[len(m)-1].Role != roleUser {
					t.Fatalf("session %d has a turn that does not end with a user's message: %+v", i, turn)
				}
			}
		}
	})
}
