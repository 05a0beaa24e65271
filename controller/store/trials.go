package store

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-memdb"

	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
)

// trials is how many runs one start of a test begins, one after another.
func (t *Test) trials() int {
	if t.Spec == nil {
		return 1
	}
	return max(t.Spec.Trials, 1)
}

// NextTrial edits a copy of a run, as UpdateRun does, and adds the trial after it in
// state PENDING, both in one step: nobody sees the test ended in between. next is
// nil, and nothing added, when the run is not the test's latest any more. known is
// told the next before anybody else can see it, and may refuse it; a failure after
// that shows in err.
func (s *Store) NextTrial(id string, now time.Time, edit func(*Run), known func(next *Run) error) (next *Run, err error) {
	err = s.update(func(tx *memdb.Txn) error {
		old := first[Run](tx, nil, tableRuns, indexID, id)
		if old == nil {
			return fmt.Errorf("run %q: %w", id, ErrNotExist)
		}
		test := first[Test](tx, nil, tableTests, indexID, old.TestID)
		if test == nil {
			return fmt.Errorf("test %q: %w", old.TestID, ErrNotExist)
		}
		ended, t := *old, *test
		edit(&ended)
		t.Revision++
		ended.Revision = t.Revision
		if t.LatestRun != id {
			return errors.Join(s.keepRun(&ended), insert(tx, tableTests, &t), insert(tx, tableRuns, &ended))
		}
		t.Runs++
		t.LatestRun = RunID(t.ID, t.Runs)
		next = &Run{
			ID: t.LatestRun, TestID: t.ID, State: stampedev1.State_STATE_PENDING, CreateTime: now,
			Trial: old.Trial + 1, Trials: old.Trials, Revision: t.Revision,
		}
		if err := known(next); err != nil {
			return err
		}
		// In this order: killed in between, the controller finds a run to go on with.
		if err := errors.Join(s.keepRun(next), s.keepTest(&t), s.keepRun(&ended)); err != nil {
			return err
		}
		return errors.Join(insert(tx, tableRuns, &ended), insert(tx, tableRuns, next), insert(tx, tableTests, &t))
	})
	if err != nil {
		return nil, err
	}
	return next, nil
}

// TrialsOf returns the trials up to a run, in order.
func (s *Store) TrialsOf(r *Run) []*Run {
	_, number, _ := strings.Cut(strings.TrimPrefix(r.ID, r.TestID), ".")
	k, err := strconv.Atoi(number)
	if err != nil {
		return []*Run{r}
	}
	var trials []*Run
	for i := k - r.Trial; i <= k; i++ {
		if trial := s.Run(nil, RunID(r.TestID, i)); trial != nil {
			trials = append(trials, trial)
		}
	}
	return trials
}
