package controller

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stampede-bench/stampede/controller/gateway"
	"github.com/stampede-bench/stampede/workload"
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

// TestARunTellsWhatReadingItsSpecHadToSay: the old routes answer with an id alone,
// so the report is where their callers read it.
func TestARunTellsWhatReadingItsSpecHadToSay(t *testing.T) {
	inBubble(t, Config{}, func(r *rig) {
		r.agent("a").join()
		p, err := workload.ParseFull([]byte(`{"url": "http://127.0.0.1:1/v1", "model": "m", "endpoint_type": "openai", "dataset_name": "synthesizer",
			"dataset_config": {"func": "lambda t: 5 if t < 1 else None", "prompt_source": "synthetic"}, "kwargs": {"tempratur": 1}}`))
		if err != nil {
			t.Fatal(err)
		}
		row, err := control{r.c}.Register(gateway.NewTest{Spec: p.Spec, Notices: p.Notices})
		if err != nil {
			t.Fatal(err)
		}
		r.start(row.ID)
		r.states(row.ID)
		notices := r.parsed(row.ID).Verdict.Notices
		for _, want := range []string{"tempratur", "lengths not given"} {
			if n := strings.Count(strings.Join(notices, "\n"), want); n != 1 {
				t.Errorf("%q is told %d times: %q", want, n, notices)
			}
		}
	})
}
