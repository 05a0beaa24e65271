package dataset_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stampede-bench/stampede/workload"
	"github.com/stampede-bench/stampede/workload/dataset"
	"github.com/stampede-bench/stampede/workload/source"
)

// corpusOf brings data into the form of a corpus file and opens it.
func corpusOf(t testing.TB, name string, data []byte, schema string) *dataset.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "corpus")
	in := source.Input{Name: name, Data: bytes.NewReader(data), Size: int64(len(data))}
	if _, err := source.Convert(t.Context(), []source.Input{in}, source.Options{Schema: schema}, path); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := dataset.OpenFile(bytes.NewReader(raw), int64(len(raw)))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func openTestdata(t *testing.T, name string, spec *workload.Spec, o dataset.Options) (dataset.Corpus, []string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "source", "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	spec.Dataset.Path = name
	c, notices, err := dataset.Open(spec, name, corpusOf(t, name, data, spec.Dataset.Name), o)
	if err != nil {
		t.Fatal(err)
	}
	return c, notices
}

func at(c dataset.Corpus, i int64) dataset.Session {
	s, err := c.Session(i)
	if err != nil {
		panic(err)
	}
	return s
}

// brief writes a session as text: messages by role, then the answer and what is
// asked for.
func brief(s dataset.Session) string {
	var b strings.Builder
	for _, turn := range s.Turns {
		for _, m := range turn.Messages {
			b.WriteString(m.Role[:1] + "(" + m.Content + ") ")
		}
		b.WriteString("-> (" + turn.Answer + ") " + strings.Repeat("#", turn.OutputTokens) + "\n")
	}
	return b.String()
}

func sessions(c dataset.Corpus, n int64) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(brief(at(c, i)))
	}
	return b.String()
}

func TestShareGPTTakesTheFirstHumanTurn(t *testing.T) {
	c, notices := openTestdata(t, "sharegpt.json", &workload.Spec{Dataset: workload.Dataset{Name: "sharegpt"}}, dataset.Options{})
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

var allTurns = func() workload.Sessions {
	yes := true
	return workload.Sessions{MultiTurn: &yes}
}()

func TestShareGPTKeepsAllTurnsWhenAskedTo(t *testing.T) {
	c, _ := openTestdata(t, "sharegpt.json", &workload.Spec{Sessions: allTurns}, dataset.Options{})
	want := `u(What is the tallest mountain?) -> (Mount Everest, at 8,849 metres above the sea.) ###########
u(And the second?) -> (K2.) ##
`
	if got := brief(at(c, 0)); got != want {
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
	c, notices := openTestdata(t, "rows.jsonl", spec, dataset.Options{})
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
	c, _ = openTestdata(t, "rows.jsonl", &workload.Spec{Sessions: allTurns}, dataset.Options{})
	want = `s(You teach.) u(What is 2 + 2?) -> (It is four.) ####
u(And 3 + 3?) -> () 
`
	if got := brief(at(c, 2)); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestLengthsOfFilesCanBeOverruledAndCapped(t *testing.T) {
	most := 5
	c, _ := openTestdata(t, "rows.jsonl", &workload.Spec{Sampling: workload.Sampling{MaxTokens: &most}}, dataset.Options{})
	if a, b := at(c, 0).Turns[0].OutputTokens, at(c, 1).Turns[0].OutputTokens; a != 5 || b != 3 {
		t.Errorf("capped at 5: %d and %d, want 5 and 3", a, b)
	}
	c, _ = openTestdata(t, "rows.jsonl", &workload.Spec{Dataset: workload.Dataset{OutputTokens: "uniform:10:1000"}}, dataset.Options{})
	a, b := at(c, 0).Turns[0].OutputTokens, at(c, c.Len()).Turns[0].OutputTokens
	if a < 10 || a > 1000 || a == b {
		t.Errorf("drawn: %d, and %d for the same row again", a, b)
	}
	factor := 10.0
	c, _ = openTestdata(t, "sharegpt.json", &workload.Spec{Dataset: workload.Dataset{TokensPerWord: &factor, SampleSize: 2}}, dataset.Options{})
	if c.Len() != 2 || at(c, 1).Turns[0].OutputTokens != 30 {
		t.Errorf("%d sessions, the second asks for %d", c.Len(), at(c, 1).Turns[0].OutputTokens)
	}
}

func TestFilesWrapRound(t *testing.T) {
	c, _ := openTestdata(t, "rows.jsonl", &workload.Spec{}, dataset.Options{})
	first, again := at(c, 1), at(c, 1+c.Len())
	if again.Index != 5 || brief(first) != brief(again) || c.EntriesBefore(5) != 5 || c.Offset(5) != -1 {
		t.Errorf("session 5 is %+v, session 1 is %+v", again, first)
	}
}

func TestEmptyDataIsAnError(t *testing.T) {
	for data, want := range map[string]string{
		"[]": "dataset.path: a.json: holds no conversation that could be sent",
		`[{"conversations": [{"from": "gpt", "value": "x"}]}]`: "dataset.path: a.json: holds no conversation that could be sent; a.json: conversations without a human turn, left out: 1",
	} {
		spec := &workload.Spec{Dataset: workload.Dataset{Path: "a.json"}}
		_, _, err := dataset.Open(spec, "a.json", corpusOf(t, "a.json", []byte(data), ""), dataset.Options{})
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	_, _, err := dataset.Open(&workload.Spec{Dataset: workload.Dataset{Name: "sharegpt"}}, "", nil, dataset.Options{})
	if want := `dataset "sharegpt": its data is not there`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestConcurrentUse(t *testing.T) {
	c, _, err := dataset.Open(&workload.Spec{Dataset: workload.Dataset{InputTokens: "uniform:5:50"}}, "", nil, dataset.Options{})
	if err != nil {
		t.Fatal(err)
	}
	file, _ := openTestdata(t, "sharegpt.json", &workload.Spec{Dataset: workload.Dataset{OutputTokens: "uniform:1:9"}, Sessions: allTurns}, dataset.Options{})
	for _, corpus := range []dataset.Corpus{c, file} {
		want := sessions(corpus, 50)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if sessions(corpus, 50) != want {
					t.Error("concurrent readers see different sessions")
				}
			})
		}
		wg.Wait()
	}
}

func TestOnlyAGeneratingAPICarriesConversations(t *testing.T) {
	const several = `{"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}]}`
	yes := true
	for _, c := range []struct {
		api, data string
		sessions  workload.Sessions
		sample    int64
		refused   bool
	}{
		{"chat", several, workload.Sessions{MultiTurn: &yes}, 0, false},
		{"embeddings", several, workload.Sessions{MultiTurn: &yes}, 0, true},
		{"rerank", several, workload.Sessions{MultiTurn: &yes}, 0, true},
		{"embeddings", several, workload.Sessions{}, 0, false},
		{"embeddings", several, workload.Sessions{MultiTurn: &yes, SeparateTurns: true}, 0, false},
		{"embeddings", `{"prompt": "x"}`, workload.Sessions{MultiTurn: &yes}, 0, false},
		{"embeddings", `{"prompt": "x"}` + "\n" + several, workload.Sessions{MultiTurn: &yes}, 1, false},
	} {
		spec := &workload.Spec{Endpoint: workload.Endpoint{API: c.api}, Dataset: workload.Dataset{Path: "a.jsonl", SampleSize: c.sample}, Sessions: c.sessions}
		_, _, err := dataset.Open(spec, "a.jsonl", corpusOf(t, "a.jsonl", []byte(c.data), ""), dataset.Options{})
		var errs workload.Errors
		if (err != nil) != c.refused || c.refused && (!errors.As(err, &errs) || errs[0].Path != "sessions.multi_turn" || !strings.Contains(errs[0].Message, c.api)) {
			t.Errorf("%+v: got %v", c, err)
		}
	}
}
