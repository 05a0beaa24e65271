package store

import (
	"errors"
	"fmt"
	"sync"

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

// Keeper makes changes survive before anybody sees them. Its methods are called
// one after another; what they are given must not be changed.
type Keeper interface {
	// Keep keeps a test, unless it is nil, and runs of it, in one step.
	Keep(t *Test, runs ...*Run) error
	ForgetTest(testID string, runs []*Run) error
}

// Store holds the tables.
type Store struct {
	db     *memdb.MemDB
	keeper Keeper // nil: nothing survives
	// keeping is held by whoever changes what is kept. The database's own lock is
	// not held while the keeper works, so a slow disk holds up no agent.
	keeping sync.Mutex
}

// KeepWith has changes kept from now on. It is called before the store is used
// by others, once what was kept has been restored.
func (s *Store) KeepWith(k Keeper) { s.keeper = k }

// Restore adds a test and its runs as they were kept.
func (s *Store) Restore(t *Test, runs []*Run) error {
	return s.change(func(tx *memdb.Txn) error {
		for _, r := range runs {
			if err := insert(tx, tableRuns, r); err != nil {
				return err
			}
		}
		return insert(tx, tableTests, t)
	})
}

func (s *Store) keep(t *Test, runs ...*Run) error {
	if s.keeper == nil {
		return nil
	}
	return s.keeper.Keep(t, runs...)
}

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

// change runs f, which calls the keeper, on the rows as they are, and shows what it
// changed in one step, unless it fails. The tables that it changes have no other
// writers.
func (s *Store) change(f func(*memdb.Txn) error) error {
	s.keeping.Lock()
	defer s.keeping.Unlock()
	aside := s.db.Snapshot().Txn(true)
	defer aside.Abort()
	aside.TrackChanges()
	if err := f(aside); err != nil {
		return err
	}
	return s.update(func(tx *memdb.Txn) error {
		for _, c := range aside.Changes() {
			if !c.Deleted() {
				if err := insert(tx, c.Table, c.After); err != nil {
					return err
				}
			} else if err := tx.Delete(c.Table, c.Before); err != nil && !errors.Is(err, memdb.ErrNotFound) {
				return fmt.Errorf("store %s: %w", c.Table, err)
			}
		}
		return nil
	})
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
