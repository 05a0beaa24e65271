package dataset

import (
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/stampede-bench/stampede/internal/draw"
)

// exactWords writes texts that have exactly as many tokens as they should, by
// words whose lengths a tokenizer told.
type exactWords struct {
	tokens       Tokens // nil: every text is taken to have the tokens of its words
	start, after costed // at the start of a text, and behind another word
}

// costed are words with a space behind each, by how many tokens they take.
type costed struct {
	words []string
	costs []int // ascending
}

// enoughSingles is how many words of one token do for all texts. With fewer,
// longer ones are used, too.
const enoughSingles = 64

// anchor stands before a word whose length behind another one is measured.
const anchor = "the"

func newExactWords(tokens Tokens) (wordsmith, error) {
	w := &exactWords{tokens: tokens}
	if tokens.Apart() {
		w.tokens = nil
	}
	base := tokens.Count(anchor)
	w.start = measured(func(word string) int { return tokens.Count(word) })
	w.after = measured(func(word string) int { return tokens.Count(anchor+" "+word) - base })
	if len(w.start.words) == 0 || len(w.after.words) == 0 {
		return nil, errors.New("the tokenizer makes no tokens of common English words, so it can't be used for synthetic prompts")
	}
	if w.after.costs[0] > 1 || w.start.costs[0] > 1 {
		w.tokens = tokens // some lengths can only be made with what is not a word
	}
	return w, nil
}

// measured sorts the words by their costs and keeps those of one token if there
// are enough.
func measured(cost func(word string) int) costed {
	type priced struct {
		word string
		cost int
	}
	var list []priced
	for _, word := range words {
		if n := cost(strings.TrimSuffix(word, " ")); n > 0 {
			list = append(list, priced{word, n})
		}
	}
	slices.SortStableFunc(list, func(a, b priced) int { return cmp.Compare(a.cost, b.cost) })
	var c costed
	for _, p := range list {
		if p.cost > 1 && len(c.words) >= enoughSingles && c.costs[len(c.costs)-1] == 1 {
			break
		}
		c.words, c.costs = append(c.words, p.word), append(c.costs, p.cost)
	}
	return c
}

// pick is the word that bits choose among those of at most room tokens, and its
// tokens, which are 0 when there is none.
func (c *costed) pick(bits uint64, room int) (string, int) {
	n := sort.SearchInts(c.costs, room+1)
	if n == 0 {
		return "", 0
	}
	i := bits >> 32 * uint64(n) >> 32
	return c.words[i], c.costs[i]
}

func (w *exactWords) text(pieces ...piece) (string, int) {
	var b strings.Builder
	total, have, first, kept := 0, 0, 0, 0
	for i, p := range pieces {
		kept = b.Len()
		total += p.tokens
		if i == len(pieces)-1 {
			total = max(1, total)
		}
		b.Grow(p.tokens * meanWord)
		for have < total {
			from := &w.after
			if b.Len() == 0 {
				from = &w.start
			}
			word, n := from.pick(p.draws.Next(), total-have)
			if n == 0 {
				break
			}
			b.WriteString(word)
			have += n
		}
		if i == 0 {
			first = b.Len()
		}
	}
	text := strings.TrimSuffix(b.String(), " ")
	if w.tokens != nil {
		text = w.mend(text, min(kept, len(text)), total)
	}
	return text, min(first, len(text))
}

// fillers are put at the end of a text that no word makes long enough.
var fillers = strings.Fields("a e i o s t n r . , ; : ! ? - ) ( * / = + 0 1 2 7 A E X")

// mendTries bounds how often mend changes a text.
const mendTries = 64

// mend changes text behind its first keep bytes until it has total tokens. The
// nearest that it found is the text when none has.
func (w *exactWords) mend(text string, keep, total int) string {
	best, off := text, -1
	for try := range mendTries {
		n := w.tokens.Count(text)
		if n == total {
			return text
		}
		if d := max(n-total, total-n); off < 0 || d < off {
			best, off = text, d
		}
		if n < total {
			text = w.grow(text, total-n, total, try)
		} else {
			text = shrink(text, keep)
		}
	}
	return best
}

// grow adds one word that has room, or a filler that makes the length right.
func (w *exactWords) grow(text string, room, total, try int) string {
	if word, n := w.after.pick(uint64(len(text)*31+try)<<32*0x9E3779B1, room); n > 0 && try < mendTries/2 {
		return text + " " + strings.TrimSuffix(word, " ")
	}
	for i := range fillers {
		f := fillers[(i+try)%len(fillers)]
		if w.tokens.Count(text+f) == total {
			return text + f
		}
	}
	return text + fillers[try%len(fillers)]
}

// shrink takes off the last word behind keep, or a character when there is none.
func shrink(text string, keep int) string {
	if i := strings.LastIndexByte(text, ' '); i > keep {
		return text[:i]
	}
	if len(text) > keep+1 {
		return text[:len(text)-1]
	}
	return text
}

// SingleWords writes down, for dataset.single_words, which words of Vocabulary are
// one token each: behind another word, and at the start of a text.
func SingleWords(after, start map[string]bool) string { return wordMask(after) + "." + wordMask(start) }

func wordMask(in map[string]bool) string {
	mask := make([]byte, (len(words)+7)/8)
	for i, word := range words {
		if in[strings.TrimSuffix(word, " ")] {
			mask[i/8] |= 1 << (i % 8)
		}
	}
	return base64.RawStdEncoding.EncodeToString(mask)
}

// Vocabulary are the words of synthetic text.
func Vocabulary() []string {
	list := make([]string, len(words))
	for i, word := range words {
		list[i] = strings.TrimSuffix(word, " ")
	}
	return list
}

// maskedWords writes words of one token that were found before.
func maskedWords(encoded string) (wordsmith, error) {
	first, second, _ := strings.Cut(encoded, ".")
	after, err := masked(first)
	if err != nil {
		return nil, err
	}
	start, err := masked(second)
	if err != nil {
		return nil, err
	}
	return &exactWords{start: start, after: after}, nil
}

func masked(encoded string) (c costed, err error) {
	mask, err := base64.RawStdEncoding.DecodeString(encoded)
	if err != nil || len(mask) != (len(words)+7)/8 {
		return c, fmt.Errorf("dataset.single_words: is not of the %d words of this version", len(words))
	}
	for i, word := range words {
		if mask[i/8]>>(i%8)&1 == 1 {
			c.words, c.costs = append(c.words, word), append(c.costs, 1)
		}
	}
	if len(c.words) == 0 {
		return c, errors.New("dataset.single_words: has no word")
	}
	return c, nil
}

// SingleWordText is a text of n words of single_words, to see whether they are
// counted apart.
func SingleWordText(single string, n int) (string, error) {
	smith, err := maskedWords(single)
	if err != nil {
		return "", err
	}
	text, _ := smith.text(piece{draw.NewStream(0, "single words", 0).Sequence(0), n})
	return text, nil
}
