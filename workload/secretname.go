package workload

import (
	"strings"
	"unicode"
)

// IsSecretName reports whether a header, a parameter or a key of this name is
// likely to hold a secret: Authorization, api_key, hf_auth_key, X-Auth-Token,
// password, Cookie and the like. Names that only speak of tokens of text, such as
// max_tokens, tokenizer or stop_token_ids, are not; neither are names of where a
// secret is found, such as api_key_env.
func IsSecretName(name string) bool {
	words := nameWords(name)
	if len(words) == 0 || pointsElsewhere[words[len(words)-1]] {
		return false
	}
	whole := strings.Join(words, "")
	for _, part := range secretParts {
		if strings.Contains(whole, part) {
			return true
		}
	}
	for _, end := range secretEnds {
		if strings.HasSuffix(whole, end) {
			return true
		}
	}
	for i, w := range words {
		if secretWords[w] || w == "key" && !harmlessKey(words, i) || w == "token" && !textToken(words, i) {
			return true
		}
	}
	return false
}

var (
	// pointsElsewhere are last words of names that say where, how long or of what
	// kind something is, but don't hold it.
	pointsElsewhere = set("env", "file", "path", "name", "count", "length", "size", "limit", "type")
	secretParts     = []string{"password", "passwd", "passphrase", "secret", "credential", "authorization", "cookie"}
	secretEnds      = []string{"apikey", "authkey", "accesskey", "privatekey", "apitoken", "authtoken", "accesstoken", "sessiontoken", "bearertoken", "idtoken", "refreshtoken"}
	secretWords     = set("pwd", "auth", "bearer", "jwt", "signature", "sig", "keys")
	// beforeTextToken and afterTextToken surround the token that is a piece of text.
	beforeTextToken = set("eos", "bos", "pad", "unk", "sep", "cls", "mask", "stop", "special", "first", "last", "next", "begin", "start", "end", "per",
		"output", "input", "prompt", "to", "new", "max", "min", "think", "reasoning", "single", "image", "audio")
	afterTextToken = set("id", "ids", "budget", "logprobs", "bias", "healing", "level", "types", "usage", "probability")
)

// harmlessKey tells keys of caches and of pairs from keys that open something.
func harmlessKey(words []string, i int) bool {
	return i > 0 && words[i-1] == "cache" || i+1 < len(words) && (words[i+1] == "value" || words[i+1] == "cache")
}

func textToken(words []string, i int) bool {
	return i > 0 && beforeTextToken[words[i-1]] || i+1 < len(words) && afterTextToken[words[i+1]]
}

// nameWords splits snake_case, kebab-case, camelCase and dotted names into words
// in lower case.
func nameWords(name string) []string {
	var words []string
	var word strings.Builder
	flush := func() {
		if word.Len() > 0 {
			words = append(words, word.String())
			word.Reset()
		}
	}
	wasLower := false
	for _, r := range name {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			flush()
		case unicode.IsUpper(r) && wasLower:
			flush()
			word.WriteRune(unicode.ToLower(r))
		default:
			word.WriteRune(unicode.ToLower(r))
		}
		wasLower = unicode.IsLower(r)
	}
	flush()
	return words
}

func set(words ...string) map[string]bool {
	m := make(map[string]bool, len(words))
	for _, w := range words {
		m[w] = true
	}
	return m
}

// isSecretText reports whether a value shows by itself that it is a secret,
// whatever its name.
func isSecretText(s string) bool {
	scheme, rest, ok := strings.Cut(s, " ")
	return ok && rest != "" && (strings.EqualFold(scheme, "bearer") || strings.EqualFold(scheme, "basic"))
}
