package report

import "bytes"

// indent lays compact JSON out for people: an object's members a line each, but
// lists without objects on one line, so that a series does not fill pages.
func indent(src []byte) []byte {
	var dst bytes.Buffer
	depth := 0
	newline := func() {
		dst.WriteByte('\n')
		for range depth {
			dst.WriteString("  ")
		}
	}
	for i := 0; i < len(src); i++ {
		switch c := src[i]; c {
		case '"':
			end := stringEnd(src, i)
			dst.Write(src[i:end])
			i = end - 1
		case '{', '[':
			if end := flatEnd(src, i); end > 0 {
				writeFlat(&dst, src[i:end])
				i = end - 1
				continue
			}
			dst.WriteByte(c)
			depth++
			newline()
		case '}', ']':
			depth--
			newline()
			dst.WriteByte(c)
		case ',':
			dst.WriteByte(c)
			newline()
		case ':':
			dst.WriteString(": ")
		default:
			dst.WriteByte(c)
		}
	}
	return dst.Bytes()
}

// stringEnd is the index behind the string that begins at i.
func stringEnd(src []byte, i int) int {
	for i++; i < len(src) && src[i] != '"'; i++ {
		if src[i] == '\\' {
			i++
		}
	}
	return min(i+1, len(src))
}

// flatEnd is the index behind the value that begins at i when it is a list
// without objects, or empty; else 0.
func flatEnd(src []byte, i int) int {
	if src[i] == '{' {
		if i+1 < len(src) && src[i+1] == '}' {
			return i + 2
		}
		return 0
	}
	for depth := 0; i < len(src); i++ {
		switch src[i] {
		case '"':
			i = stringEnd(src, i) - 1
		case '{':
			return 0
		case '[':
			depth++
		case ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return 0
}

func writeFlat(dst *bytes.Buffer, list []byte) {
	for i := 0; i < len(list); i++ {
		switch list[i] {
		case '"':
			end := stringEnd(list, i)
			dst.Write(list[i:end])
			i = end - 1
		case ',':
			dst.WriteString(", ")
		default:
			dst.WriteByte(list[i])
		}
	}
}
