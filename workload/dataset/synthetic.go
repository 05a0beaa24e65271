package dataset

import (
	"fmt"
	"math"

	"github.com/stampede-bench/stampede/internal/draw"
	"github.com/stampede-bench/stampede/workload"
)

// nonceWords stand at the start of a synthetic prompt: enough that no two
// prompts begin alike, few enough for the shortest block of a prefix cache.
const nonceWords = 5

// synthetic makes prompts of random words, without end. Lengths and words are
// drawn by (seed, i); the nonce also by the trial or by the run, so that a
// prompt is the same length in each of them but never cached.
type synthetic struct {
	input    workload.Dist
	lengths  draw.Stream
	text     draw.Stream
	nonce    draw.Stream
	nonces   int  // tokens of the nonce
	volatile bool // the nonce is the run's and stays out of the hash
	smith    wordsmith
	output   output
}

func newSynthetic(spec *workload.Spec, out output, o Options) (*synthetic, error) {
	text := spec.Dataset.InputTokens
	if text == "" {
		text = workload.DefaultInputTokens
	}
	input, err := workload.ParseDist(text)
	if err != nil {
		return nil, fmt.Errorf("dataset.input_tokens: %w", err)
	}
	if !out.given() {
		n := out.most
		if n == 0 {
			if out.dist, err = workload.ParseDist(workload.DefaultOutputTokens); err != nil {
				return nil, err
			}
		} else {
			out.dist = workload.Dist{Kind: workload.DistFixed, A: float64(n)}
		}
	}
	smith, err := newWordsmith(spec)
	if err != nil {
		return nil, err
	}
	s := &synthetic{
		input:   input,
		lengths: draw.NewStream(spec.Seed, "input tokens", 0),
		text:    draw.NewStream(spec.Seed, "words", 0),
		nonces:  int(math.Ceil(nonceWords * perWord(spec))),
		smith:   smith,
		output:  out,
	}
	switch spec.Dataset.Nonce {
	case "", "seed":
		s.nonce = draw.NewStream(spec.Seed, "nonce", int64(o.Trial))
	case "run":
		s.nonce = draw.NewStream(spec.Seed, "nonce of run "+o.RunID, int64(o.Trial))
		s.volatile = true
	case "none":
		s.nonces = 0
	default:
		return nil, fmt.Errorf("dataset.nonce: must be seed, run or none, got %q", spec.Dataset.Nonce)
	}
	return s, nil
}

func (s *synthetic) Len() int64                  { return -1 }
func (s *synthetic) Turns(int64) int             { return 1 }
func (s *synthetic) EntriesBefore(i int64) int64 { return i }
func (s *synthetic) Offset(int64) int64          { return -1 }

func (s *synthetic) Session(i int64) Session {
	tokens := lengthAt(s.input, s.lengths, i, 0)
	nonce := min(tokens, s.nonces)
	prompt, first := s.smith.text(piece{s.nonce.Sequence(i), nonce}, piece{s.text.Sequence(i), tokens - nonce})
	session := Session{Index: i, OffsetNanos: -1, Turns: []Turn{{
		Messages:     []Message{{Role: "user", Content: prompt}},
		InputTokens:  tokens,
		OutputTokens: s.output.at(i, 0),
		OffsetNanos:  -1,
	}}}
	if s.volatile {
		session.volatile = first
	}
	return session
}
