package controller

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/stampede-bench/stampede/controller/store"
	"github.com/stampede-bench/stampede/workload"
)

// Data lies under its hash, so that tests share it; the last one that goes takes it
// along.

// dataOf are the hashes of the data that a test and its runs name.
func dataOf(t *store.Test, runs []*store.Run) []string {
	var hashes []string
	if t != nil && t.Spec != nil {
		hashes = dataIn(t.Spec)
	}
	for _, r := range runs {
		hashes = append(hashes, r.Data...)
	}
	return hashes
}

// dataIn are the hashes that a spec names: of prompts, and of a tokenizer.
func dataIn(s *workload.Spec) (hashes []string) {
	for _, hash := range []string{s.Dataset.CorpusHash, s.Dataset.TokenizerHash} {
		if hash != "" {
			hashes = append(hashes, hash)
		}
	}
	return hashes
}

// dataInUse are the hashes that any test names.
func (c *Controller) dataInUse() map[string]bool {
	used := map[string]bool{}
	for _, t := range c.store.AllTests(nil) {
		for _, hash := range dataOf(t, c.store.Runs(nil, t.ID)) {
			used[hash] = true
		}
	}
	return used
}

// dropData deletes data that nobody names any more.
func (c *Controller) dropData(hashes []string) error {
	if len(hashes) == 0 {
		return nil
	}
	used := c.dataInUse()
	var failed error
	for _, hash := range hashes {
		if !used[hash] {
			failed = errors.Join(failed, c.files.removeCorpus(hash))
		}
	}
	return failed
}

// orphanAge is how old data is that no test names when a restart deletes it: it was
// uploaded and forgotten.
const orphanAge = 24 * time.Hour

func (c *Controller) dropForgottenData(now time.Time) error {
	entries, err := os.ReadDir(c.files.corpora())
	if err != nil {
		return err
	}
	used := c.dataInUse()
	var failed error
	for _, e := range entries {
		hash, _, _ := strings.Cut(e.Name(), ".")
		info, err := e.Info()
		if err == nil && hashPattern.MatchString(hash) && !used[hash] && now.Sub(info.ModTime()) > orphanAge {
			failed = errors.Join(failed, c.files.removeCorpus(hash))
		}
	}
	return failed
}

// removeCorpus deletes all files of some data.
func (f files) removeCorpus(hash string) error {
	if _, err := f.corpus(hash); err != nil {
		return err
	}
	names, err := filepath.Glob(filepath.Join(f.corpora(), hash+"*"))
	for _, name := range names {
		if gone := os.Remove(name); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}
	return err
}
