package tokenizer

import (
	"strings"
	"sync"
	"unicode/utf8"
)

// Tokenizer turns text into token ids and back. It is not changed after it was
// loaded.
type Tokenizer struct {
	added      addedVocabulary
	normalizer normalizer // nil: none
	pre        []splitter
	model      model
	byteLevel  bool // the model takes raw bytes: the last step to their characters is left out
	frame      frame
	decoder    decoder // nil: tokens are joined by spaces

	scratch sync.Pool
}

// model turns one piece of text into ids. It is safe for concurrent use.
type model interface {
	// appendIDs appends the ids of a piece that is not empty.
	appendIDs(dst []int32, piece string, s *scratch) []int32
	// id is the id of a token of the vocabulary.
	id(token string) (int32, bool)
	// token is the token of an id as the file writes it.
	token(id int32) (string, bool)
	// size is the number of tokens.
	size() int
	// all are the tokens by id, as the file writes them.
	all() []string
}

// frame is what the post-processor puts around a text.
type frame struct{ before, after []int32 }

// scratch is memory of one call.
type scratch struct {
	symbols []int32
	ranks   []uint64
	heap    mergeHeap
	links   []link
	path    []pathNode
	spans   []span
}

// section is a part of the text between added tokens.
type section struct {
	text  string
	first bool // the text begins with it
}

// Encode returns the ids of text, without those that the post-processor adds
// around it.
func (t *Tokenizer) Encode(text string) []int32 {
	if text == "" {
		return nil
	}
	return t.AppendIDs(make([]int32, 0, len(text)/3+8), text)
}

// AppendIDs appends the ids of text to dst.
func (t *Tokenizer) AppendIDs(dst []int32, text string) []int32 {
	if text == "" {
		return dst
	}
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "\uFFFD")
	}
	s, _ := t.scratch.Get().(*scratch)
	if s == nil {
		s = &scratch{}
	}
	t.added.raw.each(section{text, true}, func(plain section) {
		if t.normalizer != nil {
			plain.text = t.normalizer.normalize(plain.text)
		}
		t.added.normal.each(plain, func(part section) {
			dst = t.appendPlain(dst, part, s)
		}, func(id int32) { dst = append(dst, id) })
	}, func(id int32) { dst = append(dst, id) })
	t.scratch.Put(s)
	return dst
}

// appendPlain appends the ids of normalized text without added tokens.
func (t *Tokenizer) appendPlain(dst []int32, part section, s *scratch) []int32 {
	run(t.pre, part, func(piece section) {
		dst = t.model.appendIDs(dst, piece.text, s)
	})
	return dst
}

// run puts a section through splitters one after another. Empty pieces vanish.
func run(steps []splitter, in section, emit func(section)) {
	if in.text == "" {
		return
	}
	if len(steps) == 0 {
		emit(in)
		return
	}
	steps[0].split(in, func(out section) { run(steps[1:], out, emit) })
}

// Count is the number of ids that Encode returns.
func (t *Tokenizer) Count(text string) int { return len(t.Encode(text)) }

// Framed returns ids with what the post-processor adds to a text of its own, such
// as a token for its beginning.
func (t *Tokenizer) Framed(ids []int32) []int32 {
	out := make([]int32, 0, len(ids)+len(t.frame.before)+len(t.frame.after))
	return append(append(append(out, t.frame.before...), ids...), t.frame.after...)
}

// Decode returns the text of ids, added tokens included. Ids that the vocabulary
// doesn't have are left out.
func (t *Tokenizer) Decode(ids []int32) string {
	tokens := make([]string, 0, len(ids))
	for _, id := range ids {
		token, ok := t.added.token(id)
		if !ok {
			token, ok = t.model.token(id)
		}
		if ok {
			tokens = append(tokens, token)
		}
	}
	if t.decoder == nil {
		return strings.Join(tokens, " ")
	}
	return strings.Join(t.decoder.decode(tokens), "")
}
