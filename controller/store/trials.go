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
	err = s.change(func(tx *memdb.Txn) error {
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
			return errors.Join(s.keep(nil, &ended), insert(tx, tableTests, &t), insert(tx, tableRuns, &ended))
		}
		t.Runs++
		t.LatestRun = RunID(t.ID, t.Runs)
		next = &Run{
			ID: t.LatestRun, TestID: t.ID, State: stampedev1.State_STATE_PENDING, CreateTime: now,
			Trial: old.Trial + 1, Trials: old.Trials, Revision: t.Revision,
			Cancel: old.Cancel, // it came just before this one ended, and was meant for the test
		}
		if err := known(next); err != nil {
			return err
		}
		if err := s.keep(&t, next, &ended); err != nil {
			return err
		}
		return errors.Join(insert(tx, tableRuns, &ended), insert(tx, tableRuns, next), insert(tx, tableTests, &t))
	})
	if err != nil {
		return nil, err
	}
	return next, nil
}

// TrialAfter returns the trial that followed a run, or nil.
func (s *Store) TrialAfter(r *Run) *Run {
	_, latest := s.TestAndRun(nil, r.TestID)
	if latest == nil || latest.Trial <= r.Trial || latest.number()-latest.Trial != r.number()-r.Trial {
		return nil
	}
	return latest
}

// number is k of TestID.k, 0 when the id is none of ours.
func (r *Run) number() int {
	_, k, _ := strings.Cut(strings.TrimPrefix(r.ID, r.TestID), ".")
	n, err := strconv.Atoi(k)
	if err != nil {
		return 0
	}
	return n
}

// TrialsOf returns the trials up to a run, in order.
func (s *Store) TrialsOf(r *Run) []*Run {
	k := r.number()
	if k == 0 {
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
