package controller

import (
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/stampede-bench/stampede/controller/journal"
)

// appended is what a run needs of *journal.Segment.
type appended interface {
	Append(k journal.Kind, payload []byte) (end int64, err error)
	AppendJSON(k journal.Kind, v any) error
	Sync() (end int64, err error)
	Flush() error
	Size() int64
	Path() string
	Close() error
}

// segment is a run's journal, or why there is none. Owned by the run's goroutine,
// but for syncs on another.
type segment struct {
	appended       // nil: there is none
	synced   int64 // size that is safe
	syncing  bool
	problem  error         // the first failure; nothing is written after it
	slowest  time.Duration // that the disk took for a sync
	flights  sync.WaitGroup
}

// slowSync is from when on the user is told that a disk takes long.
const slowSync = time.Second

// noteSync notes how long the disk took to keep the journal safe, and tells of the
// first time that this was long.
func (r *run) noteSync(took time.Duration) {
	if g := r.segment; took > g.slowest {
		if took >= slowSync && g.slowest < slowSync {
			r.log.Warn("the disk is slow: agents keep their outcomes until the journal is safe", "segment", g.Path(), "took", took)
		}
		g.slowest = took
	}
}

// recordRun creates the segment. A run whose journal can't be written goes on.
func (r *run) recordRun() {
	path := r.c.files.segment(r.testID, r.id)
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	if err == nil {
		err = journal.Delete(path) // of a run that a restart begins again
		r.dropCheckpoint()
	}
	var s *journal.Segment
	if err == nil {
		s, err = journal.Create(path)
	}
	if err != nil {
		r.journalFailed(err)
		return
	}
	r.segment.appended = r.c.cfg.onDisk(s)
	r.recordHead()
}

// recordHead journals what the run is and who works on it.
func (r *run) recordHead() {
	err := r.segment.AppendJSON(journal.KindRun, journal.RunRecord{
		RunID: r.id, AnchorUnixNanos: r.c.wall.unix(r.anchor), FirstStagePhase: r.firstStagePhase(),
	})
	if err != nil {
		r.journalFailed(err)
	}
	for _, s := range r.shards {
		r.recordShard(s)
	}
}

// recordShard journals who works on a shard, before its first batch.
func (r *run) recordShard(s *shard) {
	if r.segment.appended == nil || r.segment.problem != nil {
		return
	}
	err := r.segment.AppendJSON(journal.KindShard, journal.ShardRecord{
		Offset: s.ref.Shard.Offset, Stride: s.ref.Shard.Stride, Attempt: s.ref.Attempt,
		AgentID: s.member.id, Agent: s.member.name,
	})
	if err != nil {
		r.journalFailed(err)
	}
}

// end is how large the segment is, 0 when there is none.
func (g *segment) end() int64 {
	if g.appended == nil {
		return 0
	}
	return g.Size()
}

// close ends the segment once no sync is under way, and says how long the disk
// took for what was left.
func (g *segment) close() (took time.Duration, err error) {
	g.flights.Wait()
	if g.appended == nil {
		return 0, nil
	}
	began := time.Now()
	err = g.Close()
	return time.Since(began), err
}
