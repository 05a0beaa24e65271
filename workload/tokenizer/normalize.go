package tokenizer

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// normalizer rewrites text before it is split.
type normalizer interface {
	normalize(text string) string
}

// rewrite is a normalizer that is a function.
type rewrite func(string) string

func (r rewrite) normalize(text string) string { return r(text) }

// sequenceNormalizer does one after another.
type sequenceNormalizer []normalizer

func (s sequenceNormalizer) normalize(text string) string {
	for _, n := range s {
		text = n.normalize(text)
	}
	return text
}

// unicodeForm is one of Unicode's normalization forms.
func unicodeForm(f norm.Form) normalizer { return rewrite(f.String) }

// replacer puts content where a pattern matches.
type replacer struct {
	pattern pattern
	content string
}

func (r *replacer) normalize(text string) string {
	if l, ok := r.pattern.(literal); ok {
		if l == "" {
			return text
		}
		return strings.ReplaceAll(text, string(l), r.content)
	}
	var b strings.Builder
	spans(r.pattern, text, func(s span) {
		if s.match {
			b.WriteString(r.content)
		} else {
			b.WriteString(text[s.start:s.end])
		}
	})
	return b.String()
}

// prepend puts a text in front of what is not empty.
func prepend(prefix string) normalizer {
	return rewrite(func(text string) string {
		if text == "" {
			return ""
		}
		return prefix + text
	})
}

func strip(left, right bool) normalizer {
	return rewrite(func(text string) string {
		if left {
			text = strings.TrimLeftFunc(text, unicode.IsSpace)
		}
		if right {
			text = strings.TrimRightFunc(text, unicode.IsSpace)
		}
		return text
	})
}

// lowercase maps character by character, so a final sigma is none.
func lowercase(text string) string {
	if !strings.ContainsRune(text, 'İ') {
		return strings.Map(unicode.ToLower, text)
	}
	return strings.ReplaceAll(strings.Map(func(r rune) rune {
		if r == 'İ' { // the one whose lower case is two characters
			return r
		}
		return unicode.ToLower(r)
	}, text), "İ", "i\u0307")
}

func without(t ...*unicode.RangeTable) rewrite {
	return func(text string) string {
		return strings.Map(func(r rune) rune {
			if r >= utf8.RuneSelf && unicode.In(r, t...) {
				return -1
			}
			return r
		}, text)
	}
}

// nmt is SentencePiece's cleaning of control characters and odd spaces.
func nmt(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 1 && r <= 8, r == 0xB, r >= 0xE && r <= 0x1F, r == 0x7F, r == 0x8F, r == 0x9F:
			return -1
		case r == '\t', r == '\n', r == '\f', r == '\r', r == 0x1680, r >= 0x200B && r <= 0x200F,
			r == 0x2028, r == 0x2029, r == 0x2581, r == 0xFEFF, r == 0xFFFD:
			return ' '
		}
		return r
	}, text)
}

// bertNormalizer is what BERT does before it splits.
type bertNormalizer struct {
	CleanText    bool  `json:"clean_text"`
	Chinese      bool  `json:"handle_chinese_chars"`
	StripAccents *bool `json:"strip_accents"`
	Lowercase    bool  `json:"lowercase"`
}

func (b *bertNormalizer) normalize(text string) string {
	if b.CleanText {
		text = strings.Map(cleanChar, text)
	}
	if b.Chinese {
		text = spaceIdeographs(text)
	}
	if b.StripAccents == nil && b.Lowercase || b.StripAccents != nil && *b.StripAccents {
		text = without(unicode.Mn)(norm.NFD.String(text))
	}
	if b.Lowercase {
		text = lowercase(text)
	}
	return text
}

func cleanChar(r rune) rune {
	switch {
	case r == '\t' || r == '\n' || r == '\r':
		return ' '
	case r == 0 || r == 0xFFFD || isOther(r):
		return -1
	case unicode.IsSpace(r):
		return ' '
	}
	return r
}

// isOther is what is control, format or private.
func isOther(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co) }

// ideographs are the blocks that BERT takes for Chinese. The reference's list
// leaves out U+2B820 to U+2B91F, and so does this one.
var ideographs = &unicode.RangeTable{
	R16: []unicode.Range16{{Lo: 0x3400, Hi: 0x4DBF, Stride: 1}, {Lo: 0x4E00, Hi: 0x9FFF, Stride: 1}, {Lo: 0xF900, Hi: 0xFAFF, Stride: 1}},
	R32: []unicode.Range32{
		{Lo: 0x20000, Hi: 0x2A6DF, Stride: 1}, {Lo: 0x2A700, Hi: 0x2B73F, Stride: 1}, {Lo: 0x2B740, Hi: 0x2B81F, Stride: 1},
		{Lo: 0x2B920, Hi: 0x2CEAF, Stride: 1}, {Lo: 0x2F800, Hi: 0x2FA1F, Stride: 1},
	},
}

func spaceIdeographs(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r >= 0x3400 && unicode.Is(ideographs, r) {
			b.WriteByte(' ')
			b.WriteRune(r)
			b.WriteByte(' ')
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}
