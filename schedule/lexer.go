package schedule

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// tokenKind sorts the tokens of a load function.
type tokenKind uint8

const (
	tokenEnd tokenKind = iota
	tokenNumber
	tokenName // also keywords
	tokenText // a string literal, with its quotes
	tokenOperator
)

type token struct {
	kind   tokenKind
	text   string
	column int // from 1
}

// operators by falling length, so that the longest matches first.
var operators = []string{
	"**", "//", "<<", ">>", "<=", ">=", "==", "!=",
	"+", "-", "*", "/", "%", "(", ")", "[", "]", ",", ".", ":", "<", ">", "&", "|", "^", "~",
}

// scan splits a load function into tokens.
func scan(source string) ([]token, error) {
	var tokens []token
	for i := 0; ; {
		for i < len(source) && strings.IndexByte(" \t\r\n", source[i]) >= 0 {
			i++
		}
		if i == len(source) {
			return append(tokens, token{kind: tokenEnd, text: "the end", column: i + 1}), nil
		}
		t, err := scanOne(source[i:], i+1)
		if err != nil {
			return nil, err
		}
		tokens = append(tokens, t)
		i += len(t.text)
	}
}

func scanOne(rest string, column int) (token, error) {
	c := rest[0]
	switch {
	case isDigit(c) || c == '.' && len(rest) > 1 && isDigit(rest[1]):
		text := rest[:numberLength(rest)]
		if !numberForm.MatchString(text) {
			return token{}, fmt.Errorf("column %d: %s is not a number", column, clip(text))
		}
		return token{tokenNumber, text, column}, nil
	case isLetter(c):
		n := 1
		for n < len(rest) && (isLetter(rest[n]) || isDigit(rest[n])) {
			n++
		}
		return token{tokenName, rest[:n], column}, nil
	case c == '"' || c == '\'':
		end := strings.IndexByte(rest[1:], c)
		if end < 0 || strings.ContainsAny(rest[:end+1], "\\\n") {
			return token{}, fmt.Errorf("column %d: a text that is not closed", column)
		}
		return token{tokenText, rest[:end+2], column}, nil
	}
	for _, op := range operators {
		if strings.HasPrefix(rest, op) {
			return token{tokenOperator, op, column}, nil
		}
	}
	r, _ := utf8.DecodeRuneInString(rest)
	return token{}, fmt.Errorf("column %d: %q has no meaning here", column, r)
}

// numberForm is what a number looks like.
var numberForm = regexp.MustCompile(`^(0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|([0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)([eE][+-]?[0-9]+)?)$`)

// numberLength is the length of what could be a number: digits, letters,
// underscores, dots, and a sign after an exponent's e.
func numberLength(rest string) int {
	hex := strings.HasPrefix(rest, "0x") || strings.HasPrefix(rest, "0X")
	n := 1
	for n < len(rest) {
		c := rest[n]
		sign := (c == '+' || c == '-') && !hex && (rest[n-1] == 'e' || rest[n-1] == 'E')
		if !isDigit(c) && !isLetter(c) && c != '.' && !sign {
			break
		}
		n++
	}
	return n
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isLetter(c byte) bool { return c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }
