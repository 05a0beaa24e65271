package store

import (
	"errors"
	"fmt"

	"github.com/hashicorp/go-memdb"
)

// What can be wrong with a call; errors wrap one of these.
var (
	ErrExist    = errors.New("already exists")
	ErrNotExist = errors.New("not found")
)

// WatchSet collects what a reader waits for. The zero value watches nothing.
type WatchSet = memdb.WatchSet

// NewWatchSet returns an empty set that can be waited on.
func NewWatchSet() WatchSet { return memdb.NewWatchSet() }

// Store holds the tables.
type Store struct{ db *memdb.MemDB }

// New returns an empty store.
func New() (*Store, error) {
	db, err := memdb.NewMemDB(&memdb.DBSchema{Tables: map[string]*memdb.TableSchema{
		tableTests:  testsSchema(),
		tableRuns:   runsSchema(),
		tableShards: shardsSchema(),
		tableAgents: agentsSchema(),
	}})
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	return &Store{db: db}, nil
}

// update runs f in one write transaction, which is committed unless f fails.
func (s *Store) update(f func(*memdb.Txn) error) error {
	tx := s.db.Txn(true)
	defer tx.Abort()
	if err := f(tx); err != nil {
		return err
	}
	tx.Commit()
	return nil
}

// first returns the row of an index value, or nil.
func first[T any](tx *memdb.Txn, ws WatchSet, table, index string, args ...any) *T {
	ch, row, err := tx.FirstWatch(table, index, args...)
	if err != nil {
		panic(fmt.Sprintf("store: %s by %s: %v", table, index, err)) // the schema is wrong, not the caller
	}
	ws.Add(ch)
	if row == nil {
		return nil
	}
	return row.(*T)
}

// all returns the rows of an index value in the index's order.
func all[T any](tx *memdb.Txn, ws WatchSet, table, index string, args ...any) []*T {
	it, err := tx.Get(table, index, args...)
	if err != nil {
		panic(fmt.Sprintf("store: %s by %s: %v", table, index, err))
	}
	ws.Add(it.WatchCh())
	var rows []*T
	for row := it.Next(); row != nil; row = it.Next() {
		rows = append(rows, row.(*T))
	}
	return rows
}

func insert(tx *memdb.Txn, table string, row any) error {
	if err := tx.Insert(table, row); err != nil {
		return fmt.Errorf("store %s: %w", table, err)
	}
	return nil
}
