package tokenizer

import "unicode/utf8"

// byteChar is the character that stands for each byte in byte-level
// vocabularies: itself where it is printable, else one from U+0100 on.
var byteChar, charByte = byteChars()

func byteChars() (chars [256]rune, bytes map[rune]byte) {
	bytes = make(map[rune]byte, 256)
	next := rune(256)
	for b := range 256 {
		r := rune(b)
		if (b < '!' || b > '~') && (b < 0xA1 || b > 0xAC) && b < 0xAE {
			r = next
			next++
		}
		chars[b] = r
		bytes[r] = byte(b)
	}
	return chars, bytes
}

// toByteChars writes each byte of s as its character.
func toByteChars(s string) string {
	out := make([]byte, 0, len(s)+len(s)/4)
	for i := range len(s) {
		out = utf8.AppendRune(out, byteChar[s[i]])
	}
	return string(out)
}

// fromByteChars is the inverse; it is false for text that is not of such
// characters alone.
func fromByteChars(s string) (string, bool) {
	out := make([]byte, 0, len(s))
	for _, r := range s {
		b, ok := charByte[r]
		if !ok {
			return "", false
		}
		out = append(out, b)
	}
	return string(out), true
}
