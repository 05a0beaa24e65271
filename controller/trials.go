package controller

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/stampede-bench/stampede/controller/store"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/report"
)

// A test of several trials is a row of runs. One that succeeded begins the next in
// the same step in which it ends, so the test as a whole ends once; one that did not
// ends the row, since what stopped it would stop the others, too.

// end shows how the run ended and goes on with the next trial, if there is one.
func (r *run) end(edit func(*store.Run)) {
	row := store.Run{}
	edit(&row)
	if r.trials <= 1 {
		r.update(edit)
		return
	}
	if r.trial+1 < r.trials && row.State == stampedev1.State_STATE_SUCCEEDED && r.follow(edit) {
		return
	}
	combined := r.combine(&row)
	r.update(func(row *store.Run) {
		edit(row)
		row.Combined = combined
	})
}

// follow ends the run and begins the next trial; false when that can't be.
func (r *run) follow(edit func(*store.Run)) bool {
	err := r.c.beginTrial(r, edit)
	switch {
	case errors.Is(err, errClosed):
		return false
	case err != nil:
		r.log.Error("the next trial is not begun", "err", err)
		return false
	}
	return true
}

// beginTrial begins the trial after a run. Its row is seen no sooner than it can be
// cancelled.
func (c *Controller) beginTrial(r *run, edit func(*store.Run)) error {
	var next *run
	row, err := c.store.NextTrial(r.id, time.Now(), edit, func(row *store.Run) error {
		next = newRun(c, row, r.spec)
		return c.announceRun(next)
	})
	if next == nil {
		return err
	}
	if err != nil {
		next.mail.close()
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.runs, next.id)
		c.active.Done()
		return err
	}
	go func() {
		defer c.active.Done()
		c.live(next)
	}()
	c.log.Info("trial begun", "run", row.ID, "trial", row.Trial+1, "of", row.Trials)
	return nil
}

// announceRun makes a run known whose goroutine is about to start.
func (c *Controller) announceRun(r *run) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return errClosed
	}
	c.runs[r.id] = r
	c.active.Add(1)
	return nil
}

// combine makes the report of all trials up to this one, which ends as row says. It
// is nil when no trial has a report.
func (r *run) combine(row *store.Run) []byte {
	trials, err := r.trialReports(row.Report)
	if err == nil && len(trials) == 0 {
		return nil
	}
	var combined *report.Report
	if err == nil {
		end := report.TrialsEnd{Asked: r.trials, State: stateWord(row.State)}
		if row.Reason != "" {
			end.Reason = fmt.Sprintf("trial %d of %d: %s", r.trial+1, r.trials, row.Reason)
		}
		combined, err = report.Combine(trials, end)
	}
	var raw []byte
	if err == nil {
		combined.Spec.Seed = r.spec.Seed
		raw, err = combined.JSON()
	}
	if err != nil {
		r.log.Error("the report of all trials is not built", "err", err)
		return nil
	}
	r.keep(r.artefact("report", r.testID, ".json"), func(w io.Writer) error { return writeAll(w, raw) })
	return raw
}

// trialReports are the reports of the trials before, and this one's.
func (r *run) trialReports(own []byte) ([]*report.Report, error) {
	var reports []*report.Report
	for _, trial := range r.c.store.TrialsOf(&store.Run{ID: r.id, TestID: r.testID, Trial: r.trial}) {
		raw := trial.Report
		if trial.ID == r.id {
			raw = own
		}
		if len(raw) == 0 {
			continue
		}
		rep, err := report.Parse(raw)
		if err != nil {
			return nil, err
		}
		reports = append(reports, rep)
	}
	return reports, nil
}

// showTrial shows a run as a part of its row: what goes on is one test, not the end
// of a run and another that is pending.
func showTrial(m *stampedev1.Test, r *store.Run) {
	if r.Trials <= 1 {
		return
	}
	if r.Trial > 0 && m.State == stampedev1.State_STATE_PENDING {
		m.State = stampedev1.State_STATE_RUNNING
	}
	if m.Reason == "" && r.Ended() {
		return
	}
	of := fmt.Sprintf("trial %d of %d", r.Trial+1, r.Trials)
	if m.Reason != "" {
		of += ": "
	}
	m.Reason = of + m.Reason
}
