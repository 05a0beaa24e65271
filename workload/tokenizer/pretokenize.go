package tokenizer

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// splitter cuts a section into pieces, in order.
type splitter interface {
	split(in section, emit func(section))
}

// span is a stretch of text that was matched, or lies between matches.
type span struct {
	start, end int
	match      bool
}

// spans yields all of a text in order, what matches and what doesn't.
func spans(p pattern, text string, yield func(span)) {
	done := 0
	p.matches(text, func(start, end int) {
		if done < start {
			yield(span{done, start, false})
		}
		yield(span{start, end, true})
		done = end
	})
	if done < len(text) {
		yield(span{done, len(text), false})
	}
}

// behaviour is what becomes of the matches of a Split.
type behaviour string

const (
	isolated   behaviour = "Isolated"
	removed    behaviour = "Removed"
	withBefore behaviour = "MergedWithPrevious"
	withNext   behaviour = "MergedWithNext"
	contiguous behaviour = "Contiguous"
)

// patternSplit splits by a pattern; inverted, by what lies between its matches.
type patternSplit struct {
	pattern   pattern
	behaviour behaviour
	invert    bool
}

func (p *patternSplit) split(in section, emit func(section)) {
	out := gatherer{in: in, emit: emit}
	spans(p.pattern, in.text, func(s span) {
		s.match = s.match != p.invert
		out.add(s, p.behaviour)
	})
	out.flush()
}

// gatherer joins spans as a behaviour wants them.
type gatherer struct {
	in    section
	emit  func(section)
	held  span
	holds bool
	was   bool // the span before was a match
}

func (g *gatherer) add(s span, b behaviour) {
	join := false
	switch b {
	case removed:
		if s.match {
			return
		}
	case withBefore:
		join = g.holds && s.match && !g.was
	case withNext:
		join = g.holds && g.was && !s.match
	case contiguous:
		join = g.holds && s.match == g.was
	}
	g.was = s.match
	if join {
		g.held.end = s.end
		return
	}
	g.flush()
	g.held, g.holds = s, true
}

func (g *gatherer) flush() {
	if g.holds {
		g.emit(section{g.in.text[g.held.start:g.held.end], g.in.first && g.held.start == 0})
		g.holds = false
	}
}

// isPunctuation is ASCII's and Unicode's.
func isPunctuation(r rune) bool {
	if r < utf8.RuneSelf {
		return r > ' ' && r < 0x7f && (r < '0' || r > '9') && (r|0x20 < 'a' || r|0x20 > 'z')
	}
	return unicode.IsPunct(r)
}

// sequenceSplit does one after another.
type sequenceSplit []splitter

func (s sequenceSplit) split(in section, emit func(section)) { run(s, in, emit) }

// gpt2 is how GPT-2 splits, and with it every ByteLevel with use_regex.
const gpt2 = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`

// byteLevel splits as GPT-2 and turns bytes into their characters, which is left
// out for a model that takes bytes.
type byteLevel struct {
	space   bool
	pattern pattern // nil: no splitting
	raw     bool
}

func (b *byteLevel) split(in section, emit func(section)) {
	if b.space && !strings.HasPrefix(in.text, " ") {
		in.text = " " + in.text
	}
	out := emit
	if !b.raw {
		out = func(s section) {
			s.text = toByteChars(s.text)
			emit(s)
		}
	}
	if b.pattern == nil {
		out(in)
		return
	}
	(&patternSplit{pattern: b.pattern, behaviour: isolated}).split(in, out)
}

// metaspace writes spaces as another character and splits before it.
type metaspace struct {
	mark    string
	prepend string // always, first, never
	splits  bool
}

func (m *metaspace) split(in section, emit func(section)) {
	in.text = strings.ReplaceAll(in.text, " ", m.mark)
	if m.prepend == "always" || m.prepend == "first" && in.first {
		if !strings.HasPrefix(in.text, m.mark) {
			in.text = m.mark + in.text
		}
	}
	if !m.splits {
		emit(in)
		return
	}
	(&patternSplit{pattern: literal(m.mark), behaviour: withNext}).split(in, emit)
}

// wordSplit takes runs of word characters, and runs of what is neither word nor
// space.
type wordSplit struct{}

func (wordSplit) split(in section, emit func(section)) {
	start, was := 0, 0
	flush := func(end int) {
		if was > 0 {
			emit(section{in.text[start:end], in.first && start == 0})
		}
	}
	for i, r := range in.text {
		kind := 2
		switch {
		case isWord(r):
			kind = 1
		case unicode.IsSpace(r):
			kind = 0
		}
		if kind != was {
			flush(i)
			start, was = i, kind
		}
	}
	flush(len(in.text))
}

// fixedLength cuts into pieces of so many characters.
type fixedLength int

func (n fixedLength) split(in section, emit func(section)) {
	for text := in.text; text != ""; {
		end := 0
		for range int(n) {
			_, size := utf8.DecodeRuneInString(text[end:])
			end += size
		}
		emit(section{text[:end], in.first && len(text) == len(in.text)})
		text = text[end:]
	}
}
