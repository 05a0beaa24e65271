package tokenizer

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// single is what matches one character.
func (p *patternParser) single(fold bool) (*class, error) {
	from := p.at
	set, err := p.one()
	if err != nil {
		return nil, err
	}
	key := p.text[from:p.at]
	if fold {
		key = "i" + key
	} else {
		key = "-" + key
	}
	if known, ok := p.classes[key]; ok {
		return known, nil
	}
	if fold {
		set.fold()
	}
	p.classes[key] = set
	return set, nil
}

func (p *patternParser) one() (*class, error) {
	switch {
	case p.accept("["):
		return p.set()
	case p.peek(`\w`), p.peek(`\W`):
		return p.word(), nil
	case p.peek(`\`):
		set, _, err := p.escape()
		return set, err
	case strings.IndexByte("^$.*+?{}", p.text[p.at]) >= 0:
		return nil, errBeyond
	}
	return single(p.char()), nil
}

// word is \w that stands alone: Oniguruma then asks a table for Latin-1, which
// has a few numbers more.
func (p *patternParser) word() *class {
	set := perl('w')
	for _, r := range "²³¹¼½¾" {
		set.add(r, r)
	}
	if p.text[p.at+1] == 'W' {
		set.negate()
	}
	p.at += 2
	return set
}

func (p *patternParser) char() rune {
	r, size := utf8.DecodeRuneInString(p.text[p.at:])
	p.at += size
	return r
}

func single(r rune) *class {
	var c class
	c.add(r, r)
	return &c
}

// escape reads a backslash with what follows. char is the character that it
// means, or -1 when it means a class.
func (p *patternParser) escape() (set *class, char rune, err error) {
	p.at++
	if p.at >= len(p.text) {
		return nil, 0, errBeyond
	}
	letter := p.text[p.at]
	switch letter {
	case 'p', 'P':
		set, err = p.property()
		return set, -1, err
	case 's', 'd', 'w', 'S', 'D', 'W':
		p.at++
		set = perl(letter | 0x20)
		if letter < 'a' {
			set.negate()
		}
		return set, -1, nil
	case 'u':
		char, err = p.hex(4)
		return single(char), char, err
	case 'x':
		char, err = p.hexByte()
		return single(char), char, err
	}
	if i := strings.IndexByte("rntfv", letter); i >= 0 {
		p.at++
		char = rune("\r\n\t\f\v"[i])
		return single(char), char, nil
	}
	if letter < utf8.RuneSelf && (letter == '_' || letter >= '0' && letter <= '9' || letter|0x20 >= 'a' && letter|0x20 <= 'z') {
		return nil, 0, errBeyond
	}
	char = p.char()
	return single(char), char, nil
}

// property reads p{Name}, P{Name} or p{^Name}.
func (p *patternParser) property() (*class, error) {
	not := p.text[p.at] == 'P'
	p.at++
	if !p.accept("{") {
		return nil, errBeyond
	}
	end := strings.IndexByte(p.text[p.at:], '}')
	if end < 0 {
		return nil, errBeyond
	}
	name := p.text[p.at : p.at+end]
	p.at += end + 1
	if strings.HasPrefix(name, "^") {
		name, not = name[1:], !not
	}
	set := property(name)
	if set == nil {
		return nil, errBeyond
	}
	if not {
		set.negate()
	}
	return set, nil
}

func (p *patternParser) hex(digits int) (rune, error) {
	p.at++
	if p.at+digits > len(p.text) {
		return 0, errBeyond
	}
	n, err := strconv.ParseUint(p.text[p.at:p.at+digits], 16, 32)
	if err != nil || n > unicode.MaxRune {
		return 0, errBeyond
	}
	p.at += digits
	return rune(n), nil
}

// hexByte reads x{H…} or, below 128, xHH: beyond it Oniguruma means a byte.
func (p *patternParser) hexByte() (rune, error) {
	if strings.HasPrefix(p.text[p.at:], "x{") {
		end := strings.IndexByte(p.text[p.at:], '}')
		if end < 3 {
			return 0, errBeyond
		}
		p.at++
		r, err := p.hex(end - 2)
		p.at++
		return r, err
	}
	r, err := p.hex(2)
	if r > 0x7f {
		return 0, errBeyond
	}
	return r, err
}

// set reads the rest of a class in brackets.
func (p *patternParser) set() (*class, error) {
	if p.depth++; p.depth > maxPatternDepth {
		return nil, errBeyond
	}
	defer func() { p.depth-- }()
	not := p.accept("^")
	var whole *class // what stands before &&
	set := &class{}
	for first := true; ; first = false {
		switch {
		case p.at >= len(p.text), p.peek("[:"), p.peek("]") && first:
			return nil, errBeyond
		case p.accept("]"):
			if whole != nil {
				set.intersect(whole)
			}
			if not {
				set.negate()
			}
			return set, nil
		case p.accept("&&"):
			if whole == nil {
				whole = set
			} else {
				whole.intersect(set)
			}
			set = &class{}
			continue
		}
		if err := p.member(set); err != nil {
			return nil, err
		}
	}
}

// member adds a nested class, a class by name, a character or a range.
func (p *patternParser) member(set *class) error {
	if p.accept("[") {
		nested, err := p.set()
		if err == nil {
			set.union(nested)
		}
		return err
	}
	low, named, err := p.endpoint()
	if err != nil {
		return err
	}
	if named != nil {
		set.union(named)
		return nil
	}
	high := low
	if p.peek("-") && !p.peek("-]") {
		p.at++
		if high, named, err = p.endpoint(); err != nil || named != nil || high < low {
			return errBeyond
		}
	}
	set.add(low, high)
	return nil
}

// endpoint is a character, or a class by name.
func (p *patternParser) endpoint() (rune, *class, error) {
	if p.at >= len(p.text) {
		return 0, nil, errBeyond
	}
	if p.peek("\\") {
		set, char, err := p.escape()
		if char >= 0 {
			set = nil
		}
		return char, set, err
	}
	return p.char(), nil, nil
}
