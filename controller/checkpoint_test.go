package controller

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/stampede-bench/stampede/controller/journal"
	"github.com/stampede-bench/stampede/controller/store"
	"github.com/stampede-bench/stampede/internal/firehose"
	"github.com/stampede-bench/stampede/internal/wire"
	"github.com/stampede-bench/stampede/measure"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/report"
	"github.com/stampede-bench/stampede/schedule"
	"github.com/stampede-bench/stampede/workload"
)

// byHand is a run that has begun, driven by hand: nobody but the test handles its
// events.
type byHand struct {
	t    testing.TB
	c    *Controller
	r    *run
	logs *logs
}

// logs keeps what is logged.
type logs struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func openFolder(t testing.TB, dir string, every int64) (*Controller, *logs) {
	t.Helper()
	l := &logs{}
	c, err := New(Config{
		DataDir: dir, checkpointBytes: every, checkpointPeriod: 1, Logger: slog.New(slog.NewTextHandler(l, nil)),
		Lease: time.Hour, Heartbeat: time.Minute, lostRows: 20_000, neverSentRows: 2000, hashTrial: 50 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	return c, l
}

// beginByHand begins a run of agents that share its load.
func beginByHand(t testing.TB, dir, yaml string, agents int, every int64) *byHand {
	t.Helper()
	c, l := openFolder(t, dir, every)
	s, _, err := workload.Parse([]byte(endpoint + yaml))
	if err != nil {
		t.Fatal(err)
	}
	test, _, err := c.store.InsertTest(store.Test{ID: uuid.NewString(), Spec: s})
	if err != nil {
		t.Fatal(err)
	}
	row, _, err := c.store.BeginRun(test.ID, "", time.Now(), func(*store.Run) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	r := newRun(c, row, s)
	if err := r.compile(nil); err != nil {
		t.Fatal(err)
	}
	for i := range agents {
		m := &member{id: uuid.NewString(), name: fmt.Sprint("agent-", i), row: &store.Agent{}}
		r.members = append(r.members, m)
		r.hand(m, wire.Ref{RunID: r.id, Shard: schedule.Shard{Offset: int64(i), Stride: int64(agents)}, Attempt: 1}, 0, make([]int64, len(r.phases)))
	}
	if err := r.start(); err != nil {
		t.Fatal(err)
	}
	return &byHand{t: t, c: c, r: r, logs: l}
}

// turn handles what waits for the run, once what it does beside itself is done.
func (b *byHand) turn() {
	b.r.segment.flights.Wait()
	for _, event := range b.r.mail.take(nil) {
		event()
	}
}

func (b *byHand) take(shard int, encoded []byte) {
	b.t.Helper()
	batch, err := wire.ParseBatch(encoded)
	if err != nil {
		b.t.Fatal(err)
	}
	s := b.r.shards[shard]
	sess := newSession()
	sess.peer = &peer{id: s.member.id}
	b.r.onBatch(sess, &batch)
	if s.folded < batch.Sequence || b.r.counts.strange > 0 {
		b.t.Fatalf("batch %d was not taken whole: %v", batch.Sequence, sess.err)
	}
}

// permit lets a closed loop's shards begin their sessions up to a number.
func (b *byHand) permit(sessions int64) {
	for _, s := range b.r.shards {
		m := &stampedev1.ShardProgress{Ref: s.ref.Proto(), NextSession: sessions}
		for b.r.permits.granted(s.ref).closed[0] < sessions {
			b.r.raiseCeiling(time.Now(), true)
			b.r.permits.renew(s.ref, s.member.id, m, time.Now())
		}
	}
}

// result is all that the run would report, its end aside.
func (b *byHand) result() string {
	r := b.r
	ended := r.anchor.Add(time.Hour)
	r.settleRest(false)
	r.ledger.Seal()
	r.windows(ended)
	in := r.input(ended)
	in.Ended, in.Notices, in.Intervals = r.anchorTime().Add(time.Hour), nil, r.intervals()
	rep, err := report.Build(in)
	if err != nil {
		b.t.Fatal(err)
	}
	raw, err := rep.JSON()
	if err != nil {
		b.t.Fatal(err)
	}
	var all []string
	err = readRows(r.c.files.segment(r.testID, r.id), func(x rows) error {
		for encoded := range x.batch.Samples() {
			all = append(all, x.agent+" "+string(encoded))
		}
		return nil
	})
	if err != nil {
		b.t.Fatal(err)
	}
	slices.Sort(all)
	return string(raw) + fmt.Sprintf("%x", strings.Join(all, "\n"))
}

// load makes the batches that shards send: entries in any order, some of them
// twice.
func load(rng *rand.Rand, refs []wire.Ref, entries int64, perBatch int) [][][]byte {
	batches := make([][][]byte, len(refs))
	var s measure.Sample
	for i, ref := range refs {
		var own []int64
		for k := ref.Shard.Offset; k < entries; k += ref.Shard.Stride {
			own = append(own, k)
			if rng.IntN(50) == 0 {
				own = append(own, k)
			}
		}
		rng.Shuffle(len(own), func(a, b int) { own[a], own[b] = own[b], own[a] })
		for part := range slices.Chunk(own, perBatch) {
			b := wire.AppendBatch(nil, ref, int64(len(batches[i])+1))
			for _, k := range part {
				firehose.Reply(&s, rng, k, k*5_000_000, 1+rng.IntN(8))
				if rng.IntN(10) == 0 {
					s.Status = []measure.Status{measure.Failed, measure.TimedOut, measure.Cancelled}[rng.IntN(3)]
					s.ErrorKind, s.ErrorMessage = "stalled", fmt.Sprint("after ", k)
				}
				b = wire.AppendEncoded(b, wire.AppendSample(nil, &s))
			}
			batches[i] = append(batches[i], b)
		}
	}
	return batches
}

func copyFolder(t testing.TB, from string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return to
}

// revived opens a copy of a data folder as after a crash and returns its run once
// it is back where it was.
func revived(t testing.TB, dir, id string, every int64) *byHand {
	t.Helper()
	c, l := openFolder(t, dir, every)
	r := c.run(id)
	if r == nil {
		t.Fatalf("the run was not resumed: %s", l)
	}
	b := &byHand{t: t, c: c, r: r, logs: l}
	b.do(func() {})
	return b
}

// do runs something on the run's own goroutine.
func (b *byHand) do(what func()) {
	b.t.Helper()
	done := make(chan struct{})
	if !b.r.post(func() { defer close(done); what() }) {
		b.t.Fatalf("the run has ended: %s", b.logs)
	}
	select {
	case <-done:
	case <-time.After(time.Minute):
		b.t.Fatalf("the run does not answer: %s", b.logs)
	}
}

// end ends the controller without waiting for anything.
func (b *byHand) end() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := b.c.Run(ctx); err != nil {
		b.t.Error(err)
	}
}

// TestCrashAnywhereChangesNothing kills a controller at any byte of its segment,
// with a checkpoint before it, behind it, damaged or none: what it reports in the
// end is what it would have reported without.
func TestCrashAnywhereChangesNothing(t *testing.T) {
	const seeds = 12
	var used atomic.Int32
	t.Run("seeds", func(t *testing.T) {
		for seed := range uint64(seeds) {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel() // it waits for the disk most of the time
				if crash(t, rand.New(rand.NewPCG(seed, 1))) {
					used.Add(1)
				}
			})
		}
	})
	if n := used.Load(); n < seeds/4 {
		t.Errorf("only %d of %d crashes were mended from a checkpoint", n, seeds)
	}
}

func crash(t *testing.T, rng *rand.Rand) (fromCheckpoint bool) {
	yaml := "load: {stages: [{rate: 200, arrival: constant, duration: 5s}]}"
	if rng.IntN(2) == 0 {
		yaml = "load: {stages: [{concurrency: 4, duration: 60s}]}"
	}
	const agents, entries, every = 2, 600, 4 << 10
	dir := t.TempDir()
	b := beginByHand(t, dir, yaml, agents, every)
	refs := []wire.Ref{b.r.shards[0].ref, b.r.shards[1].ref}
	batches := load(rng, refs, entries, 1+rng.IntN(60))
	order := rng.Perm(2 * len(batches[0]))
	sent := []int{0, 0}
	feed := func(upTo int) {
		for _, pick := range order[:upTo] {
			i := pick % 2
			if sent[i] < len(batches[i]) {
				b.take(i, batches[i][sent[i]])
				sent[i]++
				if rng.IntN(8) == 0 {
					b.turn()
				}
			}
		}
		order = order[upTo:]
	}
	if b.r.phases[0].Kind == schedule.Closed {
		b.permit(entries)
	}
	feed(rng.IntN(len(order)))
	if _, err := b.r.segment.Sync(); err != nil {
		t.Fatal(err)
	}
	b.turn()
	after := copyFolder(t, dir)
	feed(len(order))
	for i := range batches {
		for ; sent[i] < len(batches[i]); sent[i]++ {
			b.take(i, batches[i][sent[i]])
		}
	}
	b.turn()
	want := b.result()

	files := files{data: after}
	segment, checkpoint := files.segment(b.r.testID, b.r.id), files.checkpoint(b.r.testID, b.r.id)
	damage(t, rng, segment, checkpoint)
	again := revived(t, after, b.r.id, every)
	var got string
	again.do(func() {
		for i := range batches {
			for _, batch := range batches[i][again.r.shards[i].folded:] {
				again.take(i, batch)
			}
		}
		if err := again.r.segment.Flush(); err != nil {
			t.Error(err)
		}
		got = again.result()
	})
	if got != want {
		t.Errorf("after a crash%s\nlog %s", difference(got, want), again.logs)
	}
	again.end()
	if _, err := os.Stat(checkpoint); err == nil {
		t.Error("the checkpoint outlived the run")
	}
	return strings.Contains(again.logs.String(), "taken over from a checkpoint")
}

// difference is where two texts part.
func difference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range min(len(g), len(w)) {
		if g[i] != w[i] {
			return fmt.Sprintf(": line %d is %.100s, want %.100s, behind %s", i, g[i], w[i], g[max(i-3, 0)])
		}
	}
	return fmt.Sprintf(" %d lines, want %d", len(g), len(w))
}

// damage cuts the segment anywhere, and now and then spoils the checkpoint.
func damage(t *testing.T, rng *rand.Rand, segment, checkpoint string) {
	t.Helper()
	info, err := os.Stat(segment)
	if err != nil {
		t.Fatal(err)
	}
	const least = 16 // the header, which is synced with the file's name
	keep := info.Size()
	switch rng.IntN(3) {
	case 0: // anywhere, also before the checkpoint: a disk that lies
		keep = least + rng.Int64N(keep-least+1)
	case 1: // a torn end
		keep -= min(rng.Int64N(3000), keep-least)
	}
	if err := os.Truncate(segment, keep); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(checkpoint)
	if err != nil || rng.IntN(3) > 0 {
		return
	}
	switch rng.IntN(4) {
	case 0:
		b[rng.IntN(len(b))] ^= 1 << rng.IntN(8)
	case 1:
		b = b[:rng.IntN(len(b))]
	case 2:
		b[8]++ // of a later version
	default:
		b = nil
	}
	if err := os.WriteFile(checkpoint, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// The mark of a run knows every field that the fold changes.
func TestCheckpointIsWrittenAndRead(t *testing.T) {
	b := beginByHand(t, t.TempDir(), "load: {stages: [{rate: 200, arrival: constant, duration: 5s}]}", 2, 1<<40)
	defer b.end()
	for i, batches := range load(rand.New(rand.NewPCG(1, 2)), []wire.Ref{b.r.shards[0].ref, b.r.shards[1].ref}, 200, 50) {
		for _, batch := range batches {
			b.take(i, batch)
		}
	}
	b.turn()
	mark := b.r.mark(b.r.segment.end())
	path := filepath.Join(t.TempDir(), "checkpoint")
	if _, err := b.r.segment.keep(mark, path); err != nil {
		t.Fatal(err)
	}
	before := b.r.set.Series()
	books, phases, shards, counts := b.r.ledger.Phase(0), *b.r.phases[0], *b.r.shards[1], b.r.counts
	b.r.openBooks()
	b.r.phases[0].planned, b.r.phases[0].lastSent, b.r.shards[1].folded, b.r.counts.sampleCount = 0, 0, 0, 0
	offset, err := b.r.recallFrom(path, b.r.segment.Path())
	if err != nil || offset != mark.offset {
		t.Fatalf("recalled to %d, %v, want %d", offset, err, mark.offset)
	}
	if b.r.ledger.Phase(0) != books || *b.r.phases[0] != phases || b.r.shards[1].folded != shards.folded || b.r.counts != counts || !reflect.DeepEqual(before, b.r.set.Series()) {
		t.Error("what was recalled differs")
	}
	for name, spoil := range map[string]func(){
		"belongs to run":                func() { mark.runID = "other" },
		"it belongs to another segment": func() { mark.tail++ },
		"before byte":                   func() { mark.offset += 1 << 20 },
		"phases, the plan has":          func() { mark.phases = nil },
		"was not journaled":             func() { mark.shards[0].attempt = 9 },
		"another config":                func() { mark.set = "x" + mark.set },
	} {
		*mark = *b.r.mark(b.r.segment.end())
		spoil()
		err := func() error {
			tail, _ := journal.TailSum(b.r.segment.Path(), min(mark.offset, b.r.segment.end()))
			mark.tail += uint64(tail)
			return b.r.adopt(mark, b.r.segment.Path())
		}()
		if err == nil || !strings.Contains(err.Error(), name) && name != "another config" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
