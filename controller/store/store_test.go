package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
)

func open(t testing.TB) *Store {
	t.Helper()
	s, err := New()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustInsert(t testing.TB, s *Store, id string) *Test {
	t.Helper()
	row, _, err := s.InsertTest(Test{ID: id})
	if err != nil {
		t.Fatal(err)
	}
	return row
}

func admitAll(*Run) error { return nil }

func TestInsertTestIsIdempotentByRequest(t *testing.T) {
	s := open(t)
	a, fresh, err := s.InsertTest(Test{ID: "a", RequestID: "r"})
	if err != nil || !fresh || a.Revision != 1 || a.Order != 1 {
		t.Fatalf("first: %+v, %v, %v", a, fresh, err)
	}
	b, fresh, err := s.InsertTest(Test{ID: "b", RequestID: "r"})
	if err != nil || fresh || b != a {
		t.Errorf("same request: %+v, %v, %v; want the first row", b, fresh, err)
	}
	if _, _, err := s.InsertTest(Test{ID: "a", RequestID: "other"}); !errors.Is(err, ErrExist) {
		t.Errorf("taken id: %v", err)
	}
}

func TestTestsPageNewestFirst(t *testing.T) {
	s := open(t)
	for i := range 7 {
		mustInsert(t, s, fmt.Sprint(i))
	}
	var got []string
	token := ""
	for pages := 0; ; pages++ {
		page, next, err := s.Tests(3, token)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range page {
			got = append(got, row.ID)
		}
		if pages == 0 { // between two pages, one comes and one that was shown goes
			mustInsert(t, s, "new")
			if _, err := s.DeleteTest("5", func([]*Run) error { return nil }); err != nil {
				t.Fatal(err)
			}
		}
		if next == "" {
			break
		}
		token = next
	}
	if want := []string{"6", "5", "4", "3", "2", "1", "0"}; !slices.Equal(got, want) {
		t.Errorf("listed %v, want %v", got, want)
	}
	if page, next, err := s.Tests(8, ""); err != nil || len(page) != 7 || next != "" {
		t.Errorf("one page: %d rows, next %q, %v", len(page), next, err)
	}
	for _, bad := range []string{"x", "AAAA", "§§"} {
		if _, _, err := s.Tests(3, bad); !errors.Is(err, ErrToken) {
			t.Errorf("token %q: %v", bad, err)
		}
	}
}

func TestRunsOfATest(t *testing.T) {
	s := open(t)
	mustInsert(t, s, "t")
	now := time.Now()
	first, begun, err := s.BeginRun("t", "r1", now, admitAll)
	if err != nil || !begun || first.ID != "t.1" || first.State != stampedev1.State_STATE_PENDING {
		t.Fatalf("first run: %+v, %v, %v", first, begun, err)
	}
	if again, begun, err := s.BeginRun("t", "r1", now, func(*Run) error { return errors.New("asked") }); err != nil || begun || again.ID != "t.1" {
		t.Errorf("same request: %+v, %v, %v", again, begun, err)
	}
	refused := errors.New("running")
	if _, _, err := s.BeginRun("t", "", now, func(latest *Run) error {
		if latest.ID != "t.1" {
			t.Errorf("latest is %s", latest.ID)
		}
		return refused
	}); !errors.Is(err, refused) {
		t.Errorf("refused run: %v", err)
	}
	if _, _, err := s.BeginRun("none", "", now, admitAll); !errors.Is(err, ErrNotExist) {
		t.Errorf("unknown test: %v", err)
	}
	second, _, err := s.BeginRun("t", "", now, admitAll)
	if err != nil || second.ID != "t.2" {
		t.Fatalf("second run: %+v, %v", second, err)
	}
	if test, run := s.TestAndRun(nil, "t"); test.ID != "t" || run.ID != "t.2" || run.Revision != test.Revision {
		t.Errorf("by test id: %+v %+v", test, run)
	}
	if test, run := s.TestAndRun(nil, "t.1"); test.ID != "t" || run.ID != "t.1" {
		t.Errorf("by run id: %+v %+v", test, run)
	}
	if test, run := s.TestAndRun(nil, "t.9"); test != nil || run != nil {
		t.Errorf("unknown run: %+v %+v", test, run)
	}
}

func TestRowsAreNotChanged(t *testing.T) {
	s := open(t)
	mustInsert(t, s, "t")
	before, _, err := s.BeginRun("t", "", time.Now(), admitAll)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.UpdateRun("t.1", func(r *Run) { r.Reason = "new" }); err != nil {
		t.Fatal(err)
	}
	after := s.Run(nil, "t.1")
	if before.Reason != "" || after.Reason != "new" || after.Revision != before.Revision+1 {
		t.Errorf("before %+v, after %+v", before, after)
	}
	if err := s.UpdateRun("none", func(*Run) {}); !errors.Is(err, ErrNotExist) {
		t.Errorf("unknown run: %v", err)
	}
}

func TestAWatchWakesForItsRowAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t)
		mustInsert(t, s, "a")
		mustInsert(t, s, "b")
		for _, id := range []string{"a", "b"} {
			if _, _, err := s.BeginRun(id, "", time.Now(), admitAll); err != nil {
				t.Fatal(err)
			}
		}
		ws := NewWatchSet()
		s.TestAndRun(ws, "a.1")
		woken := make(chan error, 1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		go func() { woken <- ws.WatchCtx(ctx) }()
		if err := s.UpdateRun("b.1", func(*Run) {}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		select {
		case <-woken:
			t.Fatal("woken by another run")
		default:
		}
		if err := s.UpdateRun("a.1", func(*Run) {}); err != nil {
			t.Fatal(err)
		}
		if err := <-woken; err != nil {
			t.Fatal(err)
		}
	})
}

func TestDeleteTakesRunsAndShards(t *testing.T) {
	s := open(t)
	mustInsert(t, s, "t")
	if _, _, err := s.BeginRun("t", "", time.Now(), admitAll); err != nil {
		t.Fatal(err)
	}
	if err := s.PutShard(Shard{RunID: "t.1", AgentID: "x", Stride: 1, Attempt: 1, State: ShardReady}); err != nil {
		t.Fatal(err)
	}
	no := errors.New("no")
	if _, err := s.DeleteTest("t", func([]*Run) error { return no }); !errors.Is(err, no) || s.Test(nil, "t") == nil {
		t.Errorf("refused delete: %v", err)
	}
	runs, err := s.DeleteTest("t", func([]*Run) error { return nil })
	if err != nil || len(runs) != 1 || len(s.ShardsOfRun(nil, "t.1")) != 0 || s.Run(nil, "t.1") != nil {
		t.Errorf("delete: %v runs, %v", runs, err)
	}
	if _, err := s.DeleteTest("t", func([]*Run) error { return nil }); !errors.Is(err, ErrNotExist) {
		t.Errorf("second delete: %v", err)
	}
}

func TestAgentsAndShards(t *testing.T) {
	s := open(t)
	for _, a := range []Agent{{ID: "2", Name: "b"}, {ID: "1", Name: "b"}, {ID: "3", Name: "a"}} {
		if err := s.PutAgent(a); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, a := range s.Agents(nil) {
		got = append(got, a.ID)
	}
	if !slices.Equal(got, []string{"3", "1", "2"}) {
		t.Errorf("agents %v", got)
	}
	if err := s.DropAgent("3"); err != nil || s.Agent(nil, "3") != nil || s.Agent(nil, "1") == nil {
		t.Errorf("drop: %v", err)
	}
	shard := Shard{RunID: "t.1", AgentID: "1", Offset: 0, Stride: 2, Attempt: 1, State: ShardAssigned}
	if err := s.PutShard(shard); err != nil {
		t.Fatal(err)
	}
	shard.State = ShardDone
	if err := s.PutShard(shard); err != nil {
		t.Fatal(err)
	}
	if rows := s.ShardsOfAgent(nil, "1"); len(rows) != 1 || rows[0].State != ShardDone {
		t.Errorf("shards %+v", rows)
	}
	if err := s.DropShards("t.1"); err != nil || len(s.ShardsOfRun(nil, "t.1")) != 0 {
		t.Errorf("drop shards: %v", err)
	}
}

func BenchmarkUpdateRun(b *testing.B) {
	s := open(b)
	mustInsert(b, s, "t")
	if _, _, err := s.BeginRun("t", "", time.Now(), admitAll); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := s.UpdateRun("t.1", func(*Run) {}); err != nil {
			b.Fatal(err)
		}
	}
}
