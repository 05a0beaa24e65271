package agent

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stampede-bench/stampede/schedule"
)

var rewrite = flag.Bool("rewrite", false, "write the listings that are found into testdata")

// A file of testdata/dispatch is a spec with directives in comments ("# agents
// 2", "# latency 50ms", "# slow 4" for an entry that takes ten times as long),
// this line, and the listing.
const cut = "----\n"

// TestDispatchListings plays whole runs in fake time and lists every request: an
// instant since the anchor, who sent it, and a bar of requests in flight.
func TestDispatchListings(t *testing.T) {
	files, err := filepath.Glob("testdata/dispatch/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no listings", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			text, want, _ := strings.Cut(string(data), cut)
			var got string
			synctest.Test(t, func(t *testing.T) { got = play(t, text) })
			if *rewrite {
				if err := os.WriteFile(file, []byte(text+cut+got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// directive finds "# name value" in a text.
func directive(text, name, def string) string {
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), "# "+name+" "); ok {
			return value
		}
	}
	return def
}

// play runs a spec on one agent per shard and lists what it sent.
func play(t *testing.T, text string) string {
	b := newBench(t)
	defer b.close()
	agents := 1
	if _, err := fmt.Sscan(directive(text, "agents", "1"), &agents); err != nil {
		t.Fatal(err)
	}
	latency, err := time.ParseDuration(directive(text, "latency", "10ms"))
	if err != nil {
		t.Fatal(err)
	}
	slow := directive(text, "slow", "")
	b.d.latency = func(id string) time.Duration {
		if slow != "" && strings.HasSuffix(id, "-"+slow) {
			return 10 * latency
		}
		return latency
	}
	_, end := b.agent()
	defer func() {
		if err := end(); err != nil {
			t.Error(err)
		}
	}()
	b.conduct(text, agents)
	return b.listing()
}

// conduct plays the controller's part for all phases of a run: each shard is an
// agent's, though one agent works on all of them here.
func (b *bench) conduct(text string, shards int) {
	b.t.Helper()
	s, _ := spec(b.t, text)
	corpus := openCorpus(b.t, s)
	plan, err := schedule.Compile(s, corpus)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, part := range schedule.Whole.Split(shards) {
		b.start(text, ref("run", part.Offset, part.Stride))
	}
	base, first := int64(0), int64(0)
	for i, p := range plan.Phases {
		b.release("run", i, time.Duration(base), first)
		if i == len(plan.Phases)-1 {
			break
		}
		if p.Predictable {
			base += p.Duration
			first += p.Sessions
			continue
		}
		state := dispatched
		if p.DrainFull {
			state = drained
		}
		b.until(state, shards*(i+1), time.Hour)
		begun := int64(0)
		for _, u := range b.c.told(state) {
			if int(u.GetPhase()) == i {
				begun = max(begun, u.GetNextSession())
			}
		}
		first += begun
		base = time.Now().Add(b.c.skew).Sub(b.anchor).Nanoseconds() + int64(100*time.Millisecond)
	}
	b.until(done, shards, time.Hour)
}

// listing shows every request that was sent, by instant and index, and how many
// were in flight when all of that instant had been sent and answered.
func (b *bench) listing() string {
	var out strings.Builder
	anchor := b.anchorMono()
	slices.SortFunc(b.d.sent, func(a, b sending) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(len(a.id), len(b.id)), cmp.Compare(a.id, b.id))
	})
	for _, s := range b.d.sent {
		fmt.Fprintf(&out, "%9.3fms %-4s %s\n", float64(s.at-anchor)/1e6, s.id[len("run-"):], strings.Repeat("*", b.d.inFlightAt(s.at)))
	}
	counts := map[string]int{}
	for _, sample := range b.c.samples(b.t) {
		counts[fmt.Sprintf("phase %d status %d", sample.Phase, sample.Status)]++
	}
	fmt.Fprintf(&out, "samples: %v\n", counts)
	return out.String()
}

// inFlightAt counts the requests that were sent up to an instant and ended after.
func (d *fakeDoer) inFlightAt(at int64) (n int) {
	for _, s := range d.sent {
		if s.at <= at {
			n++
		}
	}
	for _, end := range d.ends {
		if end <= at {
			n--
		}
	}
	return n
}
