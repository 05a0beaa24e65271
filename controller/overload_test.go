package controller

import (
	"testing"
	"time"

	"github.com/stampede-bench/stampede/controller/journal"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
)

// slowDB is a database on a disk whose every write takes long.
type slowDB struct {
	database
	takes time.Duration
}

func (d slowDB) Put(b journal.Bucket, key string, value []byte) error {
	time.Sleep(d.takes)
	return d.database.Put(b, key, value)
}

func (d slowDB) Apply(changes ...journal.Change) error {
	time.Sleep(d.takes)
	return d.database.Apply(changes...)
}

// TestASlowDiskLosesNoLease: writes that take up to half a lease delay the start,
// and neither heartbeats, also of agents that come and go meanwhile, nor the load.
func TestASlowDiskLosesNoLease(t *testing.T) {
	for _, takes := range []time.Duration{100 * time.Millisecond, time.Second, 5 * time.Second} {
		t.Run(takes.String(), func(t *testing.T) {
			inBubble(t, Config{}, func(r *rig) {
				var agents []*fake
				for _, name := range []string{"a", "b", "c"} {
					agents = append(agents, r.agent(name).join())
				}
				id := r.register(endpoint + "load: {stages: [{rate: 30, arrival: constant, duration: 30s}, {concurrency: 6, requests: 90}]}\nagents: 3\n")
				r.c.keeper.db = slowDB{r.c.keeper.db, takes}
				run := r.start(id)
				others := make(chan struct{})
				go func() { // rows of agents change while the disk is written
					defer close(others)
					for range 10 {
						f := r.agent("passing").join()
						time.Sleep(3 * time.Second)
						f.cut()
					}
				}()
				end := r.finished(run)
				<-others
				wantState(t, end, stampedev1.State_STATE_SUCCEEDED)
				if p := end.GetProgress(); p.GetSucceededCount() != 990 || p.GetLostCount() != 0 {
					t.Errorf("%v, want 990 succeeded", p)
				}
				for _, f := range agents {
					f.mu.Lock()
					if f.ended != nil {
						t.Errorf("agent %s was cut off: %v", f.name, f.ended)
					}
					f.mu.Unlock()
				}
				for index, s := range r.samples(run) {
					if late := time.Duration(s.GetSentNanos() - s.GetIntendedNanos()); s.GetPhase() == 0 && late > 10*time.Millisecond {
						t.Errorf("entry %d was sent %v late", index, late)
						break
					}
				}
			})
		})
	}
}
