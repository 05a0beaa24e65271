package ledger

import (
	"runtime"
	"testing"

	"pgregory.net/rapid"

	"github.com/stampede-bench/stampede/measure"
)

// model is the ledger as a map: the same promises without the bits.
type model struct {
	entries map[int64]*modelEntry
	sealed  bool
}

type modelEntry struct {
	phase  int32
	status measure.Status
}

func (m *model) accounting(phase int32) Accounting {
	var a Accounting
	for _, e := range m.entries {
		if e.phase != phase {
			continue
		}
		a.Planned++
		switch e.status {
		case measure.StatusNone:
			a.Open++
		case measure.Succeeded:
			a.Succeeded++
		case measure.Failed:
			a.Failed++
		case measure.TimedOut:
			a.TimedOut++
		case measure.Cancelled:
			a.Cancelled++
		case measure.Unsent:
			a.Unsent++
		case measure.Lost:
			a.Lost++
		}
	}
	return a
}

func (m *model) settle(index int64, s measure.Status) Result {
	e := m.entries[index]
	switch {
	case e == nil:
		return Unknown
	case e.status != measure.StatusNone && e.status != measure.Lost, e.status == measure.Lost && s == measure.Lost:
		return Duplicate
	case m.sealed:
		return Late
	case e.status == measure.Lost:
		e.status = s
		return Revived
	}
	e.status = s
	return Fresh
}

// TestLedgerBehavesAsItsModel drives both under growth, outcomes in any
// order, duplicates, kills and restarts, revivals and the seal.
func TestLedgerBehavesAsItsModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l, m := New(), &model{entries: map[int64]*modelEntry{}}
		phases := rapid.IntRange(1, 3).Draw(t, "phases")
		end, phase := int64(0), int32(0)
		anyIndex := rapid.Int64Range(0, 300)
		anyStatus := rapid.SampledFrom([]measure.Status{measure.Succeeded, measure.Failed, measure.TimedOut, measure.Cancelled, measure.Unsent, measure.Lost})
		t.Repeat(map[string]func(*rapid.T){
			"grow": func(t *rapid.T) {
				if m.sealed {
					t.Skip("sealed")
				}
				n := rapid.Int64Range(0, 40).Draw(t, "n")
				if err := l.Plan(phase, end, end+n); err != nil {
					t.Fatal(err)
				}
				for i := end; i < end+n; i++ {
					m.entries[i] = &modelEntry{phase: phase}
				}
				end += n
			},
			"next phase": func(t *rapid.T) {
				if int(phase)+1 >= phases || m.sealed {
					t.Skip("last phase")
				}
				phase++
			},
			"outcome": func(t *rapid.T) {
				i, s := anyIndex.Draw(t, "index"), anyStatus.Draw(t, "status")
				if got, want := l.Settle(i, s), m.settle(i, s); got != want {
					t.Fatalf("Settle(%d, %d) = %d, want %d", i, s, got, want)
				}
			},
			"kill": func(t *rapid.T) {
				from, to := anyIndex.Draw(t, "from"), anyIndex.Draw(t, "to")
				odd := rapid.Int64Range(0, 1).Draw(t, "odd")
				got := l.SettleOpen(from, to, func(i int64) bool { return i%2 == odd }, measure.Lost)
				want := int64(0)
				for i := from; i < to; i++ {
					if e := m.entries[i]; e != nil && !m.sealed && e.status == measure.StatusNone && i%2 == odd {
						e.status = measure.Lost
						want++
					}
				}
				if got != want {
					t.Fatalf("SettleOpen lost %d, want %d", got, want)
				}
			},
			"seal": func(t *rapid.T) {
				if rapid.IntRange(0, 9).Draw(t, "dice") == 0 {
					l.Seal()
					m.sealed = true
				}
			},
			"": func(t *rapid.T) {
				for p := range int32(phases) {
					got, want := l.Phase(p), m.accounting(p)
					if got != want {
						t.Fatalf("phase %d: %+v, want %+v", p, got, want)
					}
					if sum := got.Succeeded + got.Failed + got.TimedOut + got.Cancelled + got.Unsent + got.Lost + got.Open; sum != got.Planned {
						t.Fatalf("phase %d: planned %d, sum %d", p, got.Planned, sum)
					}
				}
			},
		})
	})
}

func TestPlanRefusesGapsAndOverlaps(t *testing.T) {
	l := New()
	for _, step := range []struct {
		name     string
		phase    int32
		from, to int64
		ok       bool
	}{
		{"the first phase", 0, 0, 10, true},
		{"again", 0, 0, 10, true},
		{"it grows", 0, 10, 15, true},
		{"a gap", 0, 17, 20, false},
		{"backwards", 0, 5, 3, false},
		{"the next phase", 1, 15, 20, true},
		{"overlap", 2, 19, 25, false},
		{"growth of a phase that has a successor", 0, 15, 16, false},
		{"below zero", 2, -1, 3, false},
	} {
		if err := l.Plan(step.phase, step.from, step.to); (err == nil) != step.ok {
			t.Errorf("%s: Plan(%d, %d, %d) = %v, want ok %t", step.name, step.phase, step.from, step.to, err, step.ok)
		}
	}
}

func TestTenMillionEntriesTakeFewMegabytes(t *testing.T) {
	before := heap()
	l := New()
	if err := l.Plan(0, 0, 10_000_000); err != nil {
		t.Fatal(err)
	}
	for i := range int64(10_000_000) {
		l.Settle(i, measure.Succeeded)
	}
	if used := heap() - before; used > 20<<20 {
		t.Errorf("10 million entries take %d bytes", used)
	}
	if got := l.Phase(0).Succeeded; got != 10_000_000 {
		t.Errorf("%d succeeded", got)
	}
}

// TestPagesJoinWithoutASeam: entries on both sides of a page's end, in phases that
// meet there, keep their own bits.
func TestPagesJoinWithoutASeam(t *testing.T) {
	l := New()
	const seam = int64(pageEntries)
	for phase, r := range [][2]int64{{seam - 3, seam}, {seam, 2*seam + 1}, {2*seam + 1, 2*seam + 4}} {
		if err := l.Plan(int32(phase), r[0], r[1]); err != nil {
			t.Fatal(err)
		}
	}
	want := map[int64]measure.Status{
		seam - 1: measure.Failed, seam: measure.Succeeded, seam + 1: measure.Cancelled,
		2*seam - 1: measure.TimedOut, 2 * seam: measure.Unsent, 2*seam + 1: measure.Lost,
	}
	for i, s := range want {
		if got := l.Settle(i, s); got != Fresh {
			t.Errorf("Settle(%d) = %d, want Fresh", i, got)
		}
	}
	for i := seam - 5; i < 2*seam+6; i++ {
		if got := l.Status(i); got != want[i] {
			t.Fatalf("entry %d has outcome %d, want %d", i, got, want[i])
		}
	}
	if got, want := l.Sum(0, 1, 2), (Accounting{Planned: 3 + seam + 1 + 3, Succeeded: 1, Failed: 1, TimedOut: 1, Cancelled: 1, Unsent: 1, Lost: 1, Open: seam + 1}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func BenchmarkSettle(b *testing.B) {
	b.ReportAllocs()
	l := New()
	_ = l.Plan(0, 0, int64(b.N))
	for i := range b.N {
		l.Settle(int64(i), measure.Succeeded)
	}
}

func BenchmarkSettleOpen(b *testing.B) {
	b.ReportAllocs()
	l := New()
	_ = l.Plan(0, 0, 1_000_000)
	for b.Loop() {
		l.SettleOpen(0, 1_000_000, func(int64) bool { return false }, measure.Lost)
	}
}
