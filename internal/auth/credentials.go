package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/stampede-bench/stampede/internal/secret"
)

// Source is where a client or an agent has its token from. The zero value sends
// none. It is credentials.PerRPCCredentials: the file is read for every call, so
// that a rotated token is taken up without a restart.
type Source struct {
	Path  string        // a token file, whose first token is sent
	Token secret.String // used without Path
}

// Given reports whether there is a token to send.
func (s Source) Given() bool { return s.Path != "" || !s.Token.Empty() }

// Read returns the token.
func (s Source) Read() (secret.String, error) {
	if s.Path == "" {
		return s.Token, nil
	}
	text, _, err := readFile(s.Path)
	if err != nil {
		return secret.String{}, err
	}
	token := ""
	err = eachToken(text, func(_ int, _, t string) error {
		token = t
		return errFound
	})
	switch {
	case errors.Is(err, errFound):
		return secret.New(token), nil
	case err == nil:
		err = errors.New("it holds no token")
	}
	return secret.String{}, fmt.Errorf("token file %s: %w", s.Path, err)
}

var errFound = errors.New("found")

// FromEnv is the token of an environment variable, which may be unset.
func FromEnv(value string) Source { return Source{Token: secret.New(strings.TrimSpace(value))} }

// GetRequestMetadata implements credentials.PerRPCCredentials.
func (s Source) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	token, err := s.Read()
	if err != nil || token.Empty() {
		return nil, err
	}
	return map[string]string{"authorization": "Bearer " + token.Reveal()}, nil
}

// RequireTransportSecurity implements credentials.PerRPCCredentials. A controller
// on loopback may ask for tokens without TLS.
func (s Source) RequireTransportSecurity() bool { return false }
