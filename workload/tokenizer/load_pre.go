package tokenizer

import (
	"encoding/json"
	"errors"
	"fmt"
	"unicode"
)

// wordMarks are what StripAccents takes away.
var wordMarks = []*unicode.RangeTable{unicode.M}

type splitterFile struct {
	typed
	PreTokenizers []json.RawMessage `json:"pretokenizers"`
	Pattern       patternFile       `json:"pattern"`
	Behavior      behaviour         `json:"behavior"`
	Invert        bool              `json:"invert"`
	PrefixSpace   *bool             `json:"add_prefix_space"`
	UseRegex      *bool             `json:"use_regex"`
	Individual    bool              `json:"individual_digits"`
	Replacement   string            `json:"replacement"`
	Prepend       *string           `json:"prepend_scheme"`
	Split         *bool             `json:"split"`
	Delimiter     string            `json:"delimiter"`
	Length        *int              `json:"length"`
}

// loadPre reads the pre-tokenizer. When its last step is ByteLevel, the model
// takes the bytes themselves.
func (t *Tokenizer) loadPre(raw json.RawMessage) error {
	steps, err := loadSplitters(raw, 0)
	if err != nil {
		return err
	}
	if n := len(steps); n > 0 {
		if last, ok := steps[n-1].(*byteLevel); ok {
			last.raw, t.byteLevel = true, true
			if last.pattern == nil && !last.space {
				steps = steps[:n-1] // it does nothing more
			}
		}
	}
	t.pre = steps
	return nil
}

// loadSplitters reads a pre-tokenizer as its steps.
func loadSplitters(raw json.RawMessage, depth int) ([]splitter, error) {
	if isNull(raw) {
		return nil, nil
	}
	f, err := read[splitterFile]("pre_tokenizer", raw)
	if err != nil {
		return nil, err
	}
	if f.Type == "Sequence" {
		if depth >= maxNesting {
			return nil, errors.New("pre_tokenizer: sequences lie too deep in one another")
		}
		var steps []splitter
		for _, raw := range f.PreTokenizers {
			more, err := loadSplitters(raw, depth+1)
			if err != nil {
				return nil, err
			}
			steps = append(steps, more...)
		}
		return steps, nil
	}
	step, err := f.splitter()
	return []splitter{step}, err
}

func (f *splitterFile) splitter() (splitter, error) {
	switch f.Type {
	case "ByteLevel":
		return f.byteLevel()
	case "Split":
		return f.split()
	case "Metaspace":
		return f.metaspace()
	case "Digits":
		b := contiguous
		if f.Individual {
			b = isolated
		}
		return &patternSplit{pattern: charPattern(unicode.IsNumber), behaviour: b}, nil
	case "Punctuation":
		b := f.Behavior
		if b == "" {
			b = isolated
		}
		return &patternSplit{pattern: charPattern(isPunctuation), behaviour: b}, b.check()
	case "Whitespace":
		return wordSplit{}, nil
	case "WhitespaceSplit":
		return &patternSplit{pattern: charPattern(unicode.IsSpace), behaviour: removed}, nil
	case "BertPreTokenizer":
		return sequenceSplit{
			&patternSplit{pattern: charPattern(unicode.IsSpace), behaviour: removed},
			&patternSplit{pattern: charPattern(isPunctuation), behaviour: isolated},
		}, nil
	case "CharDelimiterSplit":
		return &patternSplit{pattern: literal(f.Delimiter), behaviour: removed}, nil
	case "FixedLength":
		n := 5
		if f.Length != nil {
			n = *f.Length
		}
		if n < 1 {
			return nil, fmt.Errorf("pre_tokenizer.length: must be at least 1, got %d", n)
		}
		return fixedLength(n), nil
	}
	return nil, unknownType("pre_tokenizer", f.Type,
		"BertPreTokenizer, ByteLevel, CharDelimiterSplit, Digits, FixedLength, Metaspace, Punctuation, Sequence, Split, Whitespace and WhitespaceSplit")
}

func (b behaviour) check() error {
	switch b {
	case isolated, removed, withBefore, withNext, contiguous:
		return nil
	}
	return fmt.Errorf("pre_tokenizer.behavior: must be %s, %s, %s, %s or %s, got %q", isolated, removed, withBefore, withNext, contiguous, b)
}

func (f *splitterFile) split() (splitter, error) {
	p, err := f.Pattern.compile("pre_tokenizer")
	if err != nil {
		return nil, err
	}
	return &patternSplit{pattern: p, behaviour: f.Behavior, invert: f.Invert}, f.Behavior.check()
}

func (f *splitterFile) byteLevel() (splitter, error) {
	b := &byteLevel{space: f.PrefixSpace == nil || *f.PrefixSpace}
	if f.UseRegex != nil && !*f.UseRegex {
		return b, nil
	}
	var err error
	b.pattern, err = newPattern(gpt2)
	return b, err
}

func (f *splitterFile) metaspace() (splitter, error) {
	scheme, err := prependScheme("pre_tokenizer", f.Prepend, f.PrefixSpace)
	return &metaspace{
		mark: orDefault(f.Replacement, "▁"), prepend: scheme, splits: f.Split == nil || *f.Split,
	}, err
}

// prependScheme is when a Metaspace puts its mark in front.
func prependScheme(where string, scheme *string, prefixSpace *bool) (string, error) {
	said := "always"
	if scheme != nil {
		said = *scheme
	}
	switch said {
	case "always", "first", "never":
	default:
		return "", fmt.Errorf("%s.prepend_scheme: must be always, first or never, got %q", where, said)
	}
	if prefixSpace != nil && !*prefixSpace {
		if scheme != nil && said != "never" {
			return "", fmt.Errorf("%s: add_prefix_space is false, but prepend_scheme is %s", where, said)
		}
		return "never", nil
	}
	return said, nil
}
