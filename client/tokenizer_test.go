package client

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTokenizerFile(t *testing.T) {
	dir := t.TempDir()
	write := func(path, text string) {
		t.Helper()
		path = filepath.Join(dir, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("own.json", "own")
	write("hub/models--acme--tiny/refs/main", "0123abc\n")
	write("hub/models--acme--tiny/snapshots/0123abc/tokenizer.json", "main's")
	write("hub/models--acme--tiny/snapshots/fff/tokenizer.json", "fff's")
	env := func(name string) (string, bool) {
		if name == "HF_HOME" {
			return dir, true
		}
		return "", false
	}
	open := func(path string) (io.ReadCloser, error) { return os.Open(path) }
	for name, want := range map[string]string{
		"": "", "server": "", "cl100k_base": "", "gpt-4o": "",
		filepath.Join(dir, "own.json"): "own",
		"acme/tiny":                    "main's", "hf://acme/tiny": "main's", "hf://acme/tiny@fff": "fff's", "acme/tiny@main": "main's",
	} {
		got, err := TokenizerFile(name, open, env)
		if err != nil || string(got) != want {
			t.Errorf("%q: %q, %v, want %q", name, got, err, want)
		}
	}
	for name, want := range map[string]string{
		"nothing.json":       "neither a file, nor built in",
		"acme/other":         "not in the hub's cache in " + filepath.Join(dir, "hub"),
		"hf://acme/tiny@eee": "not in the hub's cache",
		"hf://acme":          "nor a name on the hub",
		"acme/../tiny":       "nor a name on the hub",
	} {
		_, err := TokenizerFile(name, open, env)
		if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", name, err, want)
		}
	}
}
