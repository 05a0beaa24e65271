package workload

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"

	"github.com/stampede-bench/stampede/internal/secret"
)

func isMasked(s secret.String) bool { return s.Reveal() == secret.Mask }

// masked returns a copy of h in which what looks like a secret is masked.
func (h Headers) masked() map[string]string {
	out := maps.Clone(map[string]string(h))
	for name, v := range out {
		if v != "" && (IsSecretName(name) || isSecretText(v)) {
			out[name] = secret.Mask
		}
	}
	return out
}

// String returns the headers, secrets masked.
func (h Headers) String() string { return fmt.Sprint(h.masked()) }

// Format implements fmt.Formatter, so that no verb reaches a secret.
func (h Headers) Format(f fmt.State, verb rune) {
	_, _ = fmt.Fprintf(f, fmt.FormatString(f, verb), h.masked())
}

// LogValue implements slog.LogValuer.
func (h Headers) LogValue() slog.Value { return slog.AnyValue(h.masked()) }

// MarshalJSON writes the headers, secrets masked.
func (h Headers) MarshalJSON() ([]byte, error) { return json.Marshal(h.masked()) }

// MarshalYAML is for encoders of YAML that know this method.
func (h Headers) MarshalYAML() (any, error) { return h.masked(), nil }

// masked returns a deep copy of b in which what looks like a secret is masked.
func (b ExtraBody) masked() map[string]any {
	if b == nil {
		return nil
	}
	return maskObject(b)
}

func maskObject(o map[string]any) map[string]any {
	out := make(map[string]any, len(o))
	for name, v := range o {
		out[name] = maskValue(name, v)
	}
	return out
}

// maskValue masks everything below a secret name but what can't be a secret.
func maskValue(name string, v any) any {
	switch t := v.(type) {
	case nil, bool:
		return v
	case string:
		if t != "" && IsSecretName(name) {
			return secret.Mask
		}
		return v
	}
	if IsSecretName(name) {
		return secret.Mask
	}
	switch t := v.(type) {
	case map[string]any:
		return maskObject(t)
	case []any:
		out := make([]any, len(t))
		for i, item := range t {
			out[i] = maskValue("", item)
		}
		return out
	default:
		return v
	}
}

// String returns the members, secrets masked.
func (b ExtraBody) String() string { return fmt.Sprint(b.masked()) }

// Format implements fmt.Formatter, so that no verb reaches a secret.
func (b ExtraBody) Format(f fmt.State, verb rune) {
	_, _ = fmt.Fprintf(f, fmt.FormatString(f, verb), b.masked())
}

// LogValue implements slog.LogValuer.
func (b ExtraBody) LogValue() slog.Value { return slog.AnyValue(b.masked()) }

// MarshalJSON writes the members, secrets masked.
func (b ExtraBody) MarshalJSON() ([]byte, error) { return json.Marshal(b.masked()) }

// MarshalYAML is for encoders of YAML that know this method.
func (b ExtraBody) MarshalYAML() (any, error) { return b.masked(), nil }

// UnmarshalJSON reads a JSON object; numbers become doubles, and whole numbers
// that a double would change are errors.
func (b *ExtraBody) UnmarshalJSON(data []byte) error {
	n, errs := tree((*builder).json, data)
	if n == nil {
		return errs
	}
	if n.kind == kindNull {
		return nil
	}
	d := &decoder{errs: errs}
	if n.kind != kindObject {
		d.mismatch("", "", "dict_type", "a JSON object", n)
		return d.errs
	}
	v := d.anyObject("", n)
	if len(d.errs) > 0 {
		return d.errs
	}
	*b = v
	return nil
}

// MaskBody returns a spec's or a seed body's JSON with secrets masked, otherwise
// as it was written: same keys, same order, same numbers. What can't be read
// becomes null.
func MaskBody(data []byte) []byte {
	n, _, _ := document(data)
	if n == nil {
		return []byte("null")
	}
	n.mask("", false)
	return n.appendJSON(nil)
}

// mask masks n, the value of a key of that name; inHeaders says that the key
// stands among headers, whose values may show by themselves what they are.
func (n *node) mask(name string, inHeaders bool) {
	switch {
	case n.kind == kindNull || n.kind == kindBool || n.kind == kindText && (n.text == "" || n.text == noKey):
	case IsSecretName(name), inHeaders && n.kind == kindText && isSecretText(n.text):
		*n = node{kind: kindText, text: secret.Mask, raw: secret.Mask}
	default:
		for _, m := range n.members {
			m.value.mask(m.key, name == "headers")
		}
		for _, item := range n.items {
			item.mask("", false)
		}
	}
}
