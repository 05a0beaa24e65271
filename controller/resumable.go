package controller

import (
	"os"
	"path/filepath"
	"time"

	"github.com/stampede-bench/stampede/controller/journal"
	"github.com/stampede-bench/stampede/controller/store"
	"github.com/stampede-bench/stampede/internal/clock"
)

// keptState is what a run that sends load needs to go on after a restart, beside
// its samples and its ceiling. What agents tell again is not in it.
type keptState struct {
	Spec    keptSpec     `json:"spec"` // effective
	Anchor  int64        `json:"anchor_unix_nanos"`
	Data    keptData     `json:"data"`
	Facts   keptFacts    `json:"facts"`
	Members []keptMember `json:"members"`
	Shards  []keptShard  `json:"shards"`
	Phases  []keptPhase  `json:"phases"`
	Shifts  []keptShift  `json:"shifts,omitempty"`
	Halt    *keptHalt    `json:"halt,omitempty"`
}

type keptData struct{ Hash, FileName string }

type keptFacts struct {
	ServerVersion, Engine string
	Models, Notices       []string
}

type keptMember struct {
	ID, Name              string
	Secret                []byte
	Row                   *store.Agent
	Told, Steps           int64
	Clock                 []clock.Mark
	Lost, Dismissed, Left bool
	LostAt                time.Time
	Away                  time.Duration
}

type keptShard struct {
	Offset, Stride int64
	Attempt        int32
	Member         string
	From           int64
	FromSessions   []int64
	Lost           bool
	Taken, Clean   bool
	Dispatched     []bool
	Next           []int64
	Had            *keptGrant // of one that was lost
}

type keptGrant struct {
	Open         int64
	Closed, Next []int64
}

type keptPhase struct {
	Base, FirstSession int64
}

type keptShift struct{ From, Delta int64 }

type keptHalt struct {
	Cancelled, Immediate bool
	Reason               string
	At, Deadline         time.Time
}

// save journals how the run stands, before anybody is told of what changed. A run
// that can't be saved goes on and can't be resumed.
func (r *run) save() {
	r.unsaved = false
	if r.c.keeper == nil || r.anchor.IsZero() || r.segment.problem != nil {
		return
	}
	began := time.Now()
	state, err := r.keptState()
	if err == nil {
		err = r.c.keeper.put(journal.Resumes, r.id, state)
	}
	r.slow = time.Since(began)
	if err != nil {
		r.journalFailed(err)
	}
}

func (r *run) keptState() (*keptState, error) {
	spec, err := r.c.keeper.seal(r.eff)
	if err != nil {
		return nil, err
	}
	k := &keptState{
		Spec: spec, Anchor: r.c.wall.unix(r.anchor), Data: keptData{r.data.hash, r.data.fileName},
		Facts: keptFacts{r.facts.serverVersion, r.facts.engine, r.facts.models, r.facts.notices},
	}
	for _, m := range r.members {
		k.Members = append(k.Members, keptMember{
			ID: m.id, Name: m.name, Secret: r.c.registry.secretOf(m.id), Row: m.row, Told: m.told, Steps: m.steps, Clock: r.c.registry.clockEnds(m.id),
			Lost: m.lost, Dismissed: m.dismissed, Left: m.left, LostAt: m.lostAt, Away: m.away,
		})
	}
	for _, s := range r.shards {
		k.Shards = append(k.Shards, r.keptShard(s))
	}
	for _, p := range r.phases {
		if p.released {
			k.Phases = append(k.Phases, keptPhase{p.base, p.firstSession})
		}
	}
	for _, s := range r.permits.moves() {
		k.Shifts = append(k.Shifts, keptShift{s.from, s.delta})
	}
	if h := r.halt; h.on {
		k.Halt = &keptHalt{h.cancelled, h.immediate, h.reason, h.at, h.deadline}
	}
	return k, nil
}

func (r *run) keptShard(s *shard) keptShard {
	k := keptShard{
		Offset: s.ref.Shard.Offset, Stride: s.ref.Shard.Stride, Attempt: s.ref.Attempt, Member: s.member.id,
		From: s.from, FromSessions: s.fromSessions, Lost: s.lost(), Taken: s.taken, Clean: s.clean,
		Dispatched: s.dispatched, Next: s.next,
	}
	if s.lost() {
		had := r.permits.granted(s.ref)
		k.Had = &keptGrant{had.open, had.closed, had.next}
	}
	return k
}

// saveSoon has the run saved with its next turn: what changed is only told again
// after a restart.
func (r *run) saveSoon() { r.unsaved = true }

// beginKeeping marks the run as one that can be resumed.
func (r *run) beginKeeping() {
	if r.c.keeper == nil || r.segment.problem != nil {
		return
	}
	r.save()
	if r.segment.problem != nil {
		return
	}
	if err := r.c.keeper.mark(r.testID, r.id); err != nil {
		r.journalFailed(err)
	}
}

// endKeeping ends it: nothing follows, or what follows can't be journaled.
func (r *run) endKeeping() {
	if r.c.keeper == nil {
		return
	}
	if _, err := os.Stat(filepath.Dir(r.c.files.mark(r.testID, r.id))); err == nil {
		r.c.keeper.unmark(r.testID, r.id)
	}
	r.permits.setCeiling(noCeiling(len(r.phases)))
}

func (k *keeper) keepCeiling(runID string, c ceiling) error {
	return k.put(journal.Ceilings, runID, c)
}

// moves are the shifts so far.
func (p *permits) moves() []shift {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]shift(nil), p.shifts...)
}
