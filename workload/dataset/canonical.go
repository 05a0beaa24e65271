package dataset

import (
	"encoding/json"
	"strconv"

	"github.com/stampede-bench/stampede/workload"
)

// CanonicalBody is what workload_hash says of a turn: a JSON object with its
// messages, the output length asked for and the sampling parameters. It knows no
// model, URL or key. The live answers in a history, and a nonce that is the
// run's own, are left out.
func CanonicalBody(s Session, turn int, p workload.Sampling, asked int) []byte {
	return AppendCanonicalBody(nil, s, turn, CanonicalSampling(p), asked)
}

// CanonicalSampling is the part of CanonicalBody that is the same for all
// entries. Members of extra_body that look like secrets are masked in it.
func CanonicalSampling(p workload.Sampling) []byte {
	data, err := json.Marshal(p)
	if err != nil { // only values that no JSON or YAML could have brought
		return []byte("null")
	}
	return data
}

// AppendCanonicalBody appends CanonicalBody to dst.
func AppendCanonicalBody(dst []byte, s Session, turn int, sampling []byte, asked int) []byte {
	dst = append(dst, `{"messages":[`...)
	for n, t := range Branch(s.Turns, turn) {
		if n > 0 {
			dst = append(dst, `,{"role":"assistant"},`...)
		}
		for m, message := range s.Turns[t].Messages {
			if m > 0 {
				dst = append(dst, ',')
			}
			text := message.Content
			if t == 0 && m == 0 {
				text = text[min(s.volatile, len(text)):]
			}
			dst = append(appendString(append(dst, `{"role":`...), message.Role), `,"content":`...)
			dst = append(appendString(dst, text), '}')
		}
	}
	dst = strconv.AppendInt(append(dst, `],"output_tokens":`...), int64(asked), 10)
	dst = append(append(dst, `,"sampling":`...), sampling...)
	return append(dst, '}')
}

// appendString appends a JSON string.
func appendString(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c >= 0x7f || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			quoted, err := json.Marshal(s)
			if err != nil { // a string always marshals
				return dst
			}
			return append(dst, quoted...)
		}
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}
