package tokenizer

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// decoder turns tokens back into pieces of text.
type decoder interface {
	decode(tokens []string) []string
}

// decodeFunc is a decoder that is a function. It may change its argument.
type decodeFunc func([]string) []string

func (f decodeFunc) decode(tokens []string) []string { return f(tokens) }

type sequenceDecoder []decoder

func (s sequenceDecoder) decode(tokens []string) []string {
	for _, d := range s {
		tokens = d.decode(tokens)
	}
	return tokens
}

// each makes a decoder of what is done to every token.
func each(f func(i int, token string) string) decoder {
	return decodeFunc(func(tokens []string) []string {
		for i := range tokens {
			tokens[i] = f(i, tokens[i])
		}
		return tokens
	})
}

// decodeBytes reads the characters of bytes; a token with others stays as it is.
func decodeBytes(tokens []string) []string {
	var b strings.Builder
	for _, token := range tokens {
		if bytes, ok := fromByteChars(token); ok {
			token = bytes
		}
		b.WriteString(token)
	}
	return []string{replaceInvalid(b.String())}
}

// replaceInvalid puts U+FFFD for what is not UTF-8: one for the longest beginning
// of a character, as Rust does.
func replaceInvalid(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, size := utf8.DecodeRuneInString(s[i:])
		if r != utf8.RuneError || size > 1 {
			b.WriteString(s[i : i+size])
			i += size
			continue
		}
		b.WriteRune(utf8.RuneError)
		i += max(1, startOfRune(s[i:]))
	}
	return b.String()
}

// startOfRune is how many bytes of s begin a character that isn't complete.
func startOfRune(s string) int {
	for n := min(3, len(s)); n > 1; n-- {
		if !utf8.FullRuneInString(s[:n]) {
			return n
		}
	}
	return 1
}

// fallbackBytes joins runs of <0xNN> to text; a run that is no text becomes one
// U+FFFD a byte.
func fallbackBytes(tokens []string) []string {
	var out []string
	var run []byte
	flush := func() {
		switch {
		case len(run) == 0:
		case utf8.Valid(run):
			out = append(out, string(run))
		default:
			for range run {
				out = append(out, "\uFFFD")
			}
		}
		run = run[:0]
	}
	for _, token := range tokens {
		if len(token) == 6 && strings.HasPrefix(token, "<0x") && token[5] == '>' {
			if b, err := strconv.ParseUint(token[3:5], 16, 8); err == nil {
				run = append(run, byte(b))
				continue
			}
		}
		flush()
		out = append(out, token)
	}
	flush()
	return out
}

// stripChars takes a character off the ends of every token.
func stripChars(char string, start, stop int) decoder {
	return each(func(_ int, token string) string {
		for i := 0; i < start && char != "" && strings.HasPrefix(token, char); i++ {
			token = token[len(char):]
		}
		for i := 0; i < stop && char != "" && strings.HasSuffix(token, char); i++ {
			token = token[:len(token)-len(char)]
		}
		return token
	})
}

func decodeMetaspace(mark string, prepended bool) decoder {
	return each(func(i int, token string) string {
		if i == 0 && prepended {
			return strings.ReplaceAll(token, mark, "")
		}
		return strings.ReplaceAll(token, mark, " ")
	})
}

// cleanups undo what splitting did to English, in this order.
var cleanups = [][2]string{
	{" .", "."}, {" ?", "?"}, {" !", "!"}, {" ,", ","}, {" ' ", "'"}, {" n't", "n't"}, {" 'm", "'m"},
	{" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"},
}

func decodeWordPiece(prefix string, cleanup bool) decoder {
	return each(func(i int, token string) string {
		if i > 0 {
			if rest, ok := strings.CutPrefix(token, prefix); ok {
				token = rest
			} else {
				token = " " + token
			}
		}
		if cleanup {
			for _, c := range cleanups {
				token = strings.ReplaceAll(token, c[0], c[1])
			}
		}
		return token
	})
}

func decodeBPE(suffix string) decoder {
	return decodeFunc(func(tokens []string) []string {
		for i := range tokens {
			space := " "
			if i == len(tokens)-1 {
				space = ""
			}
			tokens[i] = strings.ReplaceAll(tokens[i], suffix, space)
		}
		return tokens
	})
}

func fuse(tokens []string) []string { return []string{strings.Join(tokens, "")} }
