package target

import (
	"encoding/json"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/stampede-bench/stampede/internal/secret"
)

const (
	messageBytes = 280
	shortSecret  = 4 // shorter values would blank out half of any message
)

// redactor removes secrets from messages by their value, wherever they stand.
type redactor struct{ r *strings.Replacer }

func newRedactor(values []string) redactor {
	seen := map[string]bool{}
	var all []string
	for _, v := range values {
		for _, form := range []string{v, jsonForm(v), strings.TrimPrefix(v, "Bearer ")} {
			if len(form) >= shortSecret && !seen[form] {
				seen[form] = true
				all = append(all, form)
			}
		}
	}
	// Longest first: one secret may be part of another.
	sort.Slice(all, func(i, j int) bool { return len(all[i]) > len(all[j]) })
	var pairs []string
	for _, v := range all {
		pairs = append(pairs, v, secret.Mask)
	}
	return redactor{strings.NewReplacer(pairs...)}
}

func (r redactor) clean(s string) string {
	return clip(r.r.Replace(s), messageBytes)
}

// jsonForm is v as it looks inside a JSON string.
func jsonForm(v string) string {
	b, err := json.Marshal(v)
	if err != nil {
		return v
	}
	return string(b[1 : len(b)-1])
}

// excerpt makes what an endpoint said printable, on one line. It is cut only
// after secrets were removed, so it keeps more than is shown.
func excerpt(p []byte) string {
	p = p[:min(len(p), keepError)]
	var b strings.Builder
	space := true
	for len(p) > 0 {
		r, n := utf8.DecodeRune(p)
		p = p[n:]
		switch {
		case unicode.IsSpace(r):
			if !space {
				b.WriteByte(' ')
			}
			space = true
			continue
		case r == utf8.RuneError || !unicode.IsPrint(r):
			b.WriteByte('.')
		default:
			b.WriteRune(r)
		}
		space = false
	}
	return strings.TrimSpace(b.String())
}
