package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

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
