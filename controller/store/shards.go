package store

import (
	"fmt"

	"github.com/hashicorp/go-memdb"
)

const (
	tableShards = "shards"
	indexAgent  = "agent"
)

// ShardState is how far a shard has come.
type ShardState string

// States of a shard, in order.
const (
	ShardAssigned ShardState = "assigned"
	ShardReady    ShardState = "ready"
	ShardRunning  ShardState = "running"
	ShardDone     ShardState = "done"
	ShardLost     ShardState = "lost"
	ShardFailed   ShardState = "failed"
)

// Shard is one attempt at one shard of a run. Never changed after it was
// inserted.
type Shard struct {
	ID      string // set by PutShard
	RunID   string
	AgentID string
	Offset  int64
	Stride  int64
	Attempt int32
	State   ShardState
}

func shardsSchema() *memdb.TableSchema {
	return &memdb.TableSchema{Name: tableShards, Indexes: map[string]*memdb.IndexSchema{
		indexID:    {Name: indexID, Unique: true, Indexer: &memdb.StringFieldIndex{Field: "ID"}},
		indexRun:   {Name: indexRun, Indexer: &memdb.StringFieldIndex{Field: "RunID"}},
		indexAgent: {Name: indexAgent, Indexer: &memdb.StringFieldIndex{Field: "AgentID"}},
	}}
}

// PutShard adds or replaces a shard's attempt.
func (s *Store) PutShard(row Shard) error {
	row.ID = fmt.Sprintf("%s/%d/%d/%d", row.RunID, row.Offset, row.Stride, row.Attempt)
	return s.update(func(tx *memdb.Txn) error { return insert(tx, tableShards, &row) })
}

// ShardsOfRun returns the attempts of a run.
func (s *Store) ShardsOfRun(ws WatchSet, runID string) []*Shard {
	return all[Shard](s.db.Txn(false), ws, tableShards, indexRun, runID)
}

// ShardsOfAgent returns the attempts that an agent was given.
func (s *Store) ShardsOfAgent(ws WatchSet, agentID string) []*Shard {
	return all[Shard](s.db.Txn(false), ws, tableShards, indexAgent, agentID)
}

// DropShards removes the attempts of a run.
func (s *Store) DropShards(runID string) error {
	return s.update(func(tx *memdb.Txn) error {
		_, err := tx.DeleteAll(tableShards, indexRun, runID)
		return err
	})
}
