package workload

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/stampede-bench/stampede/internal/secret"
)

const maskText = secret.Mask

var (
	envName    = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)
	headerName = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$")
	regionName = regexp.MustCompile(`^[a-z0-9-]{1,64}$`)
)

func (c *checker) endpoint(e *Endpoint) {
	types := slices.Clone(endpointTypes)
	for alias := range typeAliases {
		types = append(types, alias)
	}
	slices.Sort(types[len(endpointTypes):])
	c.oneOf("endpoint.type", e.Type, types...)
	c.oneOf("endpoint.api", e.API, APIChat, APICompletions, APIEmbeddings, APIRerank)
	c.models(e)
	c.url(e)
	c.line("endpoint.model", e.Model, 500)
	if e.Region != "" && !regionName.MatchString(e.Region) {
		c.bad("endpoint.region", "must be the name of a region such as us-west-2, got %s", quote(e.Region))
	}
	c.apiKey(e)
	c.headers(e)
}

func (c *checker) url(e *Endpoint) {
	if e.URL == "" {
		if !c.draft && CanonicalType(e.Type) != TypeBedrock {
			c.missing("endpoint.url", "give the base URL of the server, such as http://localhost:8000/v1")
		}
		return
	}
	if err := checkURL(e.URL); err != nil {
		hint := ""
		if !strings.Contains(e.URL, "://") && !strings.Contains(e.URL, "@") && checkURL("http://"+e.URL) == nil {
			hint = "did you mean http://" + shorten(e.URL) + "?"
		}
		c.badHint("endpoint.url", hint, "%s", err)
	}
}

const urlForm = "must be a base URL such as http://host:8000/v1"

// checkURL never repeats a URL that may hold a password or a key.
func checkURL(raw string) error {
	u, err := url.Parse(raw)
	if strings.Contains(raw, "@") && (err != nil || u.Host == "" || u.User != nil) {
		return errors.New("must not contain a user name or password; use api_key_env or headers")
	}
	switch {
	case err != nil || !cleanText(raw) || strings.ContainsAny(raw, " \t") || len(raw) > 2000:
		return fmt.Errorf("%s, got %s", urlForm, quote(withoutQuery(raw)))
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Errorf("%s, with http or https, got %s", urlForm, quote(withoutQuery(raw)))
	case u.Hostname() == "":
		return fmt.Errorf("%s, with a host, got %s", urlForm, quote(withoutQuery(raw)))
	case u.Port() != "" && !isPort(u.Port()):
		return fmt.Errorf("%s, with a port from 1 to 65535, got %s", urlForm, quote(withoutQuery(raw)))
	case u.Fragment != "":
		return fmt.Errorf("%s, without a fragment, got %s", urlForm, quote(withoutQuery(raw)))
	case strings.HasSuffix(strings.TrimRight(u.Path, "/"), "/completions"):
		return fmt.Errorf("%s; /chat/completions or /completions is added to it, got %s", urlForm, quote(withoutQuery(raw)))
	}
	for name := range u.Query() {
		if IsSecretName(name) {
			return fmt.Errorf("must not contain a secret, which the parameter %s seems to be; use api_key_env or headers", quote(name))
		}
	}
	return nil
}

func isPort(text string) bool {
	n, err := strconv.Atoi(text)
	return err == nil && n >= 1 && n <= 65535
}

func withoutQuery(raw string) string {
	before, _, _ := strings.Cut(raw, "?")
	return before
}

func (c *checker) apiKey(e *Endpoint) {
	if e.APIKeyEnv != "" && !envName.MatchString(e.APIKeyEnv) {
		c.badHint("endpoint.api_key_env", "it takes the variable's name, not the key", "must be the name of an environment variable: letters, digits and underscores")
	}
	name, authorized := authorization(e.Headers)
	if authorized && e.APIKeyEnv != "" {
		c.badHint("endpoint.api_key_env", "give one of them", "must not be given together with headers.%s", name)
	}
	key := e.APIKey.Reveal()
	switch {
	case key == "":
		return
	case isMasked(e.APIKey):
		if !c.draft && e.APIKeyEnv == "" {
			c.maskedSecret("endpoint.api_key", "give the key again, best by api_key_env")
		}
		return
	case !cleanText(key) || len(key) > 16384:
		c.bad("endpoint.api_key", "must be one line of at most 16384 bytes")
	case CanonicalType(e.Type) == TypeBedrock && !strings.Contains(key, "|"):
		c.bad("endpoint.api_key", "must be ACCESS|SECRET for bedrock")
	}
	if authorized && e.APIKeyEnv == "" && key != noKey {
		c.badHint("endpoint.api_key", "give one of them", "must not be given together with headers.%s", name)
	}
}

func authorization(h Headers) (string, bool) {
	for name := range h {
		if strings.EqualFold(name, "Authorization") {
			return name, true
		}
	}
	return "", false
}

// ownHeaders are those that the load generator sets itself, and on which its
// reading of the reply depends.
var ownHeaders = set("accept-encoding", "connection", "content-length", "expect", "keep-alive", "proxy-connection", "te", "trailer",
	"transfer-encoding", "upgrade", "x-request-attempt", "x-request-id")

func (c *checker) headers(e *Endpoint) {
	if len(e.Headers) > maxHeaders {
		c.bad("endpoint.headers", "must be at most %d, got %d", maxHeaders, len(e.Headers))
	}
	seen := map[string]string{}
	for _, name := range sortedKeys(e.Headers) {
		p, v, lower := join("endpoint.headers", name), e.Headers[name], strings.ToLower(name)
		if before, ok := seen[lower]; ok {
			c.bad(p, "is given twice, as %s and as %s", before, name)
		}
		seen[lower] = name
		switch {
		case !headerName.MatchString(name):
			c.bad(p, "must have a name of letters, digits and hyphens")
		case ownHeaders[lower]:
			c.bad(p, "can't be set: the load generator sets it itself")
		case !cleanText(strings.ReplaceAll(v, "\t", " ")) || len(v) > 16384:
			c.bad(p, "must be one line of at most 16384 bytes")
		case !c.draft && v == maskText && IsSecretName(name):
			c.maskedSecret(p, "give the header again")
		}
	}
}
