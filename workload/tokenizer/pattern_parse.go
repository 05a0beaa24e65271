package tokenizer

import (
	"errors"
	"strconv"
	"strings"
)

// errBeyond says that a pattern uses what the matcher of this package lacks. It
// covers the patterns that tokenizers use; for others there is regexp2.
var errBeyond = errors.New("beyond the matcher")

type exprKind uint8

const (
	exprClass  exprKind = iota
	exprSeq             // all of subs; none: the empty match
	exprAlt             // the first of subs that leads to a match
	exprRepeat          // subs[0], min to max times (max -1: no end)
	exprLook            // subs[0] matches here, or with not doesn't
)

// expr is a parsed pattern.
type expr struct {
	kind       exprKind
	set        *class
	subs       []*expr
	min, max   int
	possessive bool
	not        bool
}

// patternParser reads the syntax of Oniguruma, as far as tokenizers use it.
type patternParser struct {
	text    string
	at      int
	depth   int
	classes map[string]*class // by how they are written
}

const maxPatternDepth = 50

func parsePattern(text string) (*expr, error) {
	p := &patternParser{text: text, classes: map[string]*class{}}
	e, err := p.alternatives(false)
	if err == nil && p.at < len(text) {
		err = errBeyond // a parenthesis too many
	}
	return e, err
}

func (p *patternParser) peek(s string) bool { return strings.HasPrefix(p.text[p.at:], s) }

func (p *patternParser) accept(s string) bool {
	if p.peek(s) {
		p.at += len(s)
		return true
	}
	return false
}

func (p *patternParser) alternatives(fold bool) (*expr, error) {
	if p.depth++; p.depth > maxPatternDepth {
		return nil, errBeyond
	}
	defer func() { p.depth-- }()
	alt := &expr{kind: exprAlt}
	for {
		seq, err := p.sequence(fold)
		if err != nil {
			return nil, err
		}
		alt.subs = append(alt.subs, seq)
		if !p.accept("|") {
			break
		}
	}
	if len(alt.subs) == 1 {
		return alt.subs[0], nil
	}
	return alt, nil
}

func (p *patternParser) sequence(fold bool) (*expr, error) {
	seq := &expr{kind: exprSeq}
	for p.at < len(p.text) && !p.peek("|") && !p.peek(")") {
		item, err := p.item(fold)
		if err != nil {
			return nil, err
		}
		if item, err = p.quantified(item); err != nil {
			return nil, err
		}
		seq.subs = append(seq.subs, item)
	}
	return seq, nil
}

// item is a group, a class or a character.
func (p *patternParser) item(fold bool) (*expr, error) {
	switch {
	case p.accept("(?:"):
		return p.group(fold, exprSeq, false)
	case p.accept("(?i:"):
		return p.group(true, exprSeq, false)
	case p.accept("(?="):
		return p.group(fold, exprLook, false)
	case p.accept("(?!"):
		return p.group(fold, exprLook, true)
	case p.peek("(?"):
		return nil, errBeyond
	case p.accept("("):
		return p.group(fold, exprSeq, false)
	}
	set, err := p.single(fold)
	if err != nil {
		return nil, err
	}
	return &expr{kind: exprClass, set: set}, nil
}

func (p *patternParser) group(fold bool, kind exprKind, not bool) (*expr, error) {
	inner, err := p.alternatives(fold)
	if err != nil {
		return nil, err
	}
	if !p.accept(")") {
		return nil, errBeyond
	}
	if kind == exprLook {
		return &expr{kind: exprLook, subs: []*expr{inner}, not: not}, nil
	}
	return inner, nil
}

// quantified reads what may follow an item.
func (p *patternParser) quantified(item *expr) (*expr, error) {
	e := &expr{kind: exprRepeat, subs: []*expr{item}, max: -1}
	interval := false
	switch {
	case p.accept("*"):
	case p.accept("+"):
		e.min = 1
	case p.accept("?"):
		e.max = 1
	case p.accept("{"):
		interval = true
		if err := p.interval(e); err != nil {
			return nil, err
		}
	default:
		return item, nil
	}
	if p.accept("+") {
		e.possessive = true
	}
	// In Oniguruma's syntax {n,m}+ repeats the interval, and lazy ones are rare.
	if interval && e.possessive || p.peek("?") || p.peek("*") || p.peek("+") || p.peek("{") {
		return nil, errBeyond
	}
	return e, nil
}

func (p *patternParser) interval(e *expr) error {
	end := strings.IndexByte(p.text[p.at:], '}')
	if end < 0 {
		return errBeyond
	}
	low, high, ranged := strings.Cut(p.text[p.at:p.at+end], ",")
	p.at += end + 1
	n, err := strconv.ParseUint(low, 10, 10)
	if err != nil {
		return errBeyond
	}
	e.min, e.max = int(n), int(n)
	if !ranged {
		return nil
	}
	if high == "" {
		e.max = -1
		return nil
	}
	m, err := strconv.ParseUint(high, 10, 10)
	if err != nil || m < n {
		return errBeyond
	}
	e.max = int(m)
	return nil
}
