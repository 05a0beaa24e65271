package auth

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// Limits on tokens. A shorter one could be guessed.
const (
	minToken     = 16
	maxToken     = 512
	maxTokenFile = 1 << 20
)

// entry is a token as it is kept: its hash alone.
type entry struct {
	sum  [sha256.Size]byte
	role Role
}

// parse reads tokens, one a line. Blank lines and lines that begin with # are left
// out. A line may begin with a role, "read TOKEN" or "run TOKEN", when kind is Run;
// without one it is kind. Errors name the line and never show it.
func parse(text []byte, kind Role) ([]entry, error) {
	var entries []entry
	err := eachToken(text, func(line int, role, token string) error {
		r, err := roleOf(role, kind)
		if err != nil {
			return fmt.Errorf("line %d: %w", line, err)
		}
		entries = append(entries, entry{sha256.Sum256([]byte(token)), r})
		return nil
	})
	if err == nil && len(entries) == 0 {
		err = fmt.Errorf("it holds no token")
	}
	return entries, err
}

func roleOf(word string, kind Role) (Role, error) {
	switch {
	case word == "" || word == kind.String():
		return kind, nil
	case word == Read.String() && kind == Run:
		return Read, nil
	case kind == Run:
		return 0, fmt.Errorf("the word before a token must be read or run")
	}
	return 0, fmt.Errorf("a token must stand alone on its line")
}

// eachToken calls do with every token, the word before it, and its line from 1.
func eachToken(text []byte, do func(line int, role, token string) error) error {
	scanner := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; scanner.Scan(); n++ {
		line := strings.TrimSpace(scanner.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		words := strings.Fields(line)
		if len(words) > 2 {
			return fmt.Errorf("line %d: must be a token, or a role and a token, got %d words", n, len(words))
		}
		role, token := "", words[len(words)-1]
		if len(words) == 2 {
			role = words[0]
		}
		if err := checkToken(token); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
		if err := do(n, role, token); err != nil {
			return err
		}
	}
	if scanner.Err() != nil {
		return fmt.Errorf("a line is too long")
	}
	return nil
}

func checkToken(token string) error {
	if len(token) < minToken || len(token) > maxToken {
		return fmt.Errorf("a token must have %d to %d characters, got %d", minToken, maxToken, len(token))
	}
	for _, c := range []byte(token) {
		if c <= ' ' || c > '~' {
			return fmt.Errorf("a token must be of printable ASCII")
		}
	}
	return nil
}

// checkEvery is how often a token file is looked at for a change, at most.
const checkEvery = time.Second

// Tokens are the tokens of one kind. Those of a file are read anew when it
// changes; a file that can't be read then leaves the tokens as they were. Safe for
// concurrent use.
type Tokens struct {
	kind   Role
	path   string // empty: from the environment, never changes
	failed func(error)

	mu      sync.Mutex
	entries []entry
	stamp   stamp
	looked  time.Time
}

// stamp tells one version of a file from another.
type stamp struct {
	modified time.Time
	size     int64
}

// FromFile reads the tokens of a file; kind is Run for clients' and Agent for
// agents'. When the file has changed and can't be read, failed, which may be nil,
// is told why.
func FromFile(path string, kind Role, failed func(error)) (*Tokens, error) {
	t := &Tokens{kind: kind, path: path, failed: failed}
	if err := t.read(); err != nil {
		return nil, err
	}
	t.looked = time.Now()
	return t, nil
}

// FromText takes tokens as they stand in an environment variable: lines of a
// token file, or separated by commas.
func FromText(text string, kind Role) (*Tokens, error) {
	entries, err := parse([]byte(strings.ReplaceAll(text, ",", "\n")), kind)
	if err != nil {
		return nil, err
	}
	return &Tokens{kind: kind, entries: entries}, nil
}

func (t *Tokens) read() error {
	text, st, err := readFile(t.path)
	if err != nil {
		return err
	}
	entries, err := parse(text, t.kind)
	if err != nil {
		return fmt.Errorf("token file %s: %w", t.path, err)
	}
	t.entries, t.stamp = entries, st
	return nil
}

func readFile(path string) ([]byte, stamp, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, stamp{}, fmt.Errorf("token file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, stamp{}, fmt.Errorf("token file: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, stamp{}, fmt.Errorf("token file %s: is no regular file", path)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxTokenFile+1))
	if err != nil {
		return nil, stamp{}, fmt.Errorf("token file: %w", err)
	}
	if len(text) > maxTokenFile {
		return nil, stamp{}, fmt.Errorf("token file %s: is larger than %d bytes", path, maxTokenFile)
	}
	return text, stamp{info.ModTime(), info.Size()}, nil
}

// current returns the tokens as they are now.
func (t *Tokens) current(now time.Time) []entry {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.path == "" || now.Sub(t.looked) < checkEvery {
		return t.entries
	}
	t.looked = now
	info, err := os.Stat(t.path)
	if err == nil && (stamp{info.ModTime(), info.Size()}) != t.stamp {
		err = t.read()
	}
	if err != nil && t.failed != nil {
		t.failed(fmt.Errorf("the tokens stay as they were: %w", err))
	}
	return t.entries
}

// find returns the role of a token. It compares hashes, all of them, in constant
// time.
func (t *Tokens) find(token string) (Role, bool) {
	if t == nil {
		return Open, false
	}
	sum := sha256.Sum256([]byte(token))
	role, found := Open, false
	for _, e := range t.current(time.Now()) {
		if subtle.ConstantTimeCompare(e.sum[:], sum[:]) == 1 && (!found || e.role > role) {
			role, found = e.role, true
		}
	}
	return role, found
}

// Disjoint returns an error when a token is in both sets: it would make agents
// clients.
func Disjoint(a, b *Tokens) error {
	if a == nil || b == nil {
		return nil
	}
	now := time.Now()
	known := map[[sha256.Size]byte]bool{}
	for _, e := range a.current(now) {
		known[e.sum] = true
	}
	for _, e := range b.current(now) {
		if known[e.sum] {
			return fmt.Errorf("a token is both a client's and an agent's: they must be apart")
		}
	}
	return nil
}
