package agent

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/workload"
	"github.com/stampede-bench/stampede/workload/dataset"
	"github.com/stampede-bench/stampede/workload/source"
)

func openCorpus(t testing.TB, s *workload.Spec) dataset.Corpus {
	t.Helper()
	c, _, err := dataset.Open(s, "", nil, dataset.Options{RunID: "run"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// corpusOf is a corpus file of rows, and its hash.
func corpusOf(t testing.TB, rows string) (data []byte, hash string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "corpus")
	in := source.Input{Name: "rows.jsonl", Data: strings.NewReader(rows), Size: int64(len(rows))}
	c, err := source.Convert(t.Context(), []source.Input{in}, source.Options{}, path)
	if err != nil {
		t.Fatal(err)
	}
	if data, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	return data, c.Hash
}

const twoRows = "{\"prompt\":\"what is a stampede\"}\n{\"prompt\":\"and a herd\"}\n"

func TestCorpusIsFetchedOnceAndChecked(t *testing.T) {
	rows, hash := corpusOf(t, twoRows)
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.close()
		a, end := b.agent()
		wrong := strings.Repeat("ab", 32)
		b.c.corpora[hash], b.c.corpora[wrong] = rows, rows
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				f, err := a.corpora.open(context.Background(), hash)
				if err != nil || f.Len() != 2 {
					t.Errorf("got %v, %v", f, err)
				}
				f.close()
			})
		}
		wg.Wait()
		if n := len(b.c.corpora["fetches"]); n != 1 {
			t.Errorf("%d fetches for 5 runs", n)
		}
		for range 2 {
			if _, err := a.corpora.open(context.Background(), wrong); err == nil || !strings.Contains(err.Error(), "has the hash "+hash) {
				t.Errorf("data with another hash: %v", err)
			}
		}
		if n := len(b.c.corpora["fetches"]); n != 3 {
			t.Errorf("%d fetches: what failed must be tried again", n)
		}
		if err := os.WriteFile(filepath.Join(a.cfg.CorpusDir, hash), []byte("damaged"), 0o600); err != nil {
			t.Fatal(err)
		}
		if f, err := a.corpora.open(context.Background(), hash); err != nil {
			t.Errorf("a damaged file is not fetched again: %v", err)
		} else {
			f.close()
		}
		if _, err := a.corpora.open(context.Background(), "../../etc/passwd"); err == nil || !strings.Contains(err.Error(), "64 hexadecimal digits") {
			t.Errorf("a path for a hash: %v", err)
		}
		if left, _ := filepath.Glob(filepath.Join(a.cfg.CorpusDir, ".*")); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
		if err := end(); err != nil {
			t.Error(err)
		}
	})
}

func TestCorporaMakeRoom(t *testing.T) {
	c := &corpora{dir: t.TempDir(), keep: 10}
	name := func(s string) string { return filepath.Join(c.dir, strings.Repeat(s, 64)) }
	for i, s := range []string{"a", "b", "c", "d"} {
		if err := os.WriteFile(name(s), make([]byte, 5), 0o600); err != nil {
			t.Fatal(err)
		}
		used := time.Now().Add(time.Duration(i) * time.Minute)
		if err := os.Chtimes(name(s), used, used); err != nil {
			t.Fatal(err)
		}
	}
	other := filepath.Join(c.dir, "somebody's")
	if err := os.WriteFile(other, make([]byte, 50), 0o600); err != nil {
		t.Fatal(err)
	}
	c.makeRoom(name("a"))
	kept, _ := filepath.Glob(filepath.Join(c.dir, "*"))
	if !slices.Equal(kept, []string{name("a"), name("d"), other}) {
		t.Errorf("kept %v, want the newest, the last used and what is not ours", kept)
	}
}

func TestRunOfAFile(t *testing.T) {
	rows, hash := corpusOf(t, twoRows)
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.close()
		_, end := b.agent()
		b.c.corpora[hash] = rows
		_, m := spec(t, `
endpoint: {url: "http://target/v1", model: m}
dataset: {name: jsonl, path: rows.jsonl}
load: {stages: [{concurrency: 1, requests: 5}]}`)
		b.c.tell(&stampedev1.SessionResponse{Message: &stampedev1.SessionResponse_StartShard{StartShard: &stampedev1.StartShard{
			Ref: ref("run", 0, 1).Proto(), Spec: m, AgentCount: 1, CorpusHash: hash, CorpusFileName: "rows.jsonl",
		}}})
		b.until(ready, 1, time.Second)
		b.anchor = time.Now()
		b.release("run", 0, 0, 0)
		b.until(done, 1, time.Minute)
		if len(b.d.sent) != 5 {
			t.Errorf("%d requests, want 5 of 2 rows used again", len(b.d.sent))
		}
		if err := end(); err != nil {
			t.Error(err)
		}
	})
}
