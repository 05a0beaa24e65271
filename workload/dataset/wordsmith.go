package dataset

import (
	"math"
	"strings"

	"github.com/stampede-bench/stampede/internal/draw"
	"github.com/stampede-bench/stampede/workload"
)

// piece is a stretch of a prompt whose words are drawn from one sequence.
type piece struct {
	draws  draw.Sequence
	tokens int
}

// wordsmith makes text that has as many tokens as its pieces ask for together.
// It is pure and safe for concurrent use.
type wordsmith interface {
	// text writes pieces one behind the other. Pieces that are equal and stand
	// behind equal ones give the same bytes, unless they are the last of all, which
	// may make up for what the joints cost. first is the length of the first piece
	// in bytes.
	text(pieces ...piece) (text string, first int)
}

// newWordsmith is the one place that decides who writes prompts.
func newWordsmith(spec *workload.Spec, tokens Tokens) (wordsmith, error) {
	if tokens != nil {
		return newExactWords(tokens)
	}
	if spec.Dataset.SingleWords != "" {
		return maskedWords(spec.Dataset.SingleWords)
	}
	return countedWords{perWord: perWord(spec)}, nil
}

// countedWords writes words of the list, each of them so many tokens.
type countedWords struct{ perWord float64 }

// text rounds where pieces end, not how long they are, so that no error adds up.
func (w countedWords) text(pieces ...piece) (string, int) {
	total, ends := 0, make([]int, len(pieces))
	for i, p := range pieces {
		total += p.tokens
		ends[i] = int(math.Round(float64(total) / w.perWord))
	}
	ends[len(ends)-1] = max(1, ends[len(ends)-1])
	var b strings.Builder
	b.Grow(ends[len(ends)-1] * meanWord)
	first, written := 0, 0
	for i, p := range pieces {
		for ; written < ends[i]; written++ {
			b.WriteString(word(p.draws.Next()))
		}
		if i == 0 {
			first = b.Len()
		}
	}
	return b.String()[:b.Len()-1], min(first, b.Len()-1)
}
