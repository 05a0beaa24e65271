// Package secret holds a string that cannot be printed, logged or marshalled by
// accident. It is not encryption and does not protect memory.
package secret

import (
	"encoding/json"
	"fmt"
	"log/slog"
)

// Mask stands for a secret wherever one would have been printed.
const Mask = "***"

// String is a secret. Every way of formatting or marshalling it yields Mask, or
// nothing when it is empty; Reveal is the only way to its value. The value lies
// behind a pointer, because fmt prints unexported fields of a struct without
// asking their methods; so compare with Reveal, not with ==.
type String struct{ v *string }

// New returns v as a secret.
func New(v string) String {
	if v == "" {
		return String{}
	}
	return String{&v}
}

// Reveal returns the value.
func (s String) Reveal() string {
	if s.v == nil {
		return ""
	}
	return *s.v
}

// Empty reports whether there is no value.
func (s String) Empty() bool { return s.v == nil }

// IsZero makes encoding/json's omitzero leave an empty secret out.
func (s String) IsZero() bool { return s.v == nil }

// String returns Mask, or nothing when s is empty.
func (s String) String() string {
	if s.v == nil {
		return ""
	}
	return Mask
}

// GoString implements fmt.GoStringer.
func (s String) GoString() string { return fmt.Sprintf("%q", s.String()) }

// Format implements fmt.Formatter, so that no verb reaches the value.
func (s String) Format(f fmt.State, verb rune) {
	if verb == 'q' || verb == 'v' && f.Flag('#') {
		_, _ = fmt.Fprintf(f, "%q", s.String())
		return
	}
	_, _ = f.Write([]byte(s.String()))
}

// LogValue implements slog.LogValuer.
func (s String) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalJSON implements json.Marshaler.
func (s String) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

// MarshalText implements encoding.TextMarshaler.
func (s String) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
