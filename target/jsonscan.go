package target

import "errors"

const maxDepth = 10000 // as in encoding/json

var errJSON = errors.New("invalid JSON")

// scanner walks over one JSON text once, without allocating. It validates all
// that it passes, to the letter of encoding/json. Callers ask for what they know
// (object, array, str, integer, …) and skip the rest.
type scanner struct {
	p     []byte
	i     int
	depth int
	bad   bool
}

// fail stops the scan: every later call does nothing.
func (s *scanner) fail() { s.bad, s.i = true, len(s.p) }

func (s *scanner) space() {
	for s.i < len(s.p) {
		switch s.p[s.i] {
		case ' ', '\t', '\n', '\r':
			s.i++
		default:
			return
		}
	}
}

// peek returns the next byte that is no space, or 0 at the end.
func (s *scanner) peek() byte {
	if s.i < len(s.p) && s.p[s.i] > ' ' {
		return s.p[s.i]
	}
	s.space()
	if s.i < len(s.p) {
		return s.p[s.i]
	}
	return 0
}

// take consumes c, which must come next, or fails.
func (s *scanner) take(c byte) {
	if s.bad || s.peek() != c {
		s.fail()
		return
	}
	s.i++
}

// end reports whether the text was valid and nothing follows it.
func (s *scanner) end() bool { return !s.bad && s.peek() == 0 && s.i == len(s.p) }

// enter begins an object or array and reports whether it has a member.
func (s *scanner) enter(open, shut byte) bool {
	s.take(open)
	if s.depth++; s.depth > maxDepth {
		s.fail()
	}
	if s.bad {
		return false
	}
	if s.peek() == shut {
		s.i++
		s.depth--
		return false
	}
	return true
}

// more goes on to the next member, or leaves the object or array.
func (s *scanner) more(shut byte) bool {
	if s.bad {
		return false
	}
	switch s.peek() {
	case ',':
		s.i++
		return true
	case shut:
		s.i++
		s.depth--
		return false
	}
	s.fail()
	return false
}

// key returns the next member's name. The slice is valid until the next key.
func (s *scanner) key(buf *[32]byte) []byte {
	raw, escaped := s.str()
	s.take(':')
	if !escaped {
		return raw
	}
	if len(raw) > 6*len(buf) { // no name that is asked for is that long
		return nil
	}
	return unescape(buf[:0], raw)
}

// str returns what stands between the quotes, and whether it holds escapes.
func (s *scanner) str() (raw []byte, escaped bool) {
	s.take('"')
	begin := s.i
	for {
		i := s.i
		for i < len(s.p) && plainByte[s.p[i]] {
			i++
		}
		if s.i = i; i == len(s.p) {
			s.fail()
			return nil, false
		}
		switch s.p[i] {
		case '"':
			s.i++
			return s.p[begin:i], escaped
		case '\\':
			escaped = true
			s.escape()
		default:
			s.fail()
			return nil, false
		}
	}
}

// plainByte says which bytes of a string need no look.
var plainByte = func() (t [256]bool) {
	for c := range t {
		t[c] = c >= ' ' && c != '"' && c != '\\'
	}
	return t
}()

// escape passes over one escape sequence.
func (s *scanner) escape() {
	if s.i+1 >= len(s.p) {
		s.fail()
		return
	}
	switch s.p[s.i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		s.i += 2
	case 'u':
		if s.i+6 > len(s.p) || hex4(s.p[s.i+2:s.i+6]) < 0 {
			s.fail()
			return
		}
		s.i += 6
	default:
		s.fail()
	}
}

// number returns the text of a number.
func (s *scanner) number() []byte {
	s.peek()
	begin := s.i
	s.accept('-')
	if !s.accept('0') && !s.digits() {
		s.fail()
		return nil
	}
	if s.accept('.') && !s.digits() {
		s.fail()
		return nil
	}
	if s.accept('e') || s.accept('E') {
		if !s.accept('+') {
			s.accept('-')
		}
		if !s.digits() {
			s.fail()
			return nil
		}
	}
	return s.p[begin:s.i]
}

func (s *scanner) accept(c byte) bool {
	if s.i < len(s.p) && s.p[s.i] == c {
		s.i++
		return true
	}
	return false
}

func (s *scanner) digits() bool {
	begin := s.i
	for s.i < len(s.p) && isDigit(s.p[s.i]) {
		s.i++
	}
	return s.i > begin
}

// literal passes over true, false or null.
func (s *scanner) literal(word string) {
	if len(s.p)-s.i < len(word) || string(s.p[s.i:s.i+len(word)]) != word {
		s.fail()
		return
	}
	s.i += len(word)
}

// null consumes a null and reports whether there was one.
func (s *scanner) null() bool {
	if s.peek() != 'n' {
		return false
	}
	s.literal("null")
	return true
}

// skip passes over one value of any kind.
func (s *scanner) skip() {
	switch s.peek() {
	case '"':
		s.str()
	case '{':
		for ok := s.enter('{', '}'); ok; ok = s.more('}') {
			s.peek()
			s.str()
			s.take(':')
			s.skip()
		}
	case '[':
		for ok := s.enter('[', ']'); ok; ok = s.more(']') {
			s.skip()
		}
	case 't':
		s.literal("true")
	case 'f':
		s.literal("false")
	case 'n':
		s.literal("null")
	default:
		if s.bad {
			return
		}
		s.number()
	}
}

// integer returns a count, or -1 for whatever else stands there.
func (s *scanner) integer() int32 {
	if c := s.peek(); !isDigit(c) {
		s.skip()
		return -1
	}
	var n int64
	for i, c := range s.number() {
		if !isDigit(c) {
			if c != '.' || i == 0 {
				return -1
			}
			break // 12.0, as some write it
		}
		if n = n*10 + int64(c-'0'); n > 1<<31-1 {
			return -1
		}
	}
	return int32(n)
}

// count returns the number of elements of an array, 0 for whatever else.
func (s *scanner) count() (n int32) {
	if s.peek() != '[' {
		s.skip()
		return 0
	}
	for ok := s.enter('[', ']'); ok; ok = s.more(']') {
		s.skip()
		n++
	}
	return n
}
