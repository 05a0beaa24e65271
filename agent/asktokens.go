package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/stampede-bench/stampede/target"
	"github.com/stampede-bench/stampede/workload/dataset"
)

const (
	// askTokensTimeout bounds all questions to the server's tokenizer together.
	askTokensTimeout = 30 * time.Second
	// startWords is how many words that can begin a text are enough, and leastWords
	// how many that can follow.
	startWords, leastWords = 24, 64
	// checkedWords is the length of the text with which the findings are checked.
	checkedWords = 300
)

// tokenizeForms are the ways in which servers take a text to tokenize.
var tokenizeForms = []struct {
	name string
	body func(model, text string) any
}{
	{"vLLM's and SGLang's", func(model, text string) any {
		return map[string]any{"model": model, "prompt": text, "add_special_tokens": false}
	}},
	{"llama.cpp's", func(_, text string) any { return map[string]any{"content": text, "add_special": false} }},
	{"TGI's", func(_, text string) any { return map[string]any{"inputs": text} }},
}

// tokenAsker counts tokens by the server's /tokenize.
type tokenAsker struct {
	probe  *probe
	client prober
	model  string
	form   int // of tokenizeForms
}

// askTokens finds the words of synthetic text that the server's tokenizer takes
// for one token each, so that prompts of them have the lengths that are asked for.
func (p *probe) askTokens(ctx context.Context, client prober, model string) error {
	ctx, cancel := context.WithTimeout(ctx, askTokensTimeout)
	defer cancel()
	a := &tokenAsker{client: client, model: model, probe: p}
	single, err := a.singles(ctx)
	if err != nil {
		return fmt.Errorf("the server's tokenizer: %w", err)
	}
	p.result.SingleWords = single
	return nil
}

func (a *tokenAsker) singles(ctx context.Context) (string, error) {
	if err := a.chooseForm(ctx); err != nil {
		return "", err
	}
	words := dataset.Vocabulary()
	none, err := a.count(ctx, words[0])
	if err != nil {
		return "", err
	}
	// What a server adds to a text counts for all texts alike.
	two, err := a.count(ctx, words[0]+" "+words[1])
	if err != nil {
		return "", err
	}
	after := map[string]bool{}
	if err := a.sift(ctx, words[0], none, words, after); err != nil {
		return "", err
	}
	if len(after) < leastWords {
		return "", fmt.Errorf("takes only %d of %d common words for one token each, %d are needed (%q has %d, with %q %d)",
			len(after), len(words), leastWords, words[0], none, words[1], two)
	}
	start, added, err := a.starts(ctx, words)
	if err != nil {
		return "", err
	}
	single := dataset.SingleWords(after, start)
	return single, a.check(ctx, single, added)
}

// chooseForm finds the form that the server takes.
func (a *tokenAsker) chooseForm(ctx context.Context) (err error) {
	for a.form = range tokenizeForms {
		if _, err = a.count(ctx, "a"); err == nil {
			return nil
		}
		var refused *target.Error
		if !errors.As(err, &refused) || refused.HTTP == 0 || refused.HTTP/100 == 5 {
			break
		}
	}
	return fmt.Errorf("/tokenize can't be used: %w", err)
}

// sift keeps those of words that add one token each behind anchor, whose own
// count is base. Halves that have one each need no closer look.
func (a *tokenAsker) sift(ctx context.Context, anchor string, base int, words []string, keep map[string]bool) error {
	n, err := a.count(ctx, anchor+" "+strings.Join(words, " "))
	if err != nil {
		return err
	}
	switch {
	case n == base+len(words):
		for _, w := range words {
			keep[w] = true
		}
		return nil
	case len(words) == 1:
		return nil
	}
	half := len(words) / 2
	if err := a.sift(ctx, anchor, base, words[:half], keep); err != nil {
		return err
	}
	return a.sift(ctx, anchor, base, words[half:], keep)
}

// starts finds words of the fewest tokens at the start of a text, and how many
// tokens the server adds to every text.
func (a *tokenAsker) starts(ctx context.Context, words []string) (start map[string]bool, added int, err error) {
	empty, err := a.count(ctx, "")
	if err != nil {
		empty = 0 // some refuse an empty text, and then add nothing
	}
	start = map[string]bool{}
	step := max(1, len(words)/(4*startWords))
	for i := 0; i < len(words) && len(start) < startWords; i += step {
		n, err := a.count(ctx, words[i])
		if err != nil {
			return nil, 0, err
		}
		if n == empty+1 {
			start[words[i]] = true
		}
	}
	if len(start) == 0 {
		return nil, 0, errors.New("takes no common word at the start of a text for one token")
	}
	return start, empty, nil
}

// check holds a whole text against what the findings say of it.
func (a *tokenAsker) check(ctx context.Context, single string, added int) error {
	text, err := dataset.SingleWordText(single, checkedWords)
	if err != nil {
		return err
	}
	n, err := a.count(ctx, text)
	if err != nil {
		return err
	}
	if n != checkedWords+added {
		return fmt.Errorf("counts %d tokens in a text of %d words of one token each, so lengths can't be made by words", n-added, checkedWords)
	}
	return nil
}

// count is the number of tokens that the server makes of a text.
func (a *tokenAsker) count(ctx context.Context, text string) (int, error) {
	body, err := json.Marshal(tokenizeForms[a.form].body(a.model, text))
	if err != nil {
		return 0, err
	}
	var reply *target.Reply
	err = a.probe.persist(ctx, "", func(ctx context.Context, _ int) (err error) {
		reply, err = a.client.Fetch(ctx, "POST", "/tokenize", body)
		return err
	})
	if err != nil {
		return 0, err
	}
	return countOf(reply.Body)
}

// countOf reads an answer of /tokenize: a list of tokens, alone or in an object.
func countOf(body []byte) (int, error) {
	var list []json.RawMessage
	if json.Unmarshal(body, &list) == nil {
		return len(list), nil
	}
	var answer struct {
		Count  *int               `json:"count"`
		Tokens *[]json.RawMessage `json:"tokens"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return 0, fmt.Errorf("/tokenize answered %.80q, which is no list of tokens", body)
	}
	switch {
	case answer.Count != nil && *answer.Count >= 0:
		return *answer.Count, nil
	case answer.Tokens != nil:
		return len(*answer.Tokens), nil
	}
	return 0, fmt.Errorf("/tokenize answered %.80q, in which there is neither count nor tokens", body)
}
