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

// CanonicalParameters is the part of CanonicalBody that is the same for all
// entries of a spec: its sampling, and the tools when there are any.
func CanonicalParameters(spec *workload.Spec) []byte {
	p := CanonicalSampling(spec.Sampling)
	d := spec.Dataset
	if d.Tools == "" && spec.Endpoint.Generates() {
		return p
	}
	tools, err := d.ToolList()
	if err != nil {
		tools = nil
	}
	more, err := json.Marshal(struct {
		Tools  json.RawMessage `json:"tools,omitempty"`
		Choice string          `json:"tool_choice,omitempty"`
		API    string          `json:"api,omitempty"`
	}{tools, d.ToolChoice, spec.Endpoint.API})
	if err != nil { // a list that was read before
		return p
	}
	return append(append(p, `,"request":`...), more...)
}

// CanonicalSampling is how CanonicalParameters writes the sampling. Members of
// extra_body that look like secrets are masked in it.
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
			dst = appendString(dst, text)
			if message.Media != "" {
				dst = append(append(append(dst, `,"media":[`...), message.Media...), ']')
			}
			dst = append(dst, '}')
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
