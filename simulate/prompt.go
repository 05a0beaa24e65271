package simulate

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"sync"
)

// blockWords is how many words make a block of the prefix cache.
const blockWords = 16

// promptText gathers the text of a prompt. A connection keeps one and its space.
type promptText struct {
	text  []byte // roles and contents, each ended by a zero byte
	words int    // of the contents
	ids   int    // tokens of prompts that came as token ids
	exact int    // tokens of the contents, where there is a tokenizer

	mediaTokens, images, sounds int
}

func (p *promptText) reset() { *p = promptText{text: p.text[:0]} }

// shrink frees the space of a large prompt.
func (p *promptText) shrink() {
	if cap(p.text) > 16*minBuffer {
		p.text = nil
	}
}

// count counts the tokens of a content with the tokenizer, if there is one.
func (s *Server) count(p *promptText, content string) {
	if s.cfg.Tokenizer != nil {
		p.exact += s.cfg.Tokenizer.Count(content)
	}
}

func (p *promptText) add(role, content string) {
	p.text = append(append(p.text, role...), 0)
	p.text = append(append(p.text, content...), 0)
	p.words += countWords(content)
}

// tokens is the prompt's length.
func (s *Server) tokens(p *promptText) int {
	if s.cfg.Tokenizer != nil {
		return p.ids + p.exact + p.mediaTokens
	}
	return p.ids + p.mediaTokens + int(math.Round(float64(p.words)*s.cfg.TokensPerWord))
}

func (p *promptText) hash() [sha256.Size]byte { return sha256.Sum256(p.text) }

func isSpace(c byte) bool { return c <= ' ' }

// countWords counts stretches of what is not white space (of ASCII).
func countWords(s string) int {
	n, in := 0, false
	for i := range len(s) {
		space := isSpace(s[i])
		if !space && !in {
			n++
		}
		in = !space
	}
	return n
}

// blocks appends the hash of each whole block of so many words with all before it.
func (p *promptText) blocks(to []uint64, size int) []uint64 {
	var h uint64 = 14695981039346656037
	words, in := 0, false
	for _, c := range p.text {
		h = (h ^ uint64(c)) * 1099511628211
		space := isSpace(c)
		if in && space {
			if words++; words%size == 0 {
				to = append(to, mix(h))
			}
		}
		in = !space
	}
	return to
}

// prefixCache remembers blocks of prompts in two generations: when the young one
// has half of the size, it becomes the old one, and what was not used since is
// forgotten. It is safe for concurrent use; a nil one is always empty.
type prefixCache struct {
	half int

	mu struct {
		sync.Mutex
		young, old map[uint64]struct{}
	}
}

func newPrefixCache(size int) *prefixCache {
	if size == 0 {
		return nil
	}
	c := &prefixCache{half: max(1, size/2)}
	c.mu.young = make(map[uint64]struct{})
	return c
}

// take returns how many of the prompt's first words are known; afterwards all
// are.
func (c *prefixCache) take(p *promptText) int {
	if c == nil {
		return 0
	}
	blocks := p.blocks(make([]uint64, 0, p.words/blockWords+1), blockWords)
	c.mu.Lock()
	defer c.mu.Unlock()
	known, hit := 0, true
	for _, b := range blocks {
		_, young := c.mu.young[b]
		_, old := c.mu.old[b]
		if hit = hit && (young || old); hit {
			known++
		}
		if len(c.mu.young) >= c.half && !young {
			c.mu.young, c.mu.old = make(map[uint64]struct{}), c.mu.young
		}
		c.mu.young[b] = struct{}{}
	}
	return known * blockWords
}

// reset empties the cache.
func (c *prefixCache) reset() {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mu.young, c.mu.old = make(map[uint64]struct{}), nil
}

// fingerprint turns token ids into text, so that they hash like any prompt.
func fingerprint(to []byte, ids []int64) []byte {
	for _, id := range ids {
		to = binary.AppendVarint(to, id)
		to = append(to, ' ')
	}
	return to
}
