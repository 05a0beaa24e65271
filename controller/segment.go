package controller

import (
	"os"
	"path/filepath"
	"sync"

	"github.com/stampede-bench/stampede/controller/journal"
)

// segment is a run's journal, or why there is none. Owned by the run's goroutine,
// but for syncs on another.
type segment struct {
	*journal.Segment
	synced  int64 // size that is safe
	syncing bool
	problem error // the first failure; nothing is written after it
	flights sync.WaitGroup
}

// recordRun creates the segment. A run whose journal can't be written goes on.
func (r *run) recordRun() {
	path := r.c.files.segment(r.testID, r.id)
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	if err == nil {
		err = journal.Delete(path) // of a run that a restart begins again
		r.dropCheckpoint()
	}
	if err == nil {
		r.segment.Segment, err = journal.Create(path)
	}
	if err != nil {
		r.journalFailed(err)
		return
	}
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
	if r.segment.Segment == nil || r.segment.problem != nil {
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
	if g.Segment == nil {
		return 0
	}
	return g.Size()
}

// close ends the segment once no sync is under way.
func (g *segment) close() error {
	g.flights.Wait()
	if g.Segment == nil {
		return nil
	}
	return g.Close()
}
