package agent

import (
	"sync"

	"github.com/stampede-bench/stampede/internal/wire"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
)

// updates is what a shard has to tell of its states, in order. Nobody
// acknowledges it, so a new session is told everything again.
type updates struct {
	mu   sync.Mutex
	all  []*stampedev1.ShardUpdate
	sent int
}

func (u *updates) add(m *stampedev1.ShardUpdate) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.all = append(u.all, m)
}

// again lets everything be told once more.
func (u *updates) again() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.sent = 0
}

// next returns the next update to send, or nil. Done waits while batches of the
// shard do.
func (u *updates) next(ref wire.Ref, batchesWait func(wire.Ref) bool) *stampedev1.ShardUpdate {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.sent == len(u.all) {
		return nil
	}
	m := u.all[u.sent]
	if m.GetState() == stampedev1.ShardState_SHARD_STATE_DONE && batchesWait(ref) {
		return nil
	}
	u.sent++
	m.Ref = ref.Proto()
	return m
}

// told reports whether there is nothing left to tell.
func (u *updates) told() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.sent == len(u.all)
}
