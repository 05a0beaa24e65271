package store

import (
	"errors"
	"testing"
	"time"
)

func TestNicknameLeavesTheRestAsItIs(t *testing.T) {
	s, err := New()
	if err != nil {
		t.Fatal(err)
	}
	old, _, err := s.InsertTest(Test{ID: "a", Body: []byte("{}"), CreateTime: time.Unix(1, 0)})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SetNickname("a", "first"); err != nil {
		t.Fatal(err)
	}
	row := s.Test(nil, "a")
	if row.Nickname != "first" || row.Revision != old.Revision || string(row.Body) != "{}" || old.Nickname != "" {
		t.Errorf("%+v after %+v", row, old)
	}
	if err := s.SetNickname("b", "x"); !errors.Is(err, ErrNotExist) {
		t.Errorf("an unknown test: %v", err)
	}
	if n := s.CountTests(); n != 1 {
		t.Errorf("%d tests", n)
	}
}

func TestAllRunsAreOfAllTests(t *testing.T) {
	s, err := New()
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"a", "b"} {
		if _, _, err := s.InsertTest(Test{ID: id}); err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.BeginRun(id, "", time.Now(), func(*Run) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if runs := s.AllRuns(nil); len(runs) != 2 {
		t.Errorf("%d runs", len(runs))
	}
}
