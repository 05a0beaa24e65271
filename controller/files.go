package controller

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// CorpusFolder is the folder of a controller's data folder that holds data, each
// file under its hash.
const CorpusFolder = "corpora"

// files knows where things lie in the data folder:
//
//	corpora/HASH, corpora/HASH.name           data as corpus files, and what their source was called
//	stampede.db                               tests, runs, what resumes them
//	runs/TEST/segment_RUN                     samples
//	runs/TEST/report_RUN.json, report_TEST.json and so on: RUN's, and the latest's
type files struct{ data, datasets string }

func (f files) prepare() error {
	for _, dir := range []string{f.corpora(), f.runs()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("data folder: %w", err)
		}
	}
	return nil
}

func (f files) corpora() string { return filepath.Join(f.data, CorpusFolder) }
func (f files) runs() string    { return filepath.Join(f.data, "runs") }

func (f files) test(testID string) string { return filepath.Join(f.runs(), testID) }

func (f files) segment(testID, runID string) string {
	return filepath.Join(f.test(testID), "segment_"+runID)
}

// mark names the file that says that a run can be resumed.
func (f files) mark(testID, runID string) string {
	return filepath.Join(f.test(testID), ".resumable_"+runID)
}

// checkpoint names the file that a run's books are kept in while it sends load.
func (f files) checkpoint(testID, runID string) string {
	return filepath.Join(f.test(testID), ".checkpoint_"+runID)
}

func (f files) database() string { return filepath.Join(f.data, "stampede.db") }

// artefact names a file such as report_ID.json.
func (f files) artefact(testID, kind, id, ending string) string {
	return filepath.Join(f.test(testID), kind+"_"+id+ending)
}

var hashPattern = regexp.MustCompile(`^[0-9a-f]{64}$`)

// corpus returns the path of uploaded data.
func (f files) corpus(hash string) (string, error) {
	if !hashPattern.MatchString(hash) {
		return "", fmt.Errorf("corpus_hash: must be 64 hexadecimal digits, got %.80q: %w", hash, errInvalid)
	}
	return filepath.Join(f.corpora(), hash), nil
}

// hasCorpus reports whether data with a hash is there.
func (f files) hasCorpus(hash string) bool {
	path, err := f.corpus(hash)
	if err != nil {
		return false
	}
	_, err = os.Stat(path)
	return err == nil
}

// dataset opens a file under the dataset folder. Links that lead out of it, and
// everything but plain files, are refused.
func (f files) dataset(path string) (*os.File, error) {
	if f.datasets == "" {
		return nil, errors.New("it has no dataset folder")
	}
	rel := path
	if filepath.IsAbs(path) {
		r, err := filepath.Rel(f.datasets, path)
		if err != nil {
			return nil, errors.New("the file lies outside of its dataset folder")
		}
		rel = r
	}
	root, err := os.OpenRoot(f.datasets)
	if err != nil {
		return nil, errors.New("its dataset folder can't be opened")
	}
	defer root.Close()
	file, err := root.Open(filepath.Clean(rel))
	if err != nil {
		return nil, datasetProblem(err)
	}
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		_ = file.Close()
		return nil, errors.New("that is not a plain file")
	}
	return file, nil
}

// datasetProblem says what is wrong without showing the folder's place.
func datasetProblem(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return errors.New("there is no such file in its dataset folder")
	}
	if errors.Is(err, fs.ErrPermission) {
		return errors.New("it may not read that file")
	}
	return errors.New("the file does not lie in its dataset folder")
}

// remove deletes a test's folder and returns the names that were in it.
func (f files) remove(testID string) ([]string, error) {
	entries, err := os.ReadDir(f.test(testID))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("delete the files of %s: %w", testID, err)
	}
	var names []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	if err := os.RemoveAll(f.test(testID)); err != nil {
		return nil, fmt.Errorf("delete the files of %s: %w", testID, err)
	}
	return names, nil
}

// dropOrphans deletes the folders of tests that are not there any more: one was
// being deleted when the controller was killed.
func (f files) dropOrphans(there func(testID string) bool) error {
	entries, err := os.ReadDir(f.runs())
	if err != nil {
		return err
	}
	var failed error
	for _, e := range entries {
		if e.IsDir() && testIDPattern.MatchString(e.Name()) && !there(e.Name()) {
			failed = errors.Join(failed, os.RemoveAll(f.test(e.Name())))
		}
	}
	return failed
}

// writeFile replaces a file whole: readers see the old one or the new one.
func writeFile(path string, data []byte) error {
	return writeStream(path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

func writeStream(path string, write func(io.Writer) error) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".write-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	defer os.Remove(tmp.Name())
	if err := errors.Join(write(tmp), tmp.Sync(), tmp.Close()); err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return fmt.Errorf("write %s: %w", filepath.Base(path), err)
	}
	return nil
}

// linkFile makes a second name for a file that is not changed any more.
func linkFile(from, to string) error {
	tmp := to + ".link"
	_ = os.Remove(tmp)
	if err := os.Link(from, tmp); err != nil {
		return fmt.Errorf("link %s: %w", filepath.Base(to), err)
	}
	if err := os.Rename(tmp, to); err != nil {
		return fmt.Errorf("link %s: %w", filepath.Base(to), err)
	}
	return nil
}
