package dataset

import (
	"math"
	"strconv"
	"strings"
)

// Hits is what a prefix cache without bounds would serve.
type Hits struct {
	Entries       int64 // that were looked at
	Input, Cached int64 // tokens
}

// Rate is the share of input tokens that would be served; 0 without any.
func (h Hits) Rate() float64 {
	if h.Input == 0 {
		return 0
	}
	return float64(h.Cached) / float64(h.Input)
}

// ExpectedHits counts what a server would find in its prefix cache if it got the
// sessions from from to to-1 one after another, forgot nothing, kept whole blocks
// of so many tokens, replies too, and had no template of its own around messages.
// A word counts for tokensPerWord tokens. It looks no further than most tokens of
// input, which it may pass with the session that reaches them.
func ExpectedHits(c Corpus, from, to int64, block int, tokensPerWord float64, most int64) (Hits, error) {
	cache := blockCache{known: map[uint64]struct{}{}, words: max(1, int(math.Round(float64(block)/tokensPerWord)))}
	var h Hits
	for i := from; i < to && h.Input < most; i++ {
		s, err := c.Session(i)
		if err != nil {
			return h, err
		}
		for t := range s.Turns {
			prompt := promptWords(&s, t, tokensPerWord)
			cached := max(min(cache.take(prompt), len(prompt)-1), 0)
			h.Entries++
			h.Input += tokensOf(len(prompt), tokensPerWord)
			h.Cached += tokensOf(cached, tokensPerWord)
			cache.take(append(prompt, replyWords(&s, t, tokensPerWord)...))
		}
	}
	return h, nil
}

// promptWords are those of a turn's prompt with its history, as far as that is
// known before anything was answered.
func promptWords(s *Session, turn int, perWord float64) []string {
	var words []string
	for _, t := range Branch(s.Turns, turn) {
		for _, m := range s.Turns[t].Messages {
			words = append(words, strings.Fields(m.Content)...)
		}
		if t != turn {
			words = append(words, replyWords(s, t, perWord)...)
		}
	}
	return words
}

// replyWords stand for a reply that nobody knows yet.
func replyWords(s *Session, turn int, perWord float64) []string {
	words := make([]string, int(math.Round(float64(s.Turns[turn].OutputTokens)/perWord)))
	for k := range words {
		words[k] = strconv.FormatInt(s.Index, 36) + "/" + strconv.Itoa(turn) + "/" + strconv.Itoa(k)
	}
	return words
}

func tokensOf(words int, perWord float64) int64 { return int64(math.Round(float64(words) * perWord)) }

// blockCache knows blocks by all that stands before their end.
type blockCache struct {
	known map[uint64]struct{}
	words int // of a block
}

// take returns how many of the first words are known; afterwards all whole blocks
// are.
func (b *blockCache) take(words []string) int {
	const offset, prime = 14695981039346656037, 1099511628211 // FNV-1a
	sum := uint64(offset)
	known, hit := 0, true
	for i, w := range words {
		for k := range len(w) {
			sum = (sum ^ uint64(w[k])) * prime
		}
		sum = (sum ^ ' ') * prime
		if (i+1)%b.words != 0 {
			continue
		}
		if _, there := b.known[sum]; there && hit {
			known += b.words
		} else {
			hit = false
		}
		b.known[sum] = struct{}{}
	}
	return known
}
