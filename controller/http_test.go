package controller

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestArtefactsAreOfTheIDAlone(t *testing.T) {
	c, err := New(Config{DataDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	dir := c.files.test("a_hash")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"report_a_hash.json", "report_a_hash.1.json", "report_a_hash.12.json", "requests_a_hash.jsonl", "requests_a_hash.1.jsonl",
		"workload_hash_a_hash.txt", "workload_hash_a_hash.1.txt", "segment_a_hash.1", ".write-_a_hash.1.json", "x_b.json",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for id, want := range map[string][]string{
		"a_hash":   {"report_a_hash.json", "requests_a_hash.jsonl", "workload_hash_a_hash.txt"},
		"a_hash.1": {"report_a_hash.1.json", "requests_a_hash.1.jsonl", "workload_hash_a_hash.1.txt"},
		"a_hash.2": nil,
	} {
		found, err := control{c}.Artefacts("a_hash", id)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, f := range found {
			names = append(names, f.Name)
		}
		if slices.Sort(names); !slices.Equal(names, want) {
			t.Errorf("%s: %v, want %v", id, names, want)
		}
	}
}
