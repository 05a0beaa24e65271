package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/text/unicode/norm"
)

// MaxFile is the largest tokenizer.json that is read; the largest in use have
// under 40 MB.
const MaxFile = 256 << 20

// maxNesting bounds sequences within sequences.
const maxNesting = 16

// file is a tokenizer.json. Truncation and padding are not for counting and are
// not read.
type file struct {
	AddedTokens   []addedToken    `json:"added_tokens"`
	Normalizer    json.RawMessage `json:"normalizer"`
	PreTokenizer  json.RawMessage `json:"pre_tokenizer"`
	PostProcessor json.RawMessage `json:"post_processor"`
	Decoder       json.RawMessage `json:"decoder"`
	Model         json.RawMessage `json:"model"`
}

// Load reads the bytes of a tokenizer.json.
func Load(data []byte) (*Tokenizer, error) {
	if len(data) > MaxFile {
		return nil, fmt.Errorf("tokenizer.json: has %d bytes, must have at most %d", len(data), MaxFile)
	}
	t, err := load(data)
	if err != nil {
		return nil, fmt.Errorf("tokenizer.json: %w", err)
	}
	return t, nil
}

func load(data []byte) (*Tokenizer, error) {
	var f file
	var syntax *json.SyntaxError
	switch err := json.Unmarshal(data, &f); {
	case errors.As(err, &syntax):
		return nil, errors.New("is no JSON")
	case err != nil:
		return nil, err
	}
	if isNull(f.Model) {
		return nil, errors.New("model: must be given")
	}
	t := &Tokenizer{}
	var err error
	if t.normalizer, err = loadNormalizer(f.Normalizer, 0); err != nil {
		return nil, err
	}
	if err := t.loadPre(f.PreTokenizer); err != nil {
		return nil, err
	}
	if t.model, err = loadModel(f.Model, t.byteLevel); err != nil {
		return nil, err
	}
	if t.decoder, err = loadDecoder(f.Decoder, 0); err != nil {
		return nil, err
	}
	t.added = newAdded(f.AddedTokens, t.model, t.normalizer)
	t.frame, err = loadFrame(f.PostProcessor, 0)
	return t, err
}

func isNull(raw json.RawMessage) bool { return len(raw) == 0 || string(raw) == "null" }

// typed is the part of an object that says what it is.
type typed struct {
	Type string `json:"type"`
}

// typeOf is the type of a part of the file.
func typeOf(where string, raw json.RawMessage) (string, error) {
	var t typed
	if err := json.Unmarshal(raw, &t); err != nil {
		return "", fmt.Errorf("%s: %w", where, err)
	}
	return t.Type, nil
}

// read is a part of the file as T.
func read[T any](where string, raw json.RawMessage) (*T, error) {
	v := new(T)
	if err := json.Unmarshal(raw, v); err != nil {
		return nil, fmt.Errorf("%s: %w", where, err)
	}
	return v, nil
}

func unknownType(where, got, known string) error {
	return fmt.Errorf("%s: type %q is not supported, only %s are", where, got, known)
}

func loadModel(raw json.RawMessage, bytes bool) (model, error) {
	kind, err := typeOf("model", raw)
	if err != nil {
		return nil, err
	}
	if kind == "" {
		kind = guessModel(raw)
	}
	if bytes && kind != "BPE" {
		return nil, fmt.Errorf("model: type %q after a ByteLevel pre-tokenizer is not supported, only BPE is", kind)
	}
	switch kind {
	case "BPE":
		f, err := read[bpeFile]("model", raw)
		if err != nil {
			return nil, err
		}
		return newBPE(f, bytes)
	case "Unigram":
		f, err := read[unigramFile]("model", raw)
		if err != nil {
			return nil, err
		}
		return newUnigram(f)
	case "WordPiece":
		f, err := read[wordPieceFile]("model", raw)
		if err != nil {
			return nil, err
		}
		return newWordPiece(f)
	case "WordLevel":
		f, err := read[wordLevelFile]("model", raw)
		if err != nil {
			return nil, err
		}
		return newWordLevel(f)
	}
	return nil, unknownType("model", kind, "BPE, Unigram, WordPiece and WordLevel")
}

// guessModel tells the model of old files, which don't say.
func guessModel(raw json.RawMessage) string {
	var m map[string]json.RawMessage
	if json.Unmarshal(raw, &m) != nil {
		return ""
	}
	switch {
	case m["merges"] != nil:
		return "BPE"
	case m["unk_id"] != nil:
		return "Unigram"
	case m["continuing_subword_prefix"] != nil:
		return "WordPiece"
	}
	return ""
}

// patternFile is {"String": …} or {"Regex": …}.
type patternFile struct {
	String *string
	Regex  *string
}

func (p *patternFile) compile(where string) (pattern, error) {
	switch {
	case p.String != nil:
		return literal(*p.String), nil
	case p.Regex != nil:
		re, err := newPattern(*p.Regex)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", where, err)
		}
		return re, nil
	}
	return nil, fmt.Errorf("%s: pattern must be given, as String or Regex", where)
}

type normalizerFile struct {
	typed
	Normalizers []json.RawMessage `json:"normalizers"`
	Pattern     patternFile       `json:"pattern"`
	Content     string            `json:"content"`
	Prepend     string            `json:"prepend"`
	Left        bool              `json:"strip_left"`
	Right       bool              `json:"strip_right"`
	Charsmap    string            `json:"precompiled_charsmap"`
}

func loadNormalizer(raw json.RawMessage, depth int) (normalizer, error) {
	if isNull(raw) {
		return nil, nil
	}
	f, err := read[normalizerFile]("normalizer", raw)
	if err != nil {
		return nil, err
	}
	switch f.Type {
	case "NFC":
		return unicodeForm(norm.NFC), nil
	case "NFD":
		return unicodeForm(norm.NFD), nil
	case "NFKC":
		return unicodeForm(norm.NFKC), nil
	case "NFKD":
		return unicodeForm(norm.NFKD), nil
	case "Lowercase":
		return rewrite(lowercase), nil
	case "StripAccents":
		return without(wordMarks...), nil
	case "Nmt":
		return rewrite(nmt), nil
	case "ByteLevel":
		return rewrite(toByteChars), nil
	case "Strip":
		return strip(f.Left, f.Right), nil
	case "Prepend":
		return prepend(f.Prepend), nil
	case "Precompiled":
		return newPrecompiled(f.Charsmap)
	case "BertNormalizer":
		return read[bertNormalizer]("normalizer", raw)
	case "Replace":
		p, err := f.Pattern.compile("normalizer")
		return &replacer{p, f.Content}, err
	case "Sequence":
		return loadNormalizers(f.Normalizers, depth)
	}
	return nil, unknownType("normalizer", f.Type,
		"BertNormalizer, ByteLevel, Lowercase, NFC, NFD, NFKC, NFKD, Nmt, Precompiled, Prepend, Replace, Sequence, Strip and StripAccents")
}

func loadNormalizers(list []json.RawMessage, depth int) (normalizer, error) {
	if depth >= maxNesting {
		return nil, errors.New("normalizer: sequences lie too deep in one another")
	}
	var all sequenceNormalizer
	for _, raw := range list {
		n, err := loadNormalizer(raw, depth+1)
		if err != nil {
			return nil, err
		}
		if n != nil {
			all = append(all, n)
		}
	}
	if len(all) == 0 {
		return nil, nil
	}
	return all, nil
}
