package tokenizer

import (
	"fmt"
	"strings"
	"sync/atomic"
	"unicode/utf8"
)

// bpe merges neighbours, the pair with the lowest rank first, from the left.
type bpe struct {
	vocab  vocabulary
	pieces map[string]int32 // by what a piece is compared with: raw bytes, or the token
	pairs  pairTable

	raw          bool       // byte-level: pieces are raw bytes
	bytes        [256]int32 // byte-level: ids of single bytes, -1 for none
	fallback     [256]int32 // byte_fallback: ids of <0xNN>
	byteFallback bool
	prefix       string
	suffix       string
	unknown      int32 // -1: left out
	fuseUnknown  bool
	ignoreMerges bool

	// whole holds two bits a token: that it was looked at, and that its own text
	// is merged to it alone. It saves merging what is one token.
	whole []atomic.Uint32
}

type bpeFile struct {
	Dropout      *float64  `json:"dropout"`
	Unknown      *string   `json:"unk_token"`
	Prefix       *string   `json:"continuing_subword_prefix"`
	Suffix       *string   `json:"end_of_word_suffix"`
	FuseUnknown  bool      `json:"fuse_unk"`
	ByteFallback bool      `json:"byte_fallback"`
	IgnoreMerges bool      `json:"ignore_merges"`
	Vocab        rawVocab  `json:"vocab"`
	Merges       mergeList `json:"merges"`
}

func newBPE(f *bpeFile, raw bool) (*bpe, error) {
	if f.Dropout != nil && *f.Dropout != 0 {
		return nil, fmt.Errorf("model.dropout: is %v; with dropout the tokens of a text are random, it must be null or 0", *f.Dropout)
	}
	v, err := newVocabulary(f.Vocab)
	if err != nil {
		return nil, err
	}
	m := &bpe{
		vocab: v, raw: raw, byteFallback: f.ByteFallback, fuseUnknown: f.FuseUnknown, ignoreMerges: f.IgnoreMerges,
		unknown: -1, prefix: deref(f.Prefix), suffix: deref(f.Suffix),
		whole: make([]atomic.Uint32, len(v.tokens)/16+1),
	}
	if f.Unknown != nil {
		if m.unknown, err = v.must("model.unk_token", *f.Unknown); err != nil {
			return nil, err
		}
	}
	if raw && (m.prefix != "" || m.suffix != "") {
		return nil, fmt.Errorf("model: continuing_subword_prefix and end_of_word_suffix can't be used with bytes")
	}
	m.index()
	return m, m.merges(f.Merges)
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// index fills in what pieces and bytes are looked up by.
func (m *bpe) index() {
	for b := range 256 {
		m.bytes[b], m.fallback[b] = -1, -1
		if id, ok := m.vocab.ids[fmt.Sprintf("<0x%02X>", b)]; ok {
			m.fallback[b] = id
		}
	}
	m.pieces = m.vocab.ids
	if !m.raw {
		return
	}
	m.pieces = make(map[string]int32, len(m.vocab.ids))
	for token, id := range m.vocab.ids {
		if bytes, ok := fromByteChars(token); ok {
			m.pieces[bytes] = id
			if len(bytes) == 1 {
				m.bytes[bytes[0]] = id
			}
		}
	}
}

func (m *bpe) merges(list mergeList) error {
	m.pairs = newPairTable(len(list))
	for rank, pair := range list {
		left, err := m.vocab.must(fmt.Sprintf("model.merges[%d]", rank), pair[0])
		if err != nil {
			return err
		}
		right, err := m.vocab.must(fmt.Sprintf("model.merges[%d]", rank), pair[1])
		if err != nil {
			return err
		}
		if !strings.HasPrefix(pair[1], m.prefix) {
			return fmt.Errorf("model.merges[%d]: %q doesn't begin with the prefix %q", rank, pair[1], m.prefix)
		}
		whole, err := m.vocab.must(fmt.Sprintf("model.merges[%d]", rank), pair[0]+pair[1][len(m.prefix):])
		if err != nil {
			return err
		}
		m.pairs.set(left, right, uint32(rank), whole)
	}
	return nil
}

func (m *bpe) id(token string) (int32, bool) { return m.vocab.id(token) }
func (m *bpe) token(id int32) (string, bool) { return m.vocab.token(id) }
func (m *bpe) size() int                     { return len(m.vocab.ids) }
func (m *bpe) all() []string                 { return m.vocab.tokens }

func (m *bpe) appendIDs(dst []int32, piece string, s *scratch) []int32 {
	id, known := m.pieces[piece]
	if known && (m.ignoreMerges || m.wholeToken(id)) {
		return append(dst, id)
	}
	s.symbols = m.symbols(s.symbols[:0], piece)
	merged := m.merge(s)
	if known {
		m.remember(id, len(merged) == 1 && merged[0] == id)
	}
	return append(dst, merged...)
}

const (
	lookedAt = 1
	isWhole  = 2
)

func (m *bpe) wholeToken(id int32) bool {
	return m.whole[id/16].Load()>>(id%16*2)&isWhole != 0
}

func (m *bpe) remember(id int32, whole bool) {
	bits := uint32(lookedAt)
	if whole {
		bits |= isWhole
	}
	m.whole[id/16].Or(bits << (id % 16 * 2))
}

// symbols appends what a piece is before any merge.
func (m *bpe) symbols(dst []int32, piece string) []int32 {
	if m.raw {
		for i := range len(piece) {
			if id := m.bytes[piece[i]]; id >= 0 {
				dst = append(dst, id)
			} else {
				dst = m.outOfVocabulary(dst)
			}
		}
		return dst
	}
	waiting := 0 // unknown characters that are not written yet
	for i := 0; i < len(piece); {
		_, size := utf8.DecodeRuneInString(piece[i:])
		char := piece[i : i+size]
		text := char
		if m.prefix != "" && i > 0 {
			text = m.prefix + text
		}
		if i += size; m.suffix != "" && i == len(piece) {
			text += m.suffix
		}
		id, ok := m.vocab.ids[text]
		switch {
		case ok:
			dst = m.flush(dst, &waiting)
			dst = append(dst, id)
		case m.byteFallback && m.hasBytes(text):
			for k := range len(text) {
				dst = append(dst, m.fallback[text[k]])
			}
		case m.unknown >= 0:
			if !m.fuseUnknown {
				dst = m.flush(dst, &waiting)
			}
			waiting++
		}
	}
	return m.flush(dst, &waiting)
}

// flush writes one token for the unknown characters that wait. The reference
// writes it in front of the next known character, behind any bytes between.
func (m *bpe) flush(dst []int32, waiting *int) []int32 {
	if *waiting > 0 {
		*waiting = 0
		dst = append(dst, m.unknown)
	}
	return dst
}

func (m *bpe) outOfVocabulary(dst []int32) []int32 {
	if m.unknown < 0 || m.fuseUnknown && len(dst) > 0 && dst[len(dst)-1] == m.unknown {
		return dst
	}
	return append(dst, m.unknown)
}

func (m *bpe) hasBytes(text string) bool {
	for i := range len(text) {
		if m.fallback[text[i]] < 0 {
			return false
		}
	}
	return true
}
