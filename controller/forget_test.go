package controller

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
)

// holding is how many files of data there are.
func (r *rig) holding() int {
	r.t.Helper()
	names, err := filepath.Glob(filepath.Join(r.c.files.corpora(), "*"))
	if err != nil {
		r.t.Fatal(err)
	}
	return len(names)
}

func (r *rig) delete(id string) {
	r.t.Helper()
	if _, err := r.tests.DeleteTest(r.ctx, &stampedev1.DeleteTestRequest{TestId: id}); err != nil {
		r.t.Fatal(err)
	}
}

// TestDeleteTakesTheData: what was uploaded for a test, or read from the
// controller's folder, goes with the last test that names it.
func TestDeleteTakesTheData(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "local.jsonl"), []byte("{\"prompt\":\"a question of this host\",\"output_tokens\":5}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	inBubble(t, Config{DatasetDir: folder}, func(r *rig) {
		r.agent("a").join()
		up, err := r.upload("questions.jsonl", []byte("{\"prompt\":\"question\",\"output_tokens\":5}\n"))
		if err != nil {
			t.Fatal(err)
		}
		uploaded := openSpec + "\ndataset: {name: jsonl, corpus_hash: " + up.GetCorpusHash() + "}"
		one, two := r.register(uploaded), r.register(uploaded)
		each := r.holding()
		wantState(t, r.finished(r.start(one)), stampedev1.State_STATE_SUCCEEDED)
		local := r.register(openSpec + "\ndataset: {name: jsonl, path: local.jsonl}")
		wantState(t, r.finished(r.start(local)), stampedev1.State_STATE_SUCCEEDED)
		if n := r.holding(); n != 2*each {
			t.Fatalf("%d files of data, want those of two", n)
		}
		r.delete(one)
		if n := r.holding(); n != 2*each {
			t.Errorf("%d files of data are left, another test names all of them", n)
		}
		r.delete(local)
		r.delete(two)
		if n := r.holding(); n != 0 {
			t.Errorf("%d files of data are left that nobody names", n)
		}
	})
}

// TestForgottenDataGoes: what was uploaded and never named is deleted by a restart,
// once nobody can be about to name it.
func TestForgottenDataGoes(t *testing.T) {
	inBubble(t, Config{}, func(r *rig) {
		up, err := r.upload("questions.jsonl", []byte("{\"prompt\":\"question\",\"output_tokens\":5}\n"))
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(r.c.files.corpora(), up.GetCorpusHash())
		for age, left := range map[time.Duration]bool{time.Hour: true, 25 * time.Hour: false} {
			at := time.Now().Add(-age)
			if err := os.Chtimes(path, at, at); err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir() + "/data"
			if err := os.CopyFS(dir, os.DirFS(r.c.cfg.DataDir)); err != nil {
				t.Fatal(err)
			}
			c := &Controller{store: r.c.store, files: files{data: dir}}
			if err := os.Chtimes(filepath.Join(dir, CorpusFolder, up.GetCorpusHash()), at, at); err != nil {
				t.Fatal(err)
			}
			if err := c.dropForgottenData(time.Now()); err != nil {
				t.Error(err)
			}
			if there := c.files.hasCorpus(up.GetCorpusHash()); there != left {
				t.Errorf("after %v it is there: %t", age, there)
			}
		}
	})
}
