package controller

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/controller/journal"
	"github.com/stampede-bench/stampede/internal/wire"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
)

// slowSegment is a segment on a disk that takes long to make it safe, and notes up
// to where it is.
type slowSegment struct {
	*journal.Segment
	takes time.Duration

	mu    sync.Mutex
	safe  int64
	when  map[time.Time]bool // syncs that ended
	syncs int
}

func (s *slowSegment) Sync() (int64, error) {
	end := s.Size()
	time.Sleep(s.takes)
	if _, err := s.Segment.Sync(); err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.safe, s.syncs = end, s.syncs+1
	s.when[time.Now()] = true
	return end, nil
}

func (s *slowSegment) Close() error {
	if _, err := s.Sync(); err != nil {
		return err
	}
	return s.Segment.Close()
}

// slowly has runs write to such a disk; the one of the last run is returned.
func slowly(cfg Config, takes time.Duration) (Config, func() *slowSegment) {
	var mu sync.Mutex
	var last *slowSegment
	cfg.onDisk = func(s *journal.Segment) appended {
		mu.Lock()
		defer mu.Unlock()
		last = &slowSegment{Segment: s, takes: takes, when: map[time.Time]bool{}}
		return last
	}
	return cfg, func() *slowSegment {
		mu.Lock()
		defer mu.Unlock()
		return last
	}
}

// TestASlowSegmentHoldsBackAcknowledgements: an outcome is acknowledged once the
// disk has it, however long that takes, at most that often, and nothing else waits:
// none is lost or counted twice, no lease ends, no request is late, and the report
// says how slow the disk was.
func TestASlowSegmentHoldsBackAcknowledgements(t *testing.T) {
	for _, takes := range []time.Duration{2 * time.Second, 7 * time.Second, 25 * time.Second} {
		t.Run(takes.String(), func(t *testing.T) {
			cfg, disk := slowly(Config{}, takes)
			inBubble(t, cfg, func(r *rig) {
				acks := &acknowledged{t: t, disk: disk}
				var agents []*fake
				for _, name := range []string{"a", "b", "c"} {
					f := r.agent(name)
					f.heard = acks.heard
					f.resend = name == "b"
					agents = append(agents, f.join())
				}
				id := r.run(endpoint + "load: {stages: [{rate: 30, arrival: constant, duration: 30s}, {concurrency: 6, requests: 90}]}\n")
				r.sleep(16 * time.Second)
				acks.areSafe(r, id, agents)
				end := r.finished(id)
				wantState(t, end, stampedev1.State_STATE_SUCCEEDED)
				books(t, end, 990, 990, 0, 0)
				r.once(id, 990, agents...)
				for _, f := range agents {
					f.mu.Lock()
					if f.ended != nil {
						t.Errorf("agent %s was cut off: %v", f.name, f.ended)
					}
					for _, s := range f.shards {
						if len(s.outbox) > 0 {
							t.Errorf("agent %s keeps %d batches", f.name, len(s.outbox))
						}
					}
					f.mu.Unlock()
				}
				for index, s := range r.samples(id) {
					if late := time.Duration(s.GetSentNanos() - s.GetIntendedNanos()); s.GetPhase() == 0 && late > 10*time.Millisecond {
						t.Fatalf("entry %d was sent %v late", index, late)
					}
				}
				if notices := strings.Join(r.notices(id), "\n"); !strings.Contains(notices, fmt.Sprintf("the controller's disk took up to %v", takes)) {
					t.Errorf("notices: %s", notices)
				}
			})
		})
	}
}

// acknowledged watches what agents are told.
type acknowledged struct {
	t    *testing.T
	disk func() *slowSegment

	mu   sync.Mutex
	upTo map[wire.Ref]int64
}

// heard holds each acknowledgement to the end of a sync.
func (a *acknowledged) heard(m *stampedev1.SessionResponse) {
	ack := m.GetSampleAck()
	if ack == nil {
		return
	}
	d := a.disk()
	d.mu.Lock()
	atOnce := d.when[time.Now()]
	d.mu.Unlock()
	ref, err := wire.RefFromProto(ack.GetRef())
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.upTo == nil {
		a.upTo = map[wire.Ref]int64{}
	}
	if ack.GetBatchSequence() > a.upTo[ref] && !atOnce {
		a.t.Errorf("batch %d of %v was acknowledged at %v, when no sync ended", ack.GetBatchSequence(), ref, time.Now())
	}
	if err != nil {
		a.t.Error(err)
	}
	a.upTo[ref] = max(a.upTo[ref], ack.GetBatchSequence())
}

// areSafe looks at the disk as a loss of power would leave it: all that was
// acknowledged is there.
func (a *acknowledged) areSafe(r *rig, id string, agents []*fake) {
	a.t.Helper()
	d := a.disk()
	d.mu.Lock()
	a.mu.Lock()
	defer d.mu.Unlock()
	defer a.mu.Unlock()
	copied := a.t.TempDir() + "/segment"
	data, err := os.ReadFile(d.Path())
	if err != nil {
		a.t.Fatal(err)
	}
	if err := os.WriteFile(copied, data[:d.safe], 0o600); err != nil {
		a.t.Fatal(err)
	}
	there := map[wire.Ref]int64{}
	if d.safe > 0 {
		err = eachRecord(copied, func(rec journal.Record) error {
			if rec.Kind != journal.KindBatch {
				return nil
			}
			b, err := wire.ParseBatch(rec.Payload)
			there[b.Ref] = max(there[b.Ref], b.Sequence)
			return err
		})
		if err != nil {
			a.t.Fatal(err)
		}
	}
	waiting := 0
	for _, f := range agents {
		f.mu.Lock()
		for _, s := range f.shards {
			s.mu.Lock()
			waiting += len(s.outbox)
			if first := s.sequence - int64(len(s.outbox)) + 1; first != a.upTo[s.ref]+1 || there[s.ref] < a.upTo[s.ref] {
				a.t.Errorf("agent %s keeps batches from %d on, acknowledged are %d, safe %d of %v", f.name, first, a.upTo[s.ref], there[s.ref], s.ref)
			}
			s.mu.Unlock()
		}
		f.mu.Unlock()
	}
	if waiting == 0 {
		a.t.Errorf("after %d syncs nothing waits for the disk of run %s", d.syncs, id)
	}
}

// TestASlowSegmentSlowsAgentsDown: an agent that has its window on the way waits for
// the disk, so what the controller takes is bounded by how often it is synced.
func TestASlowSegmentSlowsAgentsDown(t *testing.T) {
	const agents, samples = 1, 12_000
	cfg, disk := slowly(Config{DataDir: t.TempDir(), NoRows: true}, 300*time.Millisecond)
	got := flood(t, cfg, agents, 64, "load: {stages: [{rate: 1200, arrival: constant, duration: 10s}]}\nagents: 1\npreflight: false", samples)
	d := disk()
	d.mu.Lock()
	syncs, size := d.syncs, d.safe
	d.mu.Unlock()
	// Each agent has a MiB on the way, and one batch more where that is larger.
	if rounds := size / (agents * (1 << 20)); int64(syncs) < rounds || rounds < 3 || got.Took < time.Duration(rounds)*d.takes {
		t.Errorf("%d bytes were taken in %v and %d syncs of %v: want no more than a MiB an agent with each", size, got.Took, syncs, d.takes)
	}
	t.Logf("%d samples, %d MiB in %v with %d syncs, slowest heartbeat %v", got.Samples, size>>20, got.Took, syncs, got.SlowestRenewal)
}
