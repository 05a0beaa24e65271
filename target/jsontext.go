package target

import (
	"unicode/utf16"
	"unicode/utf8"
)

// span is the inside of a JSON string, still escaped.
type span struct {
	raw     []byte
	escaped bool
}

// size is the length of the text in bytes once it is unescaped.
func (t span) size() int32 {
	if !t.escaped {
		return int32(len(t.raw))
	}
	n := len(t.raw)
	for i := 0; i < len(t.raw); i++ {
		if t.raw[i] != '\\' {
			continue
		}
		i++
		n--
		if t.raw[i] == 'u' {
			r, used := rune4(t.raw[i+1:])
			n += utf8.RuneLen(r) - used - 1
			i += used
		}
	}
	return int32(n)
}

// unescape appends the text of the inside of a valid JSON string to dst. Like
// encoding/json it puts U+FFFD where bytes or surrogates are no text.
func unescape(dst, raw []byte) []byte {
	for i := 0; i < len(raw); {
		c := raw[i]
		switch {
		case c == '\\' && raw[i+1] == 'u':
			r, used := rune4(raw[i+2:])
			dst = utf8.AppendRune(dst, r)
			i += 2 + used
		case c == '\\':
			dst = append(dst, plainEscape(raw[i+1]))
			i += 2
		case c < utf8.RuneSelf:
			dst = append(dst, c)
			i++
		default:
			r, size := utf8.DecodeRune(raw[i:])
			dst = utf8.AppendRune(dst, r)
			i += size
		}
	}
	return dst
}

func plainEscape(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return c
}

// rune4 decodes the four digits after \u, and the second half of a surrogate
// pair where there is one. used is how many bytes of p that took.
func rune4(p []byte) (r rune, used int) {
	r = hex4(p)
	if !utf16.IsSurrogate(r) {
		return r, 4
	}
	if len(p) >= 10 && p[4] == '\\' && p[5] == 'u' {
		if r2 := utf16.DecodeRune(r, hex4(p[6:])); r2 != utf8.RuneError {
			return r2, 10
		}
	}
	return utf8.RuneError, 4
}

// hex4 returns the value of four hexadecimal digits, or -1.
func hex4(p []byte) rune {
	if len(p) < 4 {
		return -1
	}
	var r rune
	for _, c := range p[:4] {
		d := hexDigit(c)
		if d < 0 {
			return -1
		}
		r = r<<4 | rune(d)
	}
	return r
}
