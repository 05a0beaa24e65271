package controller

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/internal/wire"
	"github.com/stampede-bench/stampede/measure"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/report"
)

// TestOwnersAreCountedAsTheyAre holds counts of lost entries by agent against a
// look at each of them, for agents that died one after another in every kind of
// load.
func TestOwnersAreCountedAsTheyAre(t *testing.T) {
	const turns = "\ndataset: {name: synthetic, chat: {turns: \"uniform:1:4\"}}"
	for _, yaml := range []string{
		"load: {stages: [{rate: 2000, arrival: constant, duration: 10s}]}",
		"load: {stages: [{rate: 2000, duration: 10s}]}",
		"load: {stages: [{concurrency: 7, requests: 20000}]}",
		"load: {stages: [{concurrency: 7, duration: 60s}]}",
		"load: {stages: [{rate: 2000, arrival: constant, duration: 3s}]}" + turns,
		"load: {stages: [{concurrency: 7, requests: 4000}]}" + turns,
	} {
		t.Run(yaml, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, 2))
			b := beginByHand(t, t.TempDir(), yaml, 4, 1<<40)
			defer b.end()
			p := b.r.phases[0]
			if p.drawn() {
				b.permit(3000)
				b.r.planSessions(p, 3000)
			}
			for i := range 3 { // each time one dies, the others take over
				dead, begin := b.r.shards[i], 1000*int64(i+1)+rng.Int64N(500)
				for j, part := range dead.ref.Shard.Split(3 - i) {
					ref := wire.Ref{RunID: b.r.id, Shard: part, Attempt: dead.ref.Attempt + 1}
					b.r.assign(b.r.members[i+1+j], ref, p.Nominal+p.Offset(begin), []int64{begin})
				}
			}
			o := b.r.ownersIn(p)
			entries := b.r.entries(p, p.planned) - b.r.entries(p, 0)
			session := b.r.sessions(p)
			for range 10 {
				from := p.firstIndex + rng.Int64N(entries)
				to := from + 1 + rng.Int64N(p.firstIndex+entries-from)
				want := map[string]int64{}
				for i := from; i < to; i++ {
					k := session(i)
					if i < b.r.entries(p, k) || i >= b.r.entries(p, k+1) {
						t.Fatalf("entry %d is said to be of session %d", i, k)
					}
					want[o.of(k).member.name]++
				}
				for _, m := range b.r.members {
					m.lostRequests = 0
				}
				o.count(from, to)
				for _, m := range b.r.members {
					if m.lostRequests != want[m.name] {
						t.Fatalf("entries %d to %d: %d of %s, want %d", from, to, m.lostRequests, m.name, want[m.name])
					}
				}
			}
		})
	}
}

func (r *rig) accounting(id string) report.Accounting {
	r.t.Helper()
	var rep report.Report
	if err := json.Unmarshal([]byte(r.report(id)), &rep); err != nil {
		r.t.Fatal(err)
	}
	return rep.Accounting
}

// TestRowsOfLostRequestsAreBounded: those that may have been sent have rows before
// those that nobody was permitted to send, and the report says which have none.
func TestRowsOfLostRequestsAreBounded(t *testing.T) {
	for _, tc := range []struct {
		name      string
		cfg       Config
		permitted bool // all that were permitted have rows
	}{
		{"all have rows", Config{lostRows: 10_000, neverSentRows: 10_000}, true},
		{"few of what was never sent", Config{lostRows: 10_000, neverSentRows: 10}, true},
		{"few", Config{lostRows: 20, neverSentRows: 10}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			inBubble(t, tc.cfg, func(r *rig) {
				a, b := r.agent("a").join(), r.agent("b").join()
				id := r.run(longOpen)
				r.sleep(6 * time.Second)
				a.kill()
				b.kill()
				end := r.finished(id)
				acc, rows := r.accounting(id), r.samples(id)
				lost := int64(0)
				for _, s := range rows {
					if s.GetOutcome() == stampedev1.Outcome_OUTCOME_LOST {
						lost++
					}
				}
				p := end.GetProgress()
				if p.GetPlannedCount() != 1200 || p.GetSucceededCount()+p.GetLostCount() != 1200 || acc.Lost != p.GetLostCount() {
					t.Errorf("%v; report %+v", p, acc)
				}
				if most := tc.cfg.lostRows; lost > most || most > acc.Lost && lost < 300 {
					t.Errorf("%d rows of lost requests, at most %d may be", lost, most)
				}
				for _, f := range []*fake{a, b} {
					for i := range f.served {
						if tc.permitted && rows[i] == nil {
							t.Errorf("entry %d was sent and has no row", i)
						}
					}
				}
				left := acc.Lost - lost
				w := acc.LostWithoutRow
				switch {
				case left == 0:
					if w != nil {
						t.Errorf("all have rows, the report says %+v have none", w)
					}
					return
				case w == nil || w.Count != left || len(w.Ranges) != 1 || w.Ranges[0].Count != left:
					t.Fatalf("%d have no row, the report says %+v", left, w)
				}
				if g := w.Ranges[0]; g.ToIndex != 1200 || g.ToIndex-g.FromIndex < left {
					t.Errorf("%+v have no row", g)
				}
				if notices := strings.Join(r.notices(id), "\n"); !strings.Contains(notices, fmt.Sprintf("%d of the lost requests have no row", left)) {
					t.Errorf("notices: %s", notices)
				}
			})
		})
	}
}

// TestAHugePlanWhoseAgentsDie: what nobody sent of a billion requests is counted to
// the unit in little space and time, also when the controller dies, too.
func TestAHugePlanWhoseAgentsDie(t *testing.T) {
	const billion = 1_000_000_000
	for _, stage := range []string{
		"{rate: 3000, arrival: constant, requests: 1000000000}",
		"{concurrency: 8, requests: 1000000000}",
	} {
		t.Run(stage, func(t *testing.T) {
			dir := t.TempDir()
			b := beginByHand(t, dir, "load: {stages: ["+stage+"]}", 2, 64<<10)
			if b.r.phases[0].Sessions != billion {
				t.Fatalf("%d planned", b.r.phases[0].Sessions)
			}
			refs := []wire.Ref{b.r.shards[0].ref, b.r.shards[1].ref}
			if strings.Contains(stage, "concurrency") {
				b.permit(3000)
			}
			for i, batches := range load(rand.New(rand.NewPCG(1, 2)), refs, 3000, 100) {
				for _, batch := range batches {
					b.take(i, batch)
				}
				b.turn()
			}
			sent := b.r.counts.sampleCount
			if _, err := b.r.segment.Sync(); err != nil {
				t.Fatal(err)
			}
			b.turn()
			after := copyFolder(t, dir)
			want := b.die(billion, sent)
			again := revived(t, after, b.r.id, 64<<10)
			got := again.die(billion, sent)
			if got != want {
				t.Errorf("after a crash the account is\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// die loses all agents of a run and returns its account once it has ended.
func (b *byHand) die(planned, sent int64) string {
	b.t.Helper()
	began := time.Now()
	all := func() {
		for _, m := range b.r.members {
			b.r.loseMember(m)
		}
		b.r.grace = time.Now().Add(-time.Second)
	}
	if b.c.run(b.r.id) != nil {
		b.do(all)
	} else {
		all()
		b.r.finish(nil)
	}
	for deadline := began.Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if row := b.c.store.Run(nil, b.r.id); len(row.Report) > 0 {
			break
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("there is no report after a minute: %s", b.logs)
		}
	}
	if took := time.Since(began); took > 30*time.Second {
		b.t.Errorf("the report took %v", took)
	}
	row := b.c.store.Run(nil, b.r.id)
	var rep report.Report
	if err := json.Unmarshal(row.Report, &rep); err != nil {
		b.t.Fatal(err)
	}
	a := rep.Accounting
	lost, byAgent := planned-sent, int64(0)
	for _, m := range rep.Agents {
		byAgent += m.Lost.Requests
	}
	if a.Planned != planned || a.Lost != lost || byAgent != lost || a.LostWithoutRow == nil {
		b.t.Fatalf("%+v, by agents %d, want %d lost", a, byAgent, lost)
	}
	rows, size := b.lostRows()
	if rows+a.LostWithoutRow.Count != lost || rows < b.c.cfg.neverSentRows {
		b.t.Errorf("%d rows of %d lost, %+v without", rows, lost, a.LostWithoutRow)
	}
	if size > 4<<20 {
		b.t.Errorf("the segment has %d bytes", size)
	}
	return fmt.Sprintf("%+v", a.Accounting)
}

// lostRows counts the rows of lost requests.
func (b *byHand) lostRows() (n, size int64) {
	b.t.Helper()
	path := b.c.files.segment(b.r.testID, b.r.id)
	var d wire.Decoder
	var s measure.Sample
	err := readRows(path, func(x rows) error {
		return x.each(&d, &s, func() error {
			if s.Status == measure.Lost {
				n++
			}
			return nil
		})
	})
	if err != nil {
		b.t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		b.t.Fatal(err)
	}
	return n, info.Size()
}
