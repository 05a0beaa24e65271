package store

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/go-memdb"

	"github.com/stampede-bench/stampede/workload"
)

const (
	tableTests = "tests"

	indexID      = "id"
	indexOrder   = "order"
	indexRequest = "request"
)

// Test is a registered spec. Never changed after it was inserted.
type Test struct {
	ID        string
	RequestID string // of the call that registered it; empty when it gave none
	// Spec as registered, with its secrets; they never leave by an answer.
	Spec       *workload.Spec
	Notices    []string
	CreateTime time.Time
	// Body is the JSON document it was registered with, secrets masked; nil when
	// it came as a message.
	Body []byte
	// Nickname is a name for people, given later; see SetNickname.
	Nickname string
	// Order is the order of registration, from 1; set by InsertTest.
	Order uint64
	// Runs is how many runs were begun, LatestRun the id of the last.
	Runs      int
	LatestRun string
	// StartRequests remembers which call began which run.
	StartRequests map[string]string
	// Revision grows by one with each change of the test or one of its runs.
	Revision int64
}

func testsSchema() *memdb.TableSchema {
	return &memdb.TableSchema{Name: tableTests, Indexes: map[string]*memdb.IndexSchema{
		indexID:      {Name: indexID, Unique: true, Indexer: &memdb.StringFieldIndex{Field: "ID"}},
		indexOrder:   {Name: indexOrder, Unique: true, Indexer: &memdb.UintFieldIndex{Field: "Order"}},
		indexRequest: {Name: indexRequest, AllowMissing: true, Indexer: &memdb.StringFieldIndex{Field: "RequestID"}},
	}}
}

// InsertTest adds a test and sets its Order and Revision. When a test with the
// same non-empty RequestID is there, that one is returned and nothing added; a
// taken ID is ErrExist.
func (s *Store) InsertTest(t Test) (row *Test, inserted bool, err error) {
	err = s.change(func(tx *memdb.Txn) error {
		if t.RequestID != "" {
			if row = first[Test](tx, nil, tableTests, indexRequest, t.RequestID); row != nil {
				return nil
			}
		}
		if first[Test](tx, nil, tableTests, indexID, t.ID) != nil {
			return fmt.Errorf("test %q: %w", t.ID, ErrExist)
		}
		t.Order, t.Revision = lastOrder(tx)+1, 1
		row, inserted = &t, true
		if err := s.keep(row); err != nil {
			inserted = false
			return err
		}
		return insert(tx, tableTests, row)
	})
	return row, inserted, err
}

func lastOrder(tx *memdb.Txn) uint64 {
	row, err := tx.Last(tableTests, indexOrder)
	if err != nil || row == nil {
		return 0
	}
	return row.(*Test).Order
}

// Test returns a test, or nil.
func (s *Store) Test(ws WatchSet, id string) *Test {
	return first[Test](s.db.Txn(false), ws, tableTests, indexID, id)
}

// SetNickname names a test for people. That is no new revision: nobody watches
// for it.
func (s *Store) SetNickname(id, name string) error {
	return s.change(func(tx *memdb.Txn) error {
		old := first[Test](tx, nil, tableTests, indexID, id)
		if old == nil {
			return fmt.Errorf("test %q: %w", id, ErrNotExist)
		}
		t := *old
		t.Nickname = name
		if err := s.keep(&t); err != nil {
			return err
		}
		return insert(tx, tableTests, &t)
	})
}

// AllTests returns all tests, in the order of their registration.
func (s *Store) AllTests(ws WatchSet) []*Test {
	return all[Test](s.db.Txn(false), ws, tableTests, indexOrder)
}

// CountTests returns how many tests there are.
func (s *Store) CountTests() int {
	return len(all[Test](s.db.Txn(false), nil, tableTests, indexOrder))
}

// Tests returns up to limit tests, newest first, from where token says, which is
// empty or the next of the page before. Tests that are registered or deleted
// between two pages neither repeat nor hide others.
func (s *Store) Tests(limit int, token string) (page []*Test, next string, err error) {
	from := uint64(1<<64 - 1)
	if token != "" {
		if from, err = decodeToken(token); err != nil {
			return nil, "", err
		}
	}
	it, err := s.db.Txn(false).ReverseLowerBound(tableTests, indexOrder, from)
	if err != nil {
		return nil, "", fmt.Errorf("list tests: %w", err)
	}
	for row := it.Next(); row != nil; row = it.Next() {
		t := row.(*Test)
		if len(page) == limit {
			return page, PageToken(t), nil
		}
		page = append(page, t)
	}
	return page, "", nil
}

// ErrToken is what Tests says of a token that it never gave.
var ErrToken = errors.New("not a page token of this controller")

// PageToken is the token of a page that begins with a test.
func PageToken(t *Test) string { return encodeToken(t.Order) }

func encodeToken(order uint64) string {
	return base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint64(nil, order))
}

func decodeToken(token string) (uint64, error) {
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(b) != 8 {
		return 0, fmt.Errorf("page_token %.40q: %w", token, ErrToken)
	}
	return binary.BigEndian.Uint64(b), nil
}

// DeleteTest removes a test with its runs and shards and returns the runs. A
// deleted test is ErrNotExist; refuse says whether its runs allow it.
func (s *Store) DeleteTest(id string, refuse func([]*Run) error) (runs []*Run, err error) {
	err = s.change(func(tx *memdb.Txn) error {
		t := first[Test](tx, nil, tableTests, indexID, id)
		if t == nil {
			return fmt.Errorf("test %q: %w", id, ErrNotExist)
		}
		runs = all[Run](tx, nil, tableRuns, indexTest, id)
		if err := refuse(runs); err != nil {
			return err
		}
		if s.keeper != nil {
			if err := s.keeper.ForgetTest(id, runs); err != nil {
				return err
			}
		}
		for _, r := range runs {
			if _, err := tx.DeleteAll(tableShards, indexRun, r.ID); err != nil {
				return fmt.Errorf("delete shards of %s: %w", r.ID, err)
			}
		}
		if _, err := tx.DeleteAll(tableRuns, indexTest, id); err != nil {
			return fmt.Errorf("delete runs of %s: %w", id, err)
		}
		return tx.Delete(tableTests, t)
	})
	return runs, err
}
