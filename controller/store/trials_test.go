package store

import (
	"errors"
	"slices"
	"testing"
	"time"

	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/workload"
)

func succeed(r *Run) { r.State = stampedev1.State_STATE_SUCCEEDED }

func noObjection(*Run) error { return nil }

func TestNextTrialIsOneStep(t *testing.T) {
	s := open(t)
	if _, _, err := s.InsertTest(Test{ID: "a", Spec: &workload.Spec{Trials: 3}}); err != nil {
		t.Fatal(err)
	}
	first, _, err := s.BeginRun("a", "", time.Now(), admitAll)
	if err != nil || first.Trial != 0 || first.Trials != 3 {
		t.Fatalf("first %+v, %v", first, err)
	}
	ws := NewWatchSet()
	s.TestAndRun(ws, "a")
	var told *Run
	second, err := s.NextTrial("a.1", time.Now(), succeed, func(r *Run) error { told = r; return nil })
	if err != nil || second.ID != "a.2" || second.Trial != 1 || second.Trials != 3 || told != second || second.State != stampedev1.State_STATE_PENDING {
		t.Fatalf("second %+v, %v", second, err)
	}
	test, latest := s.TestAndRun(nil, "a")
	if latest.ID != "a.2" || test.Runs != 2 || test.Revision != latest.Revision || !s.Run(nil, "a.1").Ended() {
		t.Errorf("latest %+v of %+v", latest, test)
	}
	if err := ws.WatchCtx(t.Context()); err != nil {
		t.Error(err)
	}
	if got := s.TrialsOf(second); len(got) != 2 || got[0].ID != "a.1" || got[1].ID != "a.2" {
		t.Errorf("trials %v", got)
	}
	// The first is not the latest any more: it may change, nothing is added.
	if next, err := s.NextTrial("a.1", time.Now(), func(r *Run) { r.Reason = "again" }, noObjection); err != nil || next != nil || s.Run(nil, "a.1").Reason != "again" {
		t.Errorf("next %+v, %v", next, err)
	}
}

func TestNextTrialMayBeRefused(t *testing.T) {
	s := open(t)
	mustInsert(t, s, "a")
	if first, _, err := s.BeginRun("a", "", time.Now(), admitAll); err != nil || first.Trials != 1 {
		t.Fatal(first, err)
	}
	refusal := errors.New("no")
	if next, err := s.NextTrial("a.1", time.Now(), succeed, func(*Run) error { return refusal }); next != nil || !errors.Is(err, refusal) {
		t.Errorf("next %+v, %v", next, err)
	}
	if r := s.Run(nil, "a.1"); r.Ended() || s.Run(nil, "a.2") != nil {
		t.Error("something was changed")
	}
	if _, err := s.NextTrial("b.1", time.Now(), succeed, noObjection); !errors.Is(err, ErrNotExist) {
		t.Errorf("unknown run: %v", err)
	}
}

// TestTrialsOfALaterStart: only those that were begun with it.
func TestTrialsOfALaterStart(t *testing.T) {
	s := open(t)
	if _, _, err := s.InsertTest(Test{ID: "a.b", Spec: &workload.Spec{Trials: 2}}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		run, _, err := s.BeginRun("a.b", "", time.Now(), admitAll)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.NextTrial(run.ID, time.Now(), succeed, noObjection); err != nil {
			t.Fatal(err)
		}
	}
	var ids []string
	for _, r := range s.TrialsOf(s.Run(nil, "a.b.4")) {
		ids = append(ids, r.ID)
	}
	if !slices.Equal(ids, []string{"a.b.3", "a.b.4"}) {
		t.Errorf("trials %v", ids)
	}
}
