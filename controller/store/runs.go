package store

import (
	"fmt"
	"time"

	"github.com/hashicorp/go-memdb"

	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
)

const (
	tableRuns = "runs"
	indexTest = "test"
	indexRun  = "run"
)

// Run is one execution of a test. Never changed after it was inserted.
type Run struct {
	ID     string // TestID.k, k from 1
	TestID string
	State  stampedev1.State
	// Reason says why it is pending or ended the way it did; Hint what to do.
	Reason, Hint string
	// InvalidSpec says that it failed because of the spec or its data.
	InvalidSpec bool
	CreateTime  time.Time
	StartTime   time.Time // the anchor: when it began to send load; zero before
	EndTime     time.Time
	Agents      []string // names
	AgentIDs    []string // of the same
	Progress    *stampedev1.Progress
	Notices     []string
	// FirstStagePhase is the phase that is the first stage.
	FirstStagePhase int32
	// Report is the report's JSON, WorkloadHash its hash in hex; set at the end.
	Report       []byte
	WorkloadHash string
	// Trial is which of Trials whole repeats this is, from 0; Trials is at least 1.
	Trial, Trials int
	// Combined is the JSON of the report of all trials; set with the last one's end.
	Combined []byte
	// Data are the hashes of the data that it takes from the data folder.
	Data []string
	// Cancel is how far it was asked to be cancelled.
	Cancel Cancel
	// LateSamples came after the report was written.
	LateSamples int64
	// Revision of the test when the run changed last.
	Revision int64
}

// Cancel is how a run is to be cancelled.
type Cancel int

// A run is not cancelled; what is in flight may end; it gives up at once.
const (
	NotCancelled Cancel = iota
	CancelDraining
	CancelAtOnce
)

// Ended reports whether the run is in a terminal state.
func (r *Run) Ended() bool { return Terminal(r.State) }

// Terminal reports whether nothing follows a state.
func Terminal(s stampedev1.State) bool {
	switch s {
	case stampedev1.State_STATE_SUCCEEDED, stampedev1.State_STATE_FAILED, stampedev1.State_STATE_CANCELLED:
		return true
	}
	return false
}

func runsSchema() *memdb.TableSchema {
	return &memdb.TableSchema{Name: tableRuns, Indexes: map[string]*memdb.IndexSchema{
		indexID:   {Name: indexID, Unique: true, Indexer: &memdb.StringFieldIndex{Field: "ID"}},
		indexTest: {Name: indexTest, Indexer: &memdb.StringFieldIndex{Field: "TestID"}},
	}}
}

// RunID names the k-th run of a test, k from 1.
func RunID(testID string, k int) string { return fmt.Sprintf("%s.%d", testID, k) }

// BeginRun adds the next run of a test in state PENDING, unless admit, which is
// given the latest run or nil, refuses it. When requestID is not empty and began
// a run before, that run is returned and begun is false.
func (s *Store) BeginRun(testID, requestID string, now time.Time, admit func(*Run) error) (run *Run, begun bool, err error) {
	err = s.change(func(tx *memdb.Txn) error {
		t := first[Test](tx, nil, tableTests, indexID, testID)
		if t == nil {
			return fmt.Errorf("test %q: %w", testID, ErrNotExist)
		}
		if id, again := t.StartRequests[requestID]; again && requestID != "" {
			run = first[Run](tx, nil, tableRuns, indexID, id)
			return nil
		}
		if err := admit(first[Run](tx, nil, tableRuns, indexID, t.LatestRun)); err != nil {
			return err
		}
		next := *t
		next.Runs++
		next.Revision++
		next.LatestRun = RunID(testID, next.Runs)
		next.StartRequests = withStart(t.StartRequests, requestID, next.LatestRun)
		run, begun = &Run{
			ID: next.LatestRun, TestID: testID, State: stampedev1.State_STATE_PENDING,
			CreateTime: now, Revision: next.Revision, Trials: t.trials(),
		}, true
		if err := s.keep(&next, run); err != nil {
			return err
		}
		if err := insert(tx, tableTests, &next); err != nil {
			return err
		}
		return insert(tx, tableRuns, run)
	})
	return run, begun, err
}

// maxStartRequests bounds how many calls to start a test are remembered.
const maxStartRequests = 100

func withStart(old map[string]string, requestID, runID string) map[string]string {
	if requestID == "" {
		return old
	}
	m := make(map[string]string, len(old)+1)
	if len(old) < maxStartRequests {
		for k, v := range old {
			m[k] = v
		}
	}
	m[requestID] = runID
	return m
}

// UpdateRun edits a copy of a run and gives it and its test the next revision. It
// is kept unless only its progress moved; that it could not be kept is no reason
// not to show it, so that is the keeper's to tell.
func (s *Store) UpdateRun(id string, edit func(*Run)) error {
	return s.change(func(tx *memdb.Txn) error {
		old := first[Run](tx, nil, tableRuns, indexID, id)
		if old == nil {
			return fmt.Errorf("run %q: %w", id, ErrNotExist)
		}
		test := first[Test](tx, nil, tableTests, indexID, old.TestID)
		if test == nil {
			return fmt.Errorf("test %q: %w", old.TestID, ErrNotExist)
		}
		r, t := *old, *test
		edit(&r)
		t.Revision++
		r.Revision = t.Revision
		if !old.sameButProgress(&r) {
			_ = s.keep(nil, &r) // as said above
		}
		if err := insert(tx, tableTests, &t); err != nil {
			return err
		}
		return insert(tx, tableRuns, &r)
	})
}

// RequestCancel notes that a run is to be cancelled, before anybody is told; a
// second request, or an immediate one, makes it give up at once. It returns the
// run as it is then, or as it ended, when there is nothing to cancel any more.
func (s *Store) RequestCancel(id string, immediate bool) (*Run, error) {
	err := s.UpdateRun(id, func(r *Run) {
		switch {
		case r.Ended():
		case immediate, r.Cancel != NotCancelled:
			r.Cancel = CancelAtOnce
		default:
			r.Cancel = CancelDraining
		}
	})
	return s.Run(nil, id), err
}

// sameButProgress reports whether nothing moved that has to survive.
func (r *Run) sameButProgress(next *Run) bool {
	return r.State == next.State && r.Reason == next.Reason && r.Hint == next.Hint && r.StartTime.Equal(next.StartTime) &&
		r.EndTime.Equal(next.EndTime) && len(r.Agents) == len(next.Agents) && r.FirstStagePhase == next.FirstStagePhase &&
		r.WorkloadHash == next.WorkloadHash && len(r.Report) == len(next.Report) && len(r.Notices) == len(next.Notices) &&
		r.LateSamples == next.LateSamples && len(r.Combined) == len(next.Combined) && r.Cancel == next.Cancel && len(r.Data) == len(next.Data)
}

// Run returns a run, or nil.
func (s *Store) Run(ws WatchSet, id string) *Run {
	return first[Run](s.db.Txn(false), ws, tableRuns, indexID, id)
}

// Runs returns the runs of a test.
func (s *Store) Runs(ws WatchSet, testID string) []*Run {
	return all[Run](s.db.Txn(false), ws, tableRuns, indexTest, testID)
}

// AllRuns returns the runs of all tests.
func (s *Store) AllRuns(ws WatchSet) []*Run {
	return all[Run](s.db.Txn(false), ws, tableRuns, indexID)
}

// TestAndRun returns, as of one moment, the test that id names and the run that
// is meant: the run itself when id is a run's, else the test's latest. Both are
// nil when there is no such test or run; the run alone when none was begun.
func (s *Store) TestAndRun(ws WatchSet, id string) (*Test, *Run) {
	tx := s.db.Txn(false)
	if t := first[Test](tx, ws, tableTests, indexID, id); t != nil {
		if t.LatestRun == "" {
			return t, nil
		}
		return t, first[Run](tx, ws, tableRuns, indexID, t.LatestRun)
	}
	r := first[Run](tx, ws, tableRuns, indexID, id)
	if r == nil {
		return nil, nil
	}
	return first[Test](tx, nil, tableTests, indexID, r.TestID), r
}
