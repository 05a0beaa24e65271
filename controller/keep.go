package controller

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	"google.golang.org/protobuf/proto"

	"github.com/stampede-bench/stampede/controller/journal"
	"github.com/stampede-bench/stampede/controller/store"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/workload"
)

// keeper makes tests, runs and what a run needs to be resumed survive. It
// implements store.Keeper.
type keeper struct {
	db    database
	vault *journal.Vault
	files files
	log   *slog.Logger
}

// database is what a keeper needs of journal.DB.
type database interface {
	Put(b journal.Bucket, key string, value []byte) error
	Get(b journal.Bucket, key string) ([]byte, error)
	Apply(changes ...journal.Change) error
	Each(b journal.Bucket, visit func(key string, value []byte) error) error
	CopyTo(path string) error
	Close() error
}

// keptSpec is a spec on disk: as it is shown, and sealed whole when it has
// secrets.
type keptSpec struct {
	Shown  json.RawMessage `json:"shown"`
	Sealed []byte          `json:"sealed,omitempty"`
}

type keptTest struct {
	store.Test
	Spec keptSpec `json:"spec"` // hides Test's
}

type keptRun struct {
	store.Run
	Progress []byte `json:"progress,omitempty"` // a marshalled message
	Report   bool   `json:"report,omitempty"`   // its file holds one
	Combined bool   `json:"combined,omitempty"` // so does the test's, of all trials
}

// Keep implements store.Keeper: a test and runs of it, in one step.
func (k *keeper) Keep(t *store.Test, runs ...*store.Run) error {
	var changes []journal.Change
	var err error
	if t != nil {
		changes, err = k.testChanges(t)
	}
	for _, r := range runs {
		var more []journal.Change
		if err == nil {
			more, err = k.runChanges(r)
			changes = append(changes, more...)
		}
	}
	if err == nil {
		err = k.db.Apply(changes...)
	}
	for _, r := range runs {
		if err != nil {
			k.log.Error("run is not kept: a restart would not show this", "run", r.ID, "state", stateWord(r.State), "err", err)
			k.unmark(r.TestID, r.ID)
		}
	}
	return err
}

func (k *keeper) testChanges(t *store.Test) ([]journal.Change, error) {
	spec, err := k.seal(t.Spec)
	if err != nil {
		return nil, err
	}
	value, err := json.Marshal(keptTest{Test: *t, Spec: spec})
	if err != nil {
		return nil, fmt.Errorf("journal: test %s: %w", t.ID, err)
	}
	return []journal.Change{{Bucket: journal.Tests, Key: t.ID, Value: value}}, nil
}

// runChanges keep a run. One that has ended is not resumed.
func (k *keeper) runChanges(r *store.Run) ([]journal.Change, error) {
	progress, err := proto.Marshal(r.Progress)
	if err != nil {
		return nil, fmt.Errorf("journal: progress of %s: %w", r.ID, err)
	}
	value, err := json.Marshal(keptRun{Run: *r, Progress: progress, Report: len(r.Report) > 0, Combined: len(r.Combined) > 0})
	if err != nil {
		return nil, fmt.Errorf("journal: run %s: %w", r.ID, err)
	}
	changes := []journal.Change{{Bucket: journal.Runs, Key: r.ID, Value: value}}
	if r.Ended() {
		changes = append(changes, journal.Change{Bucket: journal.Resumes, Key: r.ID}, journal.Change{Bucket: journal.Ceilings, Key: r.ID})
	}
	return changes, nil
}

// ForgetTest implements store.Keeper.
func (k *keeper) ForgetTest(testID string, runs []*store.Run) error {
	changes := []journal.Change{{Bucket: journal.Tests, Key: testID}}
	for _, r := range runs {
		for _, b := range []journal.Bucket{journal.Runs, journal.Resumes, journal.Ceilings} {
			changes = append(changes, journal.Change{Bucket: b, Key: r.ID})
		}
	}
	return k.db.Apply(changes...)
}

func (k *keeper) put(b journal.Bucket, key string, v any) error {
	value, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("journal: %s %s: %w", b, key, err)
	}
	return k.db.Put(b, key, value)
}

// get fills v; there is false when nothing was kept.
func (k *keeper) get(b journal.Bucket, key string, v any) (there bool, err error) {
	value, err := k.db.Get(b, key)
	if err != nil || value == nil {
		return false, err
	}
	return true, decodeKept(b, key, value, v)
}

func decodeKept(b journal.Bucket, key string, value []byte, v any) error {
	if err := json.Unmarshal(value, v); err != nil {
		return fmt.Errorf("journal: %s %s: %w: %w", b, key, journal.ErrDBDamaged, err)
	}
	return nil
}

// seal encodes a spec for the disk.
func (k *keeper) seal(s *workload.Spec) (kept keptSpec, err error) {
	if kept.Shown, err = json.Marshal(s); err != nil {
		return keptSpec{}, fmt.Errorf("encode spec: %w", err)
	}
	whole, err := s.Reveal()
	if err != nil {
		return keptSpec{}, err
	}
	if publicOnly, err := hasNoSecrets(s); err != nil || publicOnly {
		kept.Shown = whole
		return kept, err
	}
	if kept.Sealed, err = k.vault.Seal(whole); err != nil {
		return keptSpec{}, withHint(fmt.Errorf("the spec's secrets can't be sealed: %w", err), "--key-file names a file that can be written")
	}
	return kept, nil
}

// hasNoSecrets reports whether masking changes nothing in what a spec reveals.
func hasNoSecrets(s *workload.Spec) (bool, error) {
	masked, err := json.Marshal(s)
	if err != nil {
		return false, err
	}
	again, _, err := workload.Parse(masked)
	if err != nil {
		return false, nil //nolint:nilerr // a masked value that can't be read back: there are secrets
	}
	a, err := again.Reveal()
	if err != nil {
		return false, err
	}
	b, err := s.Reveal()
	return string(a) == string(b), err
}

// open decodes a spec. With ErrNoKey it still returns what may be shown.
func (k *keeper) open(kept keptSpec) (*workload.Spec, error) {
	if kept.Sealed == nil {
		s, _, err := workload.Parse(kept.Shown)
		return s, err
	}
	whole, err := k.vault.Open(kept.Sealed)
	if err != nil {
		s, _, perr := workload.Parse(kept.Shown)
		if perr != nil {
			s = &workload.Spec{}
		}
		return s, err
	}
	s, _, err := workload.Parse(whole)
	return s, err
}

// A run's mark is a file that is there as long as what was journaled is enough to
// resume the run. Removing it needs no space on a disk that is full.
func (k *keeper) mark(testID, runID string) error {
	return writeFile(k.files.mark(testID, runID), nil)
}

func (k *keeper) unmark(testID, runID string) {
	if err := os.Remove(k.files.mark(testID, runID)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		k.log.Error("run is still marked as one that can be resumed", "run", runID, "err", err)
	}
}

func (k *keeper) marked(testID, runID string) bool {
	_, err := os.Stat(k.files.mark(testID, runID))
	return err == nil
}

// revisionLeap keeps revisions rising over a restart: those of progress are not
// journaled.
const revisionLeap = 1 << 32

// restore fills a store with what was kept and returns the runs that have not
// ended, and for tests whose secrets are sealed away the reason.
func (k *keeper) restore(st *store.Store) (open []*store.Run, locked map[string]error, err error) {
	runs := map[string][]*store.Run{}
	err = k.db.Each(journal.Runs, func(key string, value []byte) error {
		r, err := k.run(key, value)
		if err != nil {
			return err
		}
		runs[r.TestID] = append(runs[r.TestID], r)
		if !r.Ended() {
			open = append(open, r)
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	locked = map[string]error{}
	err = k.db.Each(journal.Tests, func(key string, value []byte) error {
		var kept keptTest
		if err := decodeKept(journal.Tests, key, value, &kept); err != nil {
			return err
		}
		spec, err := k.open(kept.Spec)
		if err != nil && spec == nil {
			return fmt.Errorf("journal: spec of %s: %w", key, err)
		}
		if err != nil {
			locked[key] = err
		}
		t := kept.Test
		t.Spec = spec
		t.Revision += revisionLeap
		for _, r := range runs[t.ID] { // kept more often than their test
			t.Revision = max(t.Revision, r.Revision)
		}
		return st.Restore(&t, runs[t.ID])
	})
	return open, locked, err
}

func (k *keeper) run(key string, value []byte) (*store.Run, error) {
	var kept keptRun
	if err := decodeKept(journal.Runs, key, value, &kept); err != nil {
		return nil, err
	}
	r := kept.Run
	r.Revision += revisionLeap
	if len(kept.Progress) > 0 {
		r.Progress = &stampedev1.Progress{}
		if err := proto.Unmarshal(kept.Progress, r.Progress); err != nil {
			return nil, fmt.Errorf("journal: progress of %s: %w", key, err)
		}
	}
	r.Report, r.Combined = nil, nil
	if kept.Report {
		r.Report = k.report(&r, r.ID)
	}
	if kept.Combined {
		r.Combined = k.report(&r, r.TestID)
	}
	return &r, nil
}

// report reads a report of a run's test from its file.
func (k *keeper) report(r *store.Run, id string) []byte {
	raw, err := os.ReadFile(k.files.artefact(r.TestID, "report", id, ".json"))
	if err != nil {
		k.log.Error("report is not there any more", "run", r.ID, "err", err)
	}
	return raw
}
