package store

import (
	"cmp"
	"slices"
	"time"

	"github.com/hashicorp/go-memdb"
)

const tableAgents = "agents"

// Agent is a load generator that the controller knows. Never changed after it
// was inserted. What moves with every heartbeat is not here.
type Agent struct {
	ID          string // of the process
	Name        string
	Host        string
	Platform    string
	Version     string
	CPUCount    float64
	KernelStamp bool
	ConnectTime time.Time
	SessionID   string
	// Connected is false between the end of a session and the end of its lease.
	Connected bool
	// Leaving is set when it said goodbye: it takes no new shards.
	Leaving bool
}

func agentsSchema() *memdb.TableSchema {
	return &memdb.TableSchema{Name: tableAgents, Indexes: map[string]*memdb.IndexSchema{
		indexID: {Name: indexID, Unique: true, Indexer: &memdb.StringFieldIndex{Field: "ID"}},
	}}
}

// PutAgent adds or replaces an agent.
func (s *Store) PutAgent(row Agent) error {
	return s.update(func(tx *memdb.Txn) error { return insert(tx, tableAgents, &row) })
}

// DropAgent removes an agent, if it is there.
func (s *Store) DropAgent(id string) error {
	return s.update(func(tx *memdb.Txn) error {
		_, err := tx.DeleteAll(tableAgents, indexID, id)
		return err
	})
}

// Agent returns an agent, or nil.
func (s *Store) Agent(ws WatchSet, id string) *Agent {
	return first[Agent](s.db.Txn(false), ws, tableAgents, indexID, id)
}

// Agents returns all agents by name, then id.
func (s *Store) Agents(ws WatchSet) []*Agent {
	rows := all[Agent](s.db.Txn(false), ws, tableAgents, indexID)
	slices.SortFunc(rows, func(a, b *Agent) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.ID, b.ID))
	})
	return rows
}
