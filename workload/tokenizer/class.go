package tokenizer

import (
	"strings"
	"unicode"
)

// class is a set of characters.
type class [0x110000 / 64]uint64

func (c *class) has(r rune) bool { return c[uint32(r)>>6]>>(uint32(r)&63)&1 != 0 }

func (c *class) add(low, high rune) {
	for r := low; r <= high; r++ {
		c[uint32(r)>>6] |= 1 << (uint32(r) & 63)
	}
}

func (c *class) union(o *class) {
	for i := range c {
		c[i] |= o[i]
	}
}

func (c *class) intersect(o *class) {
	for i := range c {
		c[i] &= o[i]
	}
}

func (c *class) negate() {
	for i := range c {
		c[i] = ^c[i]
	}
}

// fold adds what equals a member when case is ignored.
func (c *class) fold() {
	var more []rune
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if c[uint32(r)>>6] == 0 {
			r |= 63
			continue
		}
		if c.has(r) {
			for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
				more = append(more, f)
			}
		}
	}
	for _, r := range more {
		c.add(r, r)
	}
}

func (c *class) addTable(t *unicode.RangeTable) {
	for _, r := range t.R16 {
		for x := uint32(r.Lo); x <= uint32(r.Hi); x += uint32(r.Stride) {
			c[x>>6] |= 1 << (x & 63)
		}
	}
	for _, r := range t.R32 {
		for x := r.Lo; x <= r.Hi; x += r.Stride {
			c[x>>6] |= 1 << (x & 63)
		}
	}
}

// property is the class of a Unicode category or script, or nil.
func property(name string) *class {
	name = strings.TrimPrefix(strings.ReplaceAll(name, " ", "_"), "Script=")
	var c class
	if t, ok := unicode.Categories[name]; ok {
		c.addTable(t)
		return &c
	}
	if t, ok := unicode.Scripts[name]; ok {
		c.addTable(t)
		return &c
	}
	if name == "LC" {
		for _, t := range []*unicode.RangeTable{unicode.Lu, unicode.Ll, unicode.Lt} {
			c.addTable(t)
		}
		return &c
	}
	return nil
}

// perl is the class of \s, \d or \w as Oniguruma has them.
func perl(letter byte) *class {
	var c class
	switch letter {
	case 's':
		c.addTable(unicode.White_Space)
	case 'd':
		c.addTable(unicode.Nd)
	case 'w':
		for _, t := range wordTables {
			c.addTable(t)
		}
	default:
		return nil
	}
	return &c
}

// wordTables are letters, marks, digits and connectors.
var wordTables = []*unicode.RangeTable{unicode.L, unicode.M, unicode.Nd, unicode.Nl, unicode.Pc, unicode.Other_Alphabetic}

// isWord is \w as Rust has it.
func isWord(r rune) bool {
	return unicode.In(r, wordTables...) || unicode.Is(unicode.Join_Control, r)
}
