package target

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// TestRow holds a row against a slice.
func TestRow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var r row
		var want []*conn
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			if len(want) == 0 || rapid.IntRange(0, 9).Draw(t, "what") < 5 {
				k := &conn{}
				r.push(k)
				want = append(want, k)
			} else {
				i := rapid.IntRange(0, len(want)-1).Draw(t, "which")
				r.remove(want[i])
				if want[i].at != -1 {
					t.Fatalf("place %d of one that is out", want[i].at)
				}
				want = slices.Delete(want, i, i+1)
			}
			var got []*conn
			for i, k := range r.all {
				if k != nil && k.at == i {
					got = append(got, k)
				}
			}
			if !slices.Equal(got, want) || r.n != len(want) || len(r.all) > 2*r.n+leastGaps+1 {
				t.Fatalf("%d of %d in %d places", len(got), len(want), len(r.all))
			}
			if r.n == 0 && (r.first() != nil || r.last() != nil) || r.n > 0 && (r.first() != want[0] || r.last() != want[len(want)-1]) {
				t.Fatal("another first or last")
			}
		}
		if r.clear(); r.n != 0 || r.last() != nil || slices.ContainsFunc(want, func(k *conn) bool { return k.at != -1 }) {
			t.Fatal("not clear")
		}
	})
}

// BenchmarkCloseIdle has a server close all idle connections, the oldest first.
func BenchmarkCloseIdle(b *testing.B) {
	const n = 20_000
	for b.Loop() {
		p := &pool{}
		all := make([]*conn, n)
		for i := range all {
			all[i] = &conn{at: -1}
			p.put(all[i], false)
		}
		began := time.Now()
		for _, k := range all {
			p.closedIdle(k, 0, false)
		}
		b.ReportMetric(float64(time.Since(began).Microseconds())/1e3, "ms/all")
	}
}
