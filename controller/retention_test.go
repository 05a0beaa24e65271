package controller

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/controller/store"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/workload"
)

// kept are tests that ended one, two, three and four hours ago and one that runs,
// each with a file of 1000 bytes.
func kept(t *testing.T, bounds Retention) (c *Controller, now time.Time) {
	t.Helper()
	c, err := New(Config{DataDir: t.TempDir(), Retention: bounds})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.shut() })
	now = time.Now()
	for i, id := range []string{"running", "four", "three", "two", "one"} {
		if _, _, err := c.store.InsertTest(store.Test{ID: id, Spec: &workload.Spec{}, CreateTime: now.Add(-10 * time.Hour)}); err != nil {
			t.Fatal(err)
		}
		run, _, err := c.store.BeginRun(id, "", now, func(*store.Run) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(c.files.test(id), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(c.files.test(id), "rows"), make([]byte, 1000), 0o600); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			continue
		}
		err = c.store.UpdateRun(run.ID, func(r *store.Run) {
			r.State, r.EndTime = stampedev1.State_STATE_SUCCEEDED, now.Add(-time.Duration(5-i)*time.Hour)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return c, now
}

func TestRetention(t *testing.T) {
	for name, tc := range map[string]struct {
		bounds Retention
		want   []string
	}{
		"by count": {Retention{Tests: 2}, []string{"one", "two", "running"}},
		"by age":   {Retention{Age: 150 * time.Minute}, []string{"one", "two", "running"}},
		"by size":  {Retention{Bytes: 3000}, []string{"one", "two", "three", "running"}},
		"none":     {Retention{}, []string{"one", "two", "three", "four", "running"}},
	} {
		t.Run(name, func(t *testing.T) {
			c, now := kept(t, tc.bounds)
			if tc.bounds != (Retention{}) {
				c.sweep(now)
			}
			page, _, err := c.store.Tests(100, "")
			if err != nil {
				t.Fatal(err)
			}
			var left []string
			for _, row := range page {
				left = append(left, row.ID)
			}
			if !slices.Equal(left, tc.want) {
				t.Errorf("left are %v, want %v", left, tc.want)
			}
			entries, err := os.ReadDir(c.files.runs())
			if err != nil || len(entries) != len(tc.want) {
				t.Errorf("%d folders are left, %v; want %d", len(entries), err, len(tc.want))
			}
		})
	}
}
