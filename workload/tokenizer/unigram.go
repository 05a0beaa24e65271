package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"
)

// unknownPenalty is how much worse an unknown character is than the worst token.
const unknownPenalty = 10.0

// unigram takes the tokens whose scores add up to the most.
type unigram struct {
	vocab        vocabulary
	scores       []float64
	trie         pairTable // node and byte → node
	ends         []int32   // token that ends at a node, -1 for none
	unknown      int32
	unknownScore float64
	byteFallback bool
	bytes        [256]int32
}

type unigramFile struct {
	Unknown      *int64        `json:"unk_id"`
	ByteFallback bool          `json:"byte_fallback"`
	Vocab        []scoredToken `json:"vocab"`
	Alpha        *float64      `json:"alpha"`
}

type scoredToken struct {
	token string
	score float64
}

// UnmarshalJSON reads [token, score].
func (s *scoredToken) UnmarshalJSON(data []byte) error {
	pair := []any{&s.token, &s.score}
	if err := json.Unmarshal(data, &pair); err != nil || len(pair) != 2 {
		return fmt.Errorf("model.vocab: must hold [token, score], got %.60s", data)
	}
	return nil
}

func newUnigram(f *unigramFile) (*unigram, error) {
	switch {
	case f.Alpha != nil && *f.Alpha != 0:
		return nil, fmt.Errorf("model.alpha: is %v; with sampling the tokens of a text are random, it must be null or 0", *f.Alpha)
	case f.Unknown == nil:
		return nil, errors.New("model.unk_id: must be given")
	case *f.Unknown < 0 || *f.Unknown >= int64(len(f.Vocab)):
		return nil, fmt.Errorf("model.unk_id: is %d, must be below the %d tokens of model.vocab", *f.Unknown, len(f.Vocab))
	case len(f.Vocab) > maxID:
		return nil, fmt.Errorf("model.vocab: has %d tokens, must be at most %d", len(f.Vocab), maxID)
	}
	m := &unigram{unknown: int32(*f.Unknown), byteFallback: f.ByteFallback}
	m.vocab.ids = make(map[string]int32, len(f.Vocab))
	least, nodes := math.Inf(1), 1
	for id, t := range f.Vocab {
		m.vocab.ids[t.token] = int32(id)
		m.vocab.tokens, m.vocab.has = append(m.vocab.tokens, t.token), append(m.vocab.has, true)
		m.scores = append(m.scores, t.score)
		least = min(least, t.score)
		nodes += len(t.token)
	}
	m.unknownScore = least - unknownPenalty
	m.grow(nodes)
	for b := range 256 {
		m.bytes[b] = -1
		if id, ok := m.vocab.ids[fmt.Sprintf("<0x%02X>", b)]; ok {
			m.bytes[b] = id
		}
	}
	return m, nil
}

// grow builds the trie, which has no more than so many nodes.
func (m *unigram) grow(nodes int) {
	m.trie, m.ends = newPairTable(nodes), []int32{-1}
	for token, id := range m.vocab.ids {
		at := int32(0)
		for i := range len(token) {
			slot, ok := m.trie.get(at, int32(token[i]))
			if !ok {
				m.ends = append(m.ends, -1)
				m.trie.set(at, int32(token[i]), 0, int32(len(m.ends)-1))
				at = int32(len(m.ends) - 1)
				continue
			}
			at = slot.id
		}
		if token != "" {
			m.ends[at] = id
		}
	}
}

func (m *unigram) id(token string) (int32, bool) { return m.vocab.id(token) }
func (m *unigram) token(id int32) (string, bool) { return m.vocab.token(id) }
func (m *unigram) size() int                     { return len(m.vocab.tokens) }
func (m *unigram) all() []string                 { return m.vocab.tokens }

// pathNode is the best way to a place in the text.
type pathNode struct {
	score float64
	start int32 // -1: no way yet
	id    int32
}

func (p *pathNode) offer(score float64, start, id int32) {
	if p.start < 0 || score > p.score {
		*p = pathNode{score, start, id}
	}
}

func (m *unigram) appendIDs(dst []int32, piece string, s *scratch) []int32 {
	path := s.path[:0]
	for range len(piece) + 1 {
		path = append(path, pathNode{start: -1})
	}
	s.path = path
	for start := 0; start < len(piece); {
		_, size := utf8.DecodeRuneInString(piece[start:])
		alone := m.extend(path, piece, start, size)
		if !alone {
			path[start+size].offer(path[start].score+m.unknownScore, int32(start), m.unknown)
		}
		start += size
	}
	s.spans = s.spans[:0]
	for end := len(piece); end > 0; end = int(path[end].start) {
		s.spans = append(s.spans, span{int(path[end].start), end, path[end].id == m.unknown})
	}
	return m.tokens(dst, piece, s.spans, path)
}

// extend offers all tokens that begin at start. It reports whether the character
// there is a token by itself.
func (m *unigram) extend(path []pathNode, piece string, start, size int) (alone bool) {
	at := int32(0)
	for i := start; i < len(piece); i++ {
		slot, ok := m.trie.get(at, int32(piece[i]))
		if !ok {
			return alone
		}
		at = slot.id
		id := m.ends[at]
		if id < 0 {
			continue
		}
		path[i+1].offer(m.scores[id]+path[start].score, int32(start), id)
		alone = alone || i+1-start == size
	}
	return alone
}

// tokens writes the path, which spans holds from its end, with unknown neighbours
// in one.
func (m *unigram) tokens(dst []int32, piece string, backwards []span, path []pathNode) []int32 {
	for i := len(backwards) - 1; i >= 0; i-- {
		s := backwards[i]
		if !s.match {
			dst = append(dst, path[s.end].id)
			continue
		}
		for i > 0 && backwards[i-1].match {
			i--
		}
		dst = m.unknownText(dst, piece[s.start:backwards[i].end])
	}
	return dst
}

func (m *unigram) unknownText(dst []int32, text string) []int32 {
	if id, ok := m.vocab.ids[text]; ok {
		return append(dst, id)
	}
	if !m.byteFallback {
		return append(dst, m.unknown)
	}
	for i := range len(text) {
		if m.bytes[text[i]] < 0 {
			return append(dst, m.unknown)
		}
	}
	for i := range len(text) {
		dst = append(dst, m.bytes[text[i]])
	}
	return dst
}
