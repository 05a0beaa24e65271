package target

import (
	"math"
	"strconv"
	"unicode/utf8"
)

// tokenByte says which bytes a header name may hold (RFC 9110, token).
var tokenByte = func() (t [256]bool) {
	for _, c := range "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" {
		t[c] = true
	}
	return t
}()

func isDigit(c byte) bool { return c-'0' < 10 }

// fold compares p with s, which is in lower case, ignoring the case of ASCII.
func fold(p []byte, s string) bool {
	if len(p) != len(s) {
		return false
	}
	for i := range p {
		c := p[i]
		if c-'A' < 26 {
			c += 'a' - 'A'
		}
		if c != s[i] {
			return false
		}
	}
	return true
}

// intern returns value as a string, without allocating for what servers say.
func intern(value []byte) string {
	switch string(value) {
	case "text/event-stream":
		return "text/event-stream"
	case "text/event-stream; charset=utf-8":
		return "text/event-stream; charset=utf-8"
	case "application/json":
		return "application/json"
	}
	return string(value)
}

// parseLength reads a Content-Length: digits only, and it must fit.
func parseLength(p []byte) (int64, bool) {
	if len(p) == 0 || len(p) > 19 {
		return 0, false
	}
	var n uint64
	for _, c := range p {
		if !isDigit(c) {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	return int64(n), n <= math.MaxInt64
}

// parseHex reads a chunk size of at most 15 digits, so that it fits.
func parseHex(p []byte) (int64, bool) {
	if len(p) == 0 || len(p) > 15 {
		return 0, false
	}
	var n int64
	for _, c := range p {
		d := hexDigit(c)
		if d < 0 {
			return 0, false
		}
		n = n<<4 | int64(d)
	}
	return n, true
}

// hexDigit returns the value of a hexadecimal digit, or -1.
func hexDigit(c byte) int {
	switch {
	case isDigit(c):
		return int(c - '0')
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return int(c|0x20-'a') + 10
	}
	return -1
}

// clip shortens s to n bytes for a message, at the end of a character.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

// quote shows bytes of a peer in a message. It is generous, because secrets are
// removed by value and must not be cut in two before that; messages are cut last.
func quote(p []byte) string { return strconv.Quote(clip(string(p), 1024)) }
