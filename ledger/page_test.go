package ledger

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/stampede-bench/stampede/measure"
)

// TestStretchesAreThePagesAsTheyStand holds ranges that are settled at once, and
// what is read back in stretches, against an array.
func TestStretchesAreThePagesAsTheyStand(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const entries = 3*pageEntries + 1000
		begin := rapid.SampledFrom([]int64{0, 5, pageEntries, pageEntries + 77}).Draw(t, "second phase")
		l, want := New(), make([]measure.Status, entries)
		for id, r := range [][2]int64{{0, begin}, {begin, entries}} {
			if err := l.Plan(int32(id), r[0], r[1]); err != nil {
				t.Fatal(err)
			}
		}
		near := rapid.Custom(func(t *rapid.T) int64 {
			at := rapid.Int64Range(0, 3).Draw(t, "page")*pageEntries + rapid.Int64Range(-40, 40).Draw(t, "by")
			return min(max(at, 0), entries)
		})
		status := rapid.SampledFrom([]measure.Status{measure.Succeeded, measure.Unsent, measure.Lost})
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			from, to, s := near.Draw(t, "from"), near.Draw(t, "to"), status.Draw(t, "status")
			stride := rapid.SampledFrom([]int64{0, 1, 2, 3}).Draw(t, "stride")
			if stride == 0 {
				if r := l.Settle(from, s); r == Fresh || r == Revived {
					want[from] = s
				}
				continue
			}
			match := func(i int64) bool { return i%stride == 0 }
			n := int64(0)
			for i := from; i < to; i++ {
				if want[i] == 0 && match(i) {
					want[i] = s
					n++
				}
			}
			if stride == 1 {
				match = nil
			}
			if got := l.SettleOpen(from, to, match, s); got != n {
				t.Fatalf("SettleOpen(%d, %d, of %d) = %d, want %d", from, to, stride, got, n)
			}
		}
		got := make([]measure.Status, entries)
		for s := range measure.Lost + 1 {
			for id, r := range [][2]int64{{0, begin}, {begin, entries}} {
				at := int64(-1)
				for from, to := range l.Stretches(int32(id), s) {
					if from <= at || from < r[0] || to <= from || to > r[1] {
						t.Fatalf("phase %d: a stretch from %d to %d behind %d", id, from, to, at)
					}
					for at = from; at < to; at++ {
						got[at] = s
					}
				}
			}
		}
		for i := range want {
			if got[i] != want[i] || l.Status(int64(i)) != want[i] {
				t.Fatalf("entry %d has outcome %d, in a stretch of %d, want %d", i, l.Status(int64(i)), got[i], want[i])
			}
		}
	})
}

// TestABillionEntriesOfOneOutcome: what is left of a huge run when it ends takes no
// time and no memory to give its outcome, to find, to keep and to restore.
func TestABillionEntriesOfOneOutcome(t *testing.T) {
	const billion = int64(1_000_000_000)
	began, before := time.Now(), heap()
	l := New()
	if err := l.Plan(0, 0, billion); err != nil {
		t.Fatal(err)
	}
	for i := range int64(1000) {
		l.Settle(i*3, measure.Succeeded)
	}
	if n := l.SettleOpen(0, billion, nil, measure.Lost); n != billion-1000 {
		t.Errorf("%d were lost", n)
	}
	state := l.AppendState(nil)
	again := New()
	if err := again.RestoreState(state); err != nil {
		t.Fatal(err)
	}
	if a := again.Phase(0); a.Lost != billion-1000 || a.Succeeded != 1000 || a.Planned != billion {
		t.Errorf("%+v", a)
	}
	var last [2]int64
	stretches := 0
	for from, to := range again.Stretches(0, measure.Lost) {
		last = [2]int64{from, to}
		stretches++
	}
	if stretches != 1000 || last != [2]int64{2998, billion} {
		t.Errorf("%d stretches, the last %v", stretches, last)
	}
	if used := heap() - before; used > 4<<20 || len(state) > 1<<20 {
		t.Errorf("they take %d bytes, kept %d", used, len(state))
	}
	if took := time.Since(began); took > 10*time.Second { // one by one it is tens of seconds
		t.Errorf("it took %v", took)
	}
}

// A page that claims an outcome which there is not, or two, is refused.
func TestStateRefusesPagesThatNobodyWrote(t *testing.T) {
	for _, form := range []uint64{0x12, 0x77, 0xff, 258} {
		c := []byte{0, 1, 0, 0, 20, 1}
		for ; form >= 0x80; form >>= 7 {
			c = append(c, byte(form)|0x80)
		}
		if err := New().RestoreState(append(c, byte(form))); err == nil {
			t.Errorf("a page in form %x was taken", form)
		}
	}
	if !slices.Equal(New().AppendState(nil), []byte{0, 0, 0}) {
		t.Error("the state's form has changed: keep this test in step")
	}
}
