package tokenizer

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/dlclark/regexp2/v2"
)

// pattern finds matches from the left. It is safe for concurrent use.
type pattern interface {
	// matches yields all matches in order; none overlap.
	matches(text string, yield func(start, end int))
}

// literal matches one text.
type literal string

func (l literal) matches(text string, yield func(start, end int)) {
	for at := 0; l != ""; {
		i := strings.Index(text[at:], string(l))
		if i < 0 {
			return
		}
		yield(at+i, at+i+len(l))
		at += i + len(l)
	}
}

// charPattern matches single characters.
type charPattern func(rune) bool

func (c charPattern) matches(text string, yield func(start, end int)) {
	for i, r := range text {
		if c(r) {
			yield(i, i+utf8.RuneLen(r))
		}
	}
}

// newPattern compiles a regular expression in Oniguruma's syntax.
func newPattern(text string) (pattern, error) {
	if e, err := parsePattern(text); err == nil {
		if m, err := newMatcher(e); err == nil {
			return m, nil
		}
	}
	if foreign := misread.FindString(text); foreign != "" {
		return nil, fmt.Errorf("pattern %q can't be read: %q is not supported there", text, foreign)
	}
	// Oniguruma's anchors are those of lines.
	re, err := regexp2.Compile(text, regexp2.Multiline)
	if err != nil {
		return nil, fmt.Errorf("pattern %q can't be read: %w", text, err)
	}
	re.MatchTimeout = slowMatch
	return general{re}, nil
}

// misread finds what regexp2 would take for something else than Oniguruma does:
// sets within sets, their intersection, the flag m, intervals without a start.
var misread = regexp.MustCompile(`&&|\[\^?\[|[^\\]\[:|\(\?[a-z]*-?[a-z]*m|\{,\d`)

// slowMatch bounds the matching of a pattern that would take forever. It is then
// taken to match nothing.
const slowMatch = 2 * time.Second

// general is any pattern, by backtracking over characters.
type general struct{ re *regexp2.Regexp }

func (g general) matches(text string, yield func(start, end int)) {
	found, err := g.re.FindAllStringIndex(text, -1)
	if err != nil {
		return
	}
	for _, m := range found {
		yield(m[0], m[1])
	}
}

type instKind uint8

const (
	instMatch instKind = iota
	instClass          // min to max of set, then next
	instAlt            // the first of branches that leads to a match
	instLook           // inner matches here, or with not doesn't; then next
)

// inst is one step of a matcher.
type inst struct {
	kind       instKind
	set        *class
	min, max   int
	possessive bool
	next       *inst
	branches   []*inst
	inner      *inst
	not        bool
}

// matcher matches by backtracking, which the patterns of tokenizers do little of.
type matcher struct {
	branches []*inst
	first    [128]uint64 // by ASCII character: which branches can begin with it
}

var matched = &inst{kind: instMatch}

func newMatcher(e *expr) (*matcher, error) {
	m := &matcher{}
	tops := []*expr{e}
	if e.kind == exprAlt {
		tops = e.subs
	}
	if len(tops) > 64 {
		return nil, errBeyond
	}
	budget := 1000
	for _, top := range tops {
		i, err := compile(top, matched, &budget)
		if err != nil {
			return nil, err
		}
		m.branches = append(m.branches, i)
	}
	for b, i := range m.branches {
		for c := range 128 {
			if i.begins(rune(c)) {
				m.first[c] |= 1 << b
			}
		}
	}
	return m, nil
}

// compile makes the steps of e with next behind them.
func compile(e *expr, next *inst, budget *int) (*inst, error) {
	if *budget--; *budget < 0 {
		return nil, errBeyond
	}
	switch e.kind {
	case exprClass:
		return &inst{kind: instClass, set: e.set, min: 1, max: 1, next: next}, nil
	case exprSeq:
		var err error
		for i := len(e.subs) - 1; i >= 0 && err == nil; i-- {
			next, err = compile(e.subs[i], next, budget)
		}
		return next, err
	case exprAlt:
		alt := &inst{kind: instAlt}
		for _, sub := range e.subs {
			branch, err := compile(sub, next, budget)
			if err != nil {
				return nil, err
			}
			alt.branches = append(alt.branches, branch)
		}
		return alt, nil
	case exprLook:
		inner, err := compile(e.subs[0], matched, budget)
		return &inst{kind: instLook, inner: inner, not: e.not, next: next}, err
	}
	return compileRepeat(e, next, budget)
}

// compileRepeat repeats a class, or a group for which a few copies do.
func compileRepeat(e *expr, next *inst, budget *int) (*inst, error) {
	sub := e.subs[0]
	for sub.kind == exprSeq && len(sub.subs) == 1 {
		sub = sub.subs[0]
	}
	if sub.kind == exprClass {
		return &inst{kind: instClass, set: sub.set, min: e.min, max: e.max, possessive: e.possessive, next: next}, nil
	}
	if e.possessive || e.max < 0 || e.max > 8 {
		return nil, errBeyond
	}
	var err error
	for i := e.max; i > 0 && err == nil; i-- {
		skip := next
		if next, err = compile(sub, next, budget); err == nil && i > e.min {
			next = &inst{kind: instAlt, branches: []*inst{next, skip}}
		}
	}
	return next, err
}

// begins is false when no match through i can begin with the character.
func (i *inst) begins(r rune) bool {
	switch i.kind {
	case instClass:
		return i.set.has(r) || i.min == 0 && i.next.begins(r)
	case instAlt:
		for _, b := range i.branches {
			if b.begins(r) {
				return true
			}
		}
		return false
	}
	return true
}

func (m *matcher) matches(text string, yield func(start, end int)) {
	last, fuel := -1, fuelBase+fuelPerByte*len(text)
	for from := 0; from <= len(text); {
		start, end, ok := m.find(text, from, &fuel)
		if !ok {
			return
		}
		if start == end && end == last { // an empty match right behind another is none
			if from == len(text) {
				return
			}
			_, size := utf8.DecodeRuneInString(text[from:])
			from += size
			last = -1
			continue
		}
		yield(start, end)
		from, last = end, end
	}
}

// How often a matcher may go back on a text, which bounds patterns that would take
// forever. What lies behind is then taken to match nothing. The patterns of real
// tokenizers go back a few times a character at most.
const (
	fuelBase    = 1 << 20
	fuelPerByte = 64
)

// find is the first match at or behind from.
func (m *matcher) find(text string, from int, fuel *int) (int, int, bool) {
	for start := from; ; {
		size := 1
		can := ^uint64(0)
		if start < len(text) {
			if c := text[start]; c < utf8.RuneSelf {
				can = m.first[c]
			} else {
				_, size = utf8.DecodeRuneInString(text[start:])
			}
		}
		for b, i := range m.branches {
			if can>>b&1 != 0 {
				if end := i.match(text, start, fuel); end >= 0 {
					return start, end, true
				}
			}
		}
		if start += size; start > len(text) || *fuel < 0 {
			return 0, 0, false
		}
	}
}

// match is where the match that begins at pos ends, or -1.
func (i *inst) match(text string, pos int, fuel *int) int {
	switch i.kind {
	case instMatch:
		return pos
	case instClass:
		return i.matchClass(text, pos, fuel)
	case instAlt:
		for _, b := range i.branches {
			if end := b.match(text, pos, fuel); end >= 0 {
				return end
			}
			if *fuel--; *fuel < 0 {
				return -1
			}
		}
		return -1
	}
	if (i.inner.match(text, pos, fuel) >= 0) == i.not {
		return -1
	}
	return i.next.match(text, pos, fuel)
}

// matchClass takes as many characters as it can and gives back what it must.
func (i *inst) matchClass(text string, pos int, fuel *int) int {
	n, set := 0, i.set
	for pos < len(text) && n != i.max {
		r, size := rune(text[pos]), 1
		if r >= utf8.RuneSelf {
			r, size = utf8.DecodeRuneInString(text[pos:])
		}
		if !set.has(r) {
			break
		}
		pos += size
		n++
	}
	for ; n >= i.min; n-- {
		if i.next.kind == instMatch {
			return pos
		}
		if end := i.next.match(text, pos, fuel); end >= 0 {
			return end
		}
		if *fuel--; *fuel < 0 || i.possessive || n == 0 {
			return -1
		}
		_, size := utf8.DecodeLastRuneInString(text[:pos])
		pos -= size
	}
	return -1
}
