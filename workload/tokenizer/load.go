package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

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

// frameFile is a post-processor.
type frameFile struct {
	typed
	Processors []json.RawMessage `json:"processors"`
	Single     []struct {
		SpecialToken *struct{ ID string }
		Sequence     *struct{ ID string }
	} `json:"single"`
	SpecialTokens map[string]struct {
		IDs []int32 `json:"ids"`
	} `json:"special_tokens"`
	Sep []any `json:"sep"`
	Cls []any `json:"cls"`
}

func loadFrame(raw json.RawMessage, depth int) (frame, error) {
	if isNull(raw) {
		return frame{}, nil
	}
	f, err := read[frameFile]("post_processor", raw)
	if err != nil {
		return frame{}, err
	}
	switch f.Type {
	case "ByteLevel":
		return frame{}, nil
	case "TemplateProcessing":
		return f.template()
	case "BertProcessing", "RobertaProcessing":
		before, err1 := tokenID(f.Cls)
		after, err2 := tokenID(f.Sep)
		return frame{[]int32{before}, []int32{after}}, errors.Join(err1, err2)
	case "Sequence":
		if depth >= maxNesting {
			return frame{}, errors.New("post_processor: sequences lie too deep in one another")
		}
		var all frame
		for _, raw := range f.Processors {
			one, err := loadFrame(raw, depth+1)
			if err != nil {
				return frame{}, err
			}
			all.before, all.after = append(one.before, all.before...), append(all.after, one.after...)
		}
		return all, nil
	}
	return frame{}, unknownType("post_processor", f.Type, "BertProcessing, ByteLevel, RobertaProcessing, Sequence and TemplateProcessing")
}

func (f *frameFile) template() (frame, error) {
	var out frame
	seen := false
	for _, piece := range f.Single {
		switch {
		case piece.Sequence != nil && seen:
			return out, errors.New("post_processor.single: has the text twice")
		case piece.Sequence != nil:
			seen = true
		case piece.SpecialToken != nil:
			special, ok := f.SpecialTokens[piece.SpecialToken.ID]
			if !ok {
				return out, fmt.Errorf("post_processor.single: %q is not in special_tokens", piece.SpecialToken.ID)
			}
			if seen {
				out.after = append(out.after, special.IDs...)
			} else {
				out.before = append(out.before, special.IDs...)
			}
		}
	}
	return out, nil
}

// tokenID is the id in ["token", id].
func tokenID(pair []any) (int32, error) {
	if len(pair) == 2 {
		if id, ok := pair[1].(float64); ok && id >= 0 && id <= maxID {
			return int32(id), nil
		}
	}
	return 0, errors.New("post_processor: sep and cls must be a token with its id")
}

type decoderFile struct {
	typed
	Decoders    []json.RawMessage `json:"decoders"`
	Pattern     patternFile       `json:"pattern"`
	Content     string            `json:"content"`
	Start       int               `json:"start"`
	Stop        int               `json:"stop"`
	Replacement string            `json:"replacement"`
	Prepend     *string           `json:"prepend_scheme"`
	PrefixSpace *bool             `json:"add_prefix_space"`
	Prefix      string            `json:"prefix"`
	Cleanup     bool              `json:"cleanup"`
	Suffix      string            `json:"suffix"`
}

func loadDecoder(raw json.RawMessage, depth int) (decoder, error) {
	if isNull(raw) {
		return nil, nil
	}
	f, err := read[decoderFile]("decoder", raw)
	if err != nil {
		return nil, err
	}
	switch f.Type {
	case "ByteLevel":
		return decodeFunc(decodeBytes), nil
	case "ByteFallback":
		return decodeFunc(fallbackBytes), nil
	case "Fuse":
		return decodeFunc(fuse), nil
	case "Strip":
		return stripChars(f.Content, f.Start, f.Stop), nil
	case "Metaspace":
		scheme, err := prependScheme("decoder", f.Prepend, f.PrefixSpace)
		return decodeMetaspace(orDefault(f.Replacement, "▁"), scheme != "never"), err
	case "WordPiece":
		return decodeWordPiece(f.Prefix, f.Cleanup), nil
	case "BPEDecoder":
		return decodeBPE(f.Suffix), nil
	case "Replace":
		p, err := f.Pattern.compile("decoder")
		r := &replacer{p, f.Content}
		return each(func(_ int, token string) string { return r.normalize(token) }), err
	case "Sequence":
		return loadDecoders(f.Decoders, depth)
	}
	return nil, unknownType("decoder", f.Type, "BPEDecoder, ByteFallback, ByteLevel, Fuse, Metaspace, Replace, Sequence, Strip and WordPiece")
}

func loadDecoders(list []json.RawMessage, depth int) (decoder, error) {
	if depth >= maxNesting {
		return nil, errors.New("decoder: sequences lie too deep in one another")
	}
	var all sequenceDecoder
	for _, raw := range list {
		d, err := loadDecoder(raw, depth+1)
		if err != nil {
			return nil, err
		}
		if d != nil {
			all = append(all, d)
		}
	}
	return all, nil
}

func orDefault(s, def string) string {
	if strings.TrimSpace(s) == "" {
		return def
	}
	return s
}
