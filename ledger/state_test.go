package ledger_test

import (
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/stampede-bench/stampede/ledger"
	"github.com/stampede-bench/stampede/measure"
)

// A ledger that was written and read goes on as the one that wrote it.
func TestStateGoesOn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := ledger.New()
		end := int64(0)
		for id := range int32(rapid.IntRange(1, 3).Draw(t, "phases")) {
			n := rapid.SampledFrom([]int64{0, 3, 70_000, 200_000}).Draw(t, "entries")
			if err := l.Plan(id, end, end+n); err != nil {
				t.Fatal(err)
			}
			end += n
		}
		settle := func(l *ledger.Ledger, index int64, status measure.Status) ledger.Result {
			return l.Settle(index, status)
		}
		draw := func() (int64, measure.Status) {
			return rapid.Int64Range(-1, end).Draw(t, "entry"), measure.Status(rapid.IntRange(0, 7).Draw(t, "status"))
		}
		if rapid.Bool().Draw(t, "whole") {
			l.SettleOpen(0, end, nil, measure.Succeeded)
		}
		for range rapid.IntRange(0, 50).Draw(t, "before") {
			i, s := draw()
			settle(l, i, s)
		}
		got := ledger.New()
		if err := got.RestoreState(l.AppendState(nil)); err != nil {
			t.Fatal(err)
		}
		for range rapid.IntRange(0, 50).Draw(t, "after") {
			i, s := draw()
			if a, b := settle(l, i, s), settle(got, i, s); a != b {
				t.Fatalf("entry %d: %v, restored %v", i, a, b)
			}
		}
		for id := range int32(3) {
			if a, b := l.Phase(id), got.Phase(id); a != b {
				t.Fatalf("phase %d: %+v, restored %+v", id, a, b)
			}
		}
		if !reflect.DeepEqual(l.AppendState(nil), got.AppendState(nil)) {
			t.Fatal("the states differ")
		}
	})
}

// FuzzState: whatever bytes come, an error or a ledger that counts.
func FuzzState(f *testing.F) {
	l := ledger.New()
	_ = l.Plan(0, 0, 100_000)
	l.Settle(5, measure.Succeeded)
	f.Add(l.AppendState(nil))
	f.Add([]byte{0, 1, 0, 0, 20, 1, 17})
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<16 {
			return
		}
		l := ledger.New()
		if l.RestoreState(data) != nil {
			return
		}
		sum := l.Sum(0, 1, 2)
		if sum.Planned != sum.Succeeded+sum.Failed+sum.TimedOut+sum.Cancelled+sum.Unsent+sum.Lost+sum.Open {
			t.Fatalf("%+v does not add up", sum)
		}
		from, to := l.Range(0)
		l.SettleOpen(from, min(to, from+1000), nil, measure.Lost)
	})
}
