package controller

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/stampede-bench/stampede/controller/store"
)

// Retention bounds what is kept of tests that have ended. Zero is no bound. The
// oldest go first, each whole: its spec, its runs, reports and rows. A test that
// was never started counts by when it was registered; one that runs is kept.
type Retention struct {
	Tests int           // how many
	Age   time.Duration // since the last run ended
	Bytes int64         // of their files
}

// sweepPeriod is how often what is beyond the bounds is deleted.
const sweepPeriod = time.Minute

// retain deletes what is beyond the bounds until ctx ends.
func (c *Controller) retain(ctx context.Context) {
	if c.cfg.Retention == (Retention{}) {
		return
	}
	tick := time.NewTicker(sweepPeriod)
	defer tick.Stop()
	for {
		c.sweep(time.Now())
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (c *Controller) sweep(now time.Time) {
	bounds, kept, bytes := c.cfg.Retention, 0, int64(0)
	for token := ""; ; {
		page, next, err := c.store.Tests(maxPageSize, token)
		if err != nil {
			c.log.Error("old tests are not deleted", "err", err)
			return
		}
		for _, t := range page { // newest first
			size := folderSize(c.files.test(t.ID))
			idle, over := c.idleSince(t)
			beyond := bounds.Tests > 0 && kept >= bounds.Tests ||
				bounds.Age > 0 && now.Sub(idle) > bounds.Age || bounds.Bytes > 0 && bytes+size > bounds.Bytes
			if over && beyond && c.discard(t.ID) {
				continue
			}
			kept, bytes = kept+1, bytes+size
		}
		if next == "" {
			return
		}
		token = next
	}
}

// idleSince is since when nothing has happened to a test; over is false while
// one of its runs goes on.
func (c *Controller) idleSince(t *store.Test) (at time.Time, over bool) {
	at = t.CreateTime
	for _, r := range c.store.Runs(nil, t.ID) {
		if !r.Ended() {
			return at, false
		}
		if r.EndTime.After(at) {
			at = r.EndTime
		}
	}
	return at, true
}

func (c *Controller) discard(testID string) bool {
	_, err := c.remove(testID)
	if err != nil {
		c.log.Error("old test is not deleted", "test", testID, "err", err)
		return false
	}
	c.log.Info("old test deleted", "test", testID)
	return true
}

// folderSize sums what lies in a folder; a second name of a file counts, too.
func folderSize(dir string) (bytes int64) {
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // what is not there has no size
		}
		if info, err := d.Info(); err == nil && info.Mode()&os.ModeType == 0 {
			bytes += info.Size()
		}
		return nil
	})
	return bytes
}
