package tokenizer

import (
	"fmt"
	"strings"

	"github.com/tiktoken-go/tokenizer"
)

// Encodings are the names of the built-in vocabularies.
var Encodings = []string{"cl100k_base", "o200k_base", "p50k_base", "p50k_edit", "r50k_base"}

// How OpenAI's vocabularies split text, but for GPT-2's.
const (
	cl100k = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	o200k  = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|` +
		`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|` +
		`\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`
)

// aliases are names of encodings that the library lacks.
var aliases = map[string]tokenizer.Encoding{"gpt2": tokenizer.R50kBase, "o200k_harmony": tokenizer.O200kBase}

// IsBuiltin reports whether Builtin knows the name.
func IsBuiltin(name string) bool {
	_, err := vocabularyOf(name)
	return err == nil
}

// vocabularyOf is the library's codec for an encoding or a model.
func vocabularyOf(name string) (tokenizer.Codec, error) {
	if encoding, ok := aliases[name]; ok {
		return tokenizer.Get(encoding)
	}
	if c, err := tokenizer.Get(tokenizer.Encoding(name)); err == nil {
		return c, nil
	}
	return tokenizer.ForModel(tokenizer.Model(strings.TrimPrefix(name, "openai/")))
}

// Builtin returns the tokenizer of an encoding (cl100k_base) or of a model of
// OpenAI's (gpt-4o). Special tokens in a text are text to it.
//
// The vocabulary is the library's; the encoding is done here, because the
// library loses DEL and splits some runs of spaces and newlines otherwise than
// OpenAI's own implementation.
func Builtin(name string) (*Tokenizer, error) {
	c, err := vocabularyOf(name)
	if err != nil {
		return nil, fmt.Errorf("tokenizer %q is not built in; %s are, and the models of OpenAI that use them", name, strings.Join(Encodings, ", "))
	}
	split, most := gpt2, 50281 // tokens, and so ids, of the largest
	switch c.GetName() {
	case "cl100k_base":
		split, most = cl100k, 100256
	case "o200k_base":
		split, most = o200k, 199998
	}
	p, err := newPattern(split)
	if err != nil {
		return nil, fmt.Errorf("tokenizer %q: %w", name, err)
	}
	return &Tokenizer{
		pre: []splitter{&patternSplit{pattern: p, behaviour: isolated}}, model: ranked(c, most), byteLevel: true,
		decoder: decodeFunc(decodeBytes),
	}, nil
}

// ranked makes the model of a vocabulary in which a token's id is its rank: two
// neighbours merge when both together are a token.
func ranked(c tokenizer.Codec, most int) *bpe {
	m := &bpe{raw: true, unknown: -1, ignoreMerges: true, vocab: vocabulary{ids: map[string]int32{}}}
	pieces := make(map[string]int32, most)
	m.vocab.tokens, m.vocab.has = make([]string, most+1), make([]bool, most+1)
	for id := range most + 1 {
		bytes, err := c.Decode([]uint{uint(id)})
		if err != nil || bytes == "" || strings.HasPrefix(bytes, "<|endof") {
			continue
		}
		pieces[bytes] = int32(id)
		token := toByteChars(bytes)
		m.vocab.ids[token], m.vocab.tokens[id], m.vocab.has[id] = int32(id), token, true
	}
	m.index()
	m.pairs = newPairTable(4 * most)
	for bytes, id := range pieces {
		for i := 1; i < len(bytes); i++ {
			left, ok := pieces[bytes[:i]]
			if !ok {
				continue
			}
			if right, ok := pieces[bytes[i:]]; ok {
				m.pairs.set(left, right, uint32(id), id)
			}
		}
	}
	return m
}
