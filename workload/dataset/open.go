package dataset

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/stampede-bench/stampede/internal/draw"
	"github.com/stampede-bench/stampede/workload"
)

// Options are what a corpus depends on beside the spec.
type Options struct {
	// RunID goes into the prompts' nonce when the spec says nonce: run.
	RunID string
	// Trial is the number of the repeat, from 0; it goes into the nonce.
	Trial int
	// Tokens counts tokens: synthetic prompts then have exactly the lengths that are
	// asked for, and the lengths of recorded answers are counted. Default: a fixed
	// number of tokens a word.
	Tokens Tokens
}

// Tokens counts tokens. It is safe for concurrent use.
type Tokens interface {
	// Count is the number of tokens of a text of its own.
	Count(text string) int
	// Apart reports whether words that single spaces keep apart never share a token,
	// so that their counts add up.
	Apart() bool
}

// Open makes the corpus of an effective spec: synthetic prompts, or the sessions
// of a corpus file, which must stay open. name is what notices call the file. It
// also returns notices on what was cut or left out. An error on what the spec asks
// for, or on what the data holds, is of type workload.Errors.
func Open(spec *workload.Spec, name string, file *File, o Options) (Corpus, []string, error) {
	out, err := outputLength(spec)
	if err != nil {
		return nil, nil, err
	}
	if spec.Dataset.Synthetic() {
		c, err := newSynthetic(spec, out, o)
		return c, nil, err
	}
	if file == nil {
		return nil, nil, fmt.Errorf("dataset %q: its data is not there", cmp.Or(spec.Dataset.Name, spec.Dataset.Path))
	}
	return openRecorded(spec, cmp.Or(name, "dataset"), file, out, o)
}

// fault is what is wrong with a key of the spec.
func fault(key string, err error) error {
	return workload.Errors{{Path: key, Message: err.Error(), Type: "value_error"}}
}

// output draws lengths of replies.
type output struct {
	dist  workload.Dist // Kind "" when the spec does not say
	draws draw.Stream
	most  int // sampling.max_tokens, or 0
}

func outputLength(spec *workload.Spec) (output, error) {
	o := output{draws: draw.NewStream(spec.Seed, "output tokens", 0)}
	if spec.Sampling.MaxTokens != nil {
		o.most = *spec.Sampling.MaxTokens
	}
	text := spec.Dataset.OutputTokens
	if text == "" {
		return o, nil
	}
	var err error
	if o.dist, err = workload.ParseDist(text); err != nil {
		return o, fault("dataset.output_tokens", err)
	}
	return o, nil
}

// given says whether the spec asks for output lengths.
func (o *output) given() bool { return o.dist.Kind != "" }

// at is the length to ask for in turn t of session i; it is 0 for none.
func (o *output) at(i int64, t int) int {
	return o.cap(lengthAt(o.dist, o.draws, i, uint64(t)))
}

func (o *output) cap(n int) int {
	if o.most > 0 && n > o.most {
		return o.most
	}
	return n
}

// lengthAt draws the n-th length of item i.
func lengthAt(d workload.Dist, draws draw.Stream, i int64, n uint64) int {
	// Dist.At wants [0, 1).
	return d.At(1-draws.Uniform(i, 2*n), 1-draws.Uniform(i, 2*n+1))
}

func openRecorded(spec *workload.Spec, name string, file *File, out output, o Options) (Corpus, []string, error) {
	var notices []string
	for _, n := range file.Notes() {
		notices = append(notices, fmt.Sprintf("%s: %s: %d", name, n.Text, n.Count))
	}
	if file.Len() == 0 {
		return nil, nil, fault(spec.Dataset.Key(), errors.New(strings.Join(append([]string{name + ": holds no conversation that could be sent"}, notices...), "; ")))
	}
	if file.Textless() == file.Len() && spec.Dataset.InputTokens != "" {
		notices = append(notices, fmt.Sprintf("dataset.input_tokens is not used: %s has lengths of its own", name))
	} else if spec.Dataset.InputTokens != "" {
		notices = append(notices, fmt.Sprintf("dataset.input_tokens is not used: %s has prompts of its own", name))
	}
	c := &recorded{file: file, size: file.Len(), multiTurn: spec.Sessions.AllTurns(), output: out, tokensPerWord: perWord(spec), tokens: o.Tokens}
	if most := spec.Dataset.SampleSize; most > 0 {
		c.size = min(c.size, most)
	}
	if err := c.carried(spec); err != nil {
		return nil, nil, err
	}
	if file.Textless() > 0 {
		var err error
		if c.author, err = newAuthor(spec, o); err != nil {
			return nil, nil, err
		}
	}
	v, err := newVisits(spec, c)
	return v, notices, err
}

// carried refuses conversations where the API has none: a turn there knows of no
// other and has no reply to go on from.
func (c *recorded) carried(spec *workload.Spec) error {
	s := &spec.Sessions
	apart := s.SeparateTurns || s.SeparateInterval > 0
	if spec.Endpoint.Generates() || !c.multiTurn || apart || c.file.TurnsBefore(c.size) == c.size {
		return nil
	}
	return workload.Errors{{
		Path: "sessions.multi_turn", Type: "value_error",
		Message: fmt.Sprintf("must not be true: the data has conversations of several turns, which %s can't carry", spec.Endpoint.API),
		Hint:    "false sends the first turn of each; sessions.separate_turns makes a request of every turn",
	}}
}

// perWord is the spec's tokens a word, or else the usual.
func perWord(spec *workload.Spec) float64 {
	if f := spec.Dataset.TokensPerWord; f != nil && *f > 0 {
		return *f
	}
	return UsualTokensPerWord(spec)
}

// UsualTokensPerWord is what is taken for tokens a word when the spec doesn't say.
func UsualTokensPerWord(spec *workload.Spec) float64 {
	if spec.Dataset.Synthetic() {
		return TokensPerWord
	}
	return TokensPerTextWord
}
