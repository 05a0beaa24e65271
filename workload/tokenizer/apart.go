package tokenizer

import "strings"

// Apart reports whether words that single spaces keep apart never share a token,
// so that the counts of " word" add up: no token of the vocabulary has a letter in
// front of a space, and no added token is made of letters and spaces.
func (t *Tokenizer) Apart() bool {
	for _, token := range t.added.byID {
		if strings.Trim(token, lettersAndSpaces) == "" {
			return false
		}
	}
	if m, ok := t.model.(*bpe); ok && m.raw {
		for piece := range m.pieces {
			if letterBeforeSpace(piece) {
				return false
			}
		}
		return true
	}
	for _, token := range t.model.all() {
		if letterBeforeSpace(token) {
			return false
		}
	}
	return true
}

const lettersAndSpaces = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ▁Ġ"

func letterBeforeSpace(token string) bool {
	for _, space := range []string{" ", "▁", "Ġ"} {
		for rest := token; ; {
			i := strings.Index(rest, space)
			if i < 0 {
				break
			}
			if i > 0 && (rest[i-1]|0x20 >= 'a' && rest[i-1]|0x20 <= 'z') {
				return true
			}
			rest = rest[i+len(space):]
		}
	}
	return false
}
