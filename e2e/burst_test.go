//go:build linux

package e2e

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stampede-bench/stampede/e2e/harness"
	"github.com/stampede-bench/stampede/report"
)

// TestBurstLeavesInOrder has 1,500 requests due at one instant, on connections that
// are ready. By the server's account they arrive in the order of their numbers, and
// each row's lateness tells how long it stood in line.
func TestBurstLeavesInOrder(t *testing.T) {
	t.Parallel()
	const burst = 1500
	trace := filepath.Join(t.TempDir(), "burst.jsonl")
	lines := `{"timestamp": 0, "input_length": 8, "output_length": 2, "hash_ids": []}` + "\n" +
		strings.Repeat(`{"timestamp": 1000, "input_length": 8, "output_length": 2, "hash_ids": []}`+"\n", burst)
	if err := os.WriteFile(trace, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	sim := harness.StartSimulator(t, "--ttft", "300ms")
	out := t.TempDir()
	r := harness.Stampede(t, "run", "--url", sim.URL(), "--trace", trace, "--no-preflight", "--out", out, "--no-progress")
	if r.Code != 0 && r.Code != 3 {
		t.Fatalf("exit %d\n%s%s", r.Code, r.Out, r.Err)
	}
	a := harness.ReadArtefacts(t, out)
	served := sim.Account(t)
	harness.MatchAccount(t, a.Rows, served)
	rows := slices.DeleteFunc(a.Rows, func(row report.Row) bool { return row.Index == 0 })
	slices.SortFunc(rows, func(a, b report.Row) int { return int(a.Index - b.Index) })
	if len(rows) != burst {
		t.Fatalf("%d rows of the burst, want %d", len(rows), burst)
	}
	cold, swapped := 0, 0
	var sent, arrived int64
	for i, row := range rows {
		if row.Status != "succeeded" || *row.IntendedUnixNS != *rows[0].IntendedUnixNS {
			t.Fatalf("row %d: %s, intended at %d and the first at %d", i, row.Status, *row.IntendedUnixNS, *rows[0].IntendedUnixNS)
		}
		if *row.SentUnixNS <= sent {
			t.Errorf("row %d was sent at %d, the one before at %d", i, *row.SentUnixNS, sent)
		}
		sent = *row.SentUnixNS
		got := served[row.ID][0]
		if got.Connection != 0 && row.ConnectNS != nil {
			cold++
		}
		if got.Arrival < arrived {
			swapped++ // the kernel's two queues may differ by as much as one write takes
		}
		arrived = max(arrived, got.Arrival)
		// The account's clock is the same host's: nothing arrives before it was sent.
		if early := *row.SentUnixNS - got.Arrival; early > 1e6 {
			t.Errorf("row %d arrived %d ns before it was sent", i, early)
		}
	}
	if cold > 0 {
		t.Errorf("%d requests found no connection ready", cold)
	}
	if swapped > burst/50 {
		t.Errorf("%d of %d arrived before one that was due to leave earlier", swapped, burst)
	}
	late := *rows[burst-1].SentUnixNS - *rows[burst-1].IntendedUnixNS
	t.Logf("the last one left %.1f ms late; %d arrivals out of order", float64(late)/1e6, swapped)
}
