package workload

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"github.com/stampede-bench/stampede/internal/secret"
)

// leastSecret is the length in bytes from which a value is removed from texts;
// removing shorter ones would mangle them.
const leastSecret = 4

// Secrets returns the values in s that must not appear in any text, longest
// first, in the notations in which a server may echo them. The seed's EMPTY is
// none.
func Secrets(s *Spec) []string {
	found := map[string]bool{}
	collectKey(found, s.Endpoint.APIKey.Reveal())
	collect(found, s.Dataset.HubToken.Reveal())
	for name, v := range s.Endpoint.Headers {
		if IsSecretName(name) || isSecretText(v) {
			collect(found, v)
		}
	}
	for name, v := range s.Sampling.ExtraBody {
		collectAny(found, name, v, false)
	}
	out := make([]string, 0, len(found))
	for v := range found {
		out = append(out, v)
	}
	slices.SortFunc(out, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	return out
}

// Redact replaces every occurrence of the secrets in text by the mask.
func Redact(text string, secrets []string) string {
	for _, s := range secrets {
		text = strings.ReplaceAll(text, s, secret.Mask)
	}
	return text
}

// collectKey takes a key apart, too: clouds have two in one.
func collectKey(found map[string]bool, key string) {
	collect(found, key)
	if id, access, ok := strings.Cut(key, "|"); ok {
		collect(found, id)
		collect(found, access)
	}
}

func collect(found map[string]bool, v string) {
	if isSecretText(v) {
		_, bare, _ := strings.Cut(v, " ")
		collect(found, strings.TrimSpace(bare))
	}
	if len(v) < leastSecret || v == noKey || v == secret.Mask {
		return
	}
	found[v] = true
	found[url.QueryEscape(v)] = true
	if quoted, err := json.Marshal(v); err == nil {
		found[string(quoted[1:len(quoted)-1])] = true
	}
}

func collectAny(found map[string]bool, name string, v any, below bool) {
	below = below || IsSecretName(name)
	switch t := v.(type) {
	case string:
		if below {
			collect(found, t)
		}
	case map[string]any:
		for k, item := range t {
			collectAny(found, k, item, below)
		}
	case []any:
		for _, item := range t {
			collectAny(found, "", item, below)
		}
	}
}
