package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stampede-bench/stampede/measure"
	"github.com/stampede-bench/stampede/target"
	"github.com/stampede-bench/stampede/workload"
	"github.com/stampede-bench/stampede/workload/dataset"
	"github.com/stampede-bench/stampede/workload/tokenizer"
)

// tokenizeServer answers /tokenize in one of the forms that servers have.
type tokenizeServer struct {
	count func(text string) int
	form  string // the member that holds the text
	extra int    // tokens added to every text
	asked int
}

func (s *tokenizeServer) Do(context.Context, target.Input) (*measure.Exchange, error) {
	return nil, nil
}
func (s *tokenizeServer) Get(context.Context, string) (*target.Reply, error) { return nil, nil }

func (s *tokenizeServer) Fetch(_ context.Context, method, path string, body []byte) (*target.Reply, error) {
	s.asked++
	var in map[string]any
	if err := json.Unmarshal(body, &in); err != nil || method != "POST" || path != "/tokenize" {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	text, ok := in[s.form].(string)
	if !ok {
		return nil, &target.Error{HTTP: http.StatusBadRequest, Message: "no " + s.form}
	}
	ids := make([]int, s.count(text)+s.extra)
	var answer any = map[string]any{"tokens": ids}
	if s.form == "inputs" {
		answer = ids
	}
	reply, err := json.Marshal(answer)
	return &target.Reply{Status: 200, Body: reply}, err
}

func TestAskTokens(t *testing.T) {
	tokens, err := tokenizer.Builtin("cl100k_base")
	if err != nil {
		t.Fatal(err)
	}
	words := func(text string) int { return len(strings.Fields(text)) }
	for name, c := range map[string]struct {
		server tokenizeServer
		want   string // in the error
	}{
		"vllm":           {tokenizeServer{count: tokens.Count, form: "prompt"}, ""},
		"llama.cpp":      {tokenizeServer{count: tokens.Count, form: "content"}, ""},
		"tgi, with bos":  {tokenizeServer{count: tokens.Count, form: "inputs", extra: 1}, ""},
		"words":          {tokenizeServer{count: words, form: "prompt"}, ""},
		"characters":     {tokenizeServer{count: func(s string) int { return len(s) }, form: "prompt"}, "takes only 0 of"},
		"another form":   {tokenizeServer{count: words, form: "text"}, "no text"},
		"not by words":   {tokenizeServer{count: func(s string) int { return words(s) - words(s)/290 }, form: "prompt"}, "so lengths can't be made by words"},
		"always nothing": {tokenizeServer{count: func(string) int { return 0 }, form: "prompt"}, "takes only 0 of"},
	} {
		t.Run(name, func(t *testing.T) {
			a := &tokenAsker{client: &c.server, model: "m"}
			single, err := a.singles(t.Context())
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("error %v, want %q", err, c.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			spec := &workload.Spec{Dataset: workload.Dataset{Name: workload.DatasetSynthetic, InputTokens: "200", SingleWords: single}}
			corpus, _, err := dataset.Open(spec, "", nil, dataset.Options{})
			if err != nil {
				t.Fatal(err)
			}
			for i := range int64(20) {
				s, err := corpus.Session(i)
				if err != nil {
					t.Fatal(err)
				}
				if n := c.server.count(s.Turns[0].Messages[0].Content); n != 200 {
					t.Errorf("prompt %d has %d tokens, want 200", i, n)
				}
			}
			if c.server.asked > 600 {
				t.Errorf("the server was asked %d times", c.server.asked)
			}
		})
	}
}

func TestCountOf(t *testing.T) {
	for body, want := range map[string]int{
		`{"count":3,"tokens":[1,2,3],"max_model_len":9}`: 3, `{"tokens":[1,2]}`: 2, `[{"id":1}]`: 1, `[]`: 0, `{"tokens":[]}`: 0,
	} {
		if n, err := countOf([]byte(body)); err != nil || n != want {
			t.Errorf("%s: %d, %v, want %d", body, n, err, want)
		}
	}
	for _, body := range []string{`{}`, `"a"`, `{"count":-1}`, `<html>`, ``} {
		if n, err := countOf([]byte(body)); err == nil {
			t.Errorf("%q: %d, want an error", body, n)
		}
	}
}

func TestRecount(t *testing.T) {
	tokens, err := tokenizer.Builtin("cl100k_base")
	if err != nil {
		t.Fatal(err)
	}
	const text = " the of and to in is it that" // 8
	answer := func(usage int32, kind measure.ChunkKind) *measure.Exchange {
		return &measure.Exchange{Status: measure.Succeeded, Answer: []byte(text), Usage: measure.Usage{Output: usage}, Chunks: []measure.Chunk{{Kind: kind}}}
	}
	var c recount
	c.count(tokens, answer(8, measure.Content))
	c.count(tokens, answer(9, measure.Content)) // an end of sequence has no text
	if c.usage.Load() != 17 || c.counted.Load() != 17 {
		t.Errorf("usage %d, counted %d, want 17 both", c.usage.Load(), c.counted.Load())
	}
	c.count(tokens, answer(20, measure.Content))
	if c.usage.Load() != 37 || c.counted.Load() != 25 {
		t.Errorf("usage %d, counted %d, want 37 and 25", c.usage.Load(), c.counted.Load())
	}
	c.count(tokens, answer(20, measure.Reasoning)) // its text wasn't kept
	c.count(nil, answer(20, measure.Content))
	c.count(tokens, nil)
	if c.usage.Load() != 37 {
		t.Errorf("usage %d, want 37 still", c.usage.Load())
	}
	silent := answer(-1, measure.Content)
	c.count(tokens, silent)
	if silent.Usage.Output != 8 || !silent.Counted || c.usage.Load() != 37 {
		t.Errorf("without usage: output %d, counted %v, checked %d", silent.Usage.Output, silent.Counted, c.usage.Load())
	}
	var s measure.Sample
	measure.Derive(silent, 0, &s)
	if s.OutputTokens != 8 || s.TokenSource != measure.SourceTokenizer {
		t.Errorf("sample has %d tokens by %q, want 8 by tokenizer", s.OutputTokens, s.TokenSource)
	}
}
