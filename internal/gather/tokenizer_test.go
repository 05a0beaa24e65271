package gather

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stampede-bench/stampede/workload"
)

func TestTokenizer(t *testing.T) {
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
	sha := strings.Repeat("0123abcd", 5)
	write("hub/models--acme--tiny/refs/main", sha)
	write("hub/models--acme--tiny/snapshots/"+sha+"/tokenizer.json", "main's")
	env := Env{Lookup: func(name string) (string, bool) {
		v, ok := map[string]string{"HF_HOME": dir, "HF_HUB_OFFLINE": "1"}[name]
		return v, ok
	}}
	for name, want := range map[string]string{
		"": "", "server": "", "cl100k_base": "", "gpt-4o": "",
		filepath.Join(dir, "own.json"): "own",
		"acme/tiny":                    "main's", "hf://acme/tiny": "main's", "acme/tiny@main": "main's", "acme/tiny@" + sha: "main's",
	} {
		got, err := env.Tokenizer(t.Context(), workload.Dataset{Tokenizer: name}, OpenHere)
		if err != nil || string(got) != want {
			t.Errorf("%q: %q, %v, want %q", name, got, err, want)
		}
	}
	for name, want := range map[string]string{
		"nothing.json":       "is no file in ",
		"acme/other":         "acme/other/tokenizer.json",
		"hf://acme/tiny@eee": "acme/tiny/tokenizer.json",
		"hf://acme":          "nor a name on the hub",
		"acme/../tiny":       "nor a name on the hub",
	} {
		_, err := env.Tokenizer(t.Context(), workload.Dataset{Tokenizer: name}, OpenHere)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", name, err, want)
		}
	}
}
