package tokenizer

import "unicode/utf8"

// wordPiece takes the longest token from the left, again and again.
type wordPiece struct {
	vocab   vocabulary
	prefix  string
	unknown int32
	longest int // characters of a word; longer ones are unknown
	most    int // bytes of a token
}

type wordPieceFile struct {
	Unknown string   `json:"unk_token"`
	Prefix  *string  `json:"continuing_subword_prefix"`
	Longest *int     `json:"max_input_chars_per_word"`
	Vocab   rawVocab `json:"vocab"`
}

func newWordPiece(f *wordPieceFile) (*wordPiece, error) {
	v, err := newVocabulary(f.Vocab)
	if err != nil {
		return nil, err
	}
	m := &wordPiece{vocab: v, prefix: "##", longest: 100}
	if f.Prefix != nil {
		m.prefix = *f.Prefix
	}
	if f.Longest != nil {
		m.longest = *f.Longest
	}
	for token := range v.ids {
		m.most = max(m.most, len(token))
	}
	m.unknown, err = v.must("model.unk_token", f.Unknown)
	return m, err
}

func (m *wordPiece) id(token string) (int32, bool) { return m.vocab.id(token) }
func (m *wordPiece) token(id int32) (string, bool) { return m.vocab.token(id) }
func (m *wordPiece) size() int                     { return len(m.vocab.ids) }
func (m *wordPiece) all() []string                 { return m.vocab.tokens }

func (m *wordPiece) appendIDs(dst []int32, piece string, _ *scratch) []int32 {
	begin := len(dst)
	if utf8.RuneCountInString(piece) > m.longest {
		return append(dst, m.unknown)
	}
	for start := 0; start < len(piece); {
		id, end := m.longestAt(piece, start)
		if end == start {
			return append(dst[:begin], m.unknown)
		}
		dst, start = append(dst, id), end
	}
	return dst
}

// longestAt is the longest token at start and its end, which is start for none.
func (m *wordPiece) longestAt(piece string, start int) (int32, int) {
	prefix := ""
	if start > 0 {
		prefix = m.prefix
	}
	buffer := append(make([]byte, 0, 128), prefix...)
	buffer = append(buffer, piece[start:min(len(piece), start+m.most)]...)
	for end := len(buffer); end > len(prefix); end-- {
		if at := start + end - len(prefix); at < len(piece) && !utf8.RuneStart(piece[at]) {
			continue
		}
		if id, ok := m.vocab.ids[string(buffer[:end])]; ok {
			return id, start + end - len(prefix)
		}
	}
	return 0, start
}

// wordLevel knows whole pieces only.
type wordLevel struct {
	vocab   vocabulary
	unknown int32
}

type wordLevelFile struct {
	Unknown string   `json:"unk_token"`
	Vocab   rawVocab `json:"vocab"`
}

func newWordLevel(f *wordLevelFile) (*wordLevel, error) {
	v, err := newVocabulary(f.Vocab)
	if err != nil {
		return nil, err
	}
	m := &wordLevel{vocab: v}
	m.unknown, err = v.must("model.unk_token", f.Unknown)
	return m, err
}

func (m *wordLevel) id(token string) (int32, bool) { return m.vocab.id(token) }
func (m *wordLevel) token(id int32) (string, bool) { return m.vocab.token(id) }
func (m *wordLevel) size() int                     { return len(m.vocab.ids) }
func (m *wordLevel) all() []string                 { return m.vocab.tokens }

func (m *wordLevel) appendIDs(dst []int32, piece string, _ *scratch) []int32 {
	if id, ok := m.vocab.ids[piece]; ok {
		return append(dst, id)
	}
	return append(dst, m.unknown)
}
