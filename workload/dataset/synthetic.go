package dataset

import (
	"fmt"
	"math"
	"strings"

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
	nonces   int  // words of the nonce
	volatile bool // the nonce is the run's and stays out of the hash
	perWord  float64
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
	s := &synthetic{
		input:   input,
		lengths: draw.NewStream(spec.Seed, "input tokens", 0),
		text:    draw.NewStream(spec.Seed, "words", 0),
		nonces:  nonceWords,
		perWord: perWord(spec),
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
	prompt, nonce := s.prompt(i, max(1, int(math.Round(float64(tokens)/s.perWord))))
	session := Session{Index: i, OffsetNanos: -1, Turns: []Turn{{
		Messages:     []Message{{Role: "user", Content: prompt}},
		InputTokens:  tokens,
		OutputTokens: s.output.at(i, 0),
		OffsetNanos:  -1,
	}}}
	if s.volatile {
		session.volatile = nonce
	}
	return session
}

// prompt is n words with the nonce first, and the length of the nonce in bytes.
func (s *synthetic) prompt(i int64, n int) (string, int) {
	var b strings.Builder
	b.Grow(n * meanWord)
	nonces := min(n, s.nonces)
	sequence := s.nonce.Sequence(i)
	for range nonces {
		b.WriteString(word(sequence.Next()))
	}
	end := b.Len()
	sequence = s.text.Sequence(i)
	for range n - nonces {
		b.WriteString(word(sequence.Next()))
	}
	return b.String()[:b.Len()-1], min(end, b.Len()-1)
}
