package agent

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/internal/clock"
	"github.com/stampede-bench/stampede/measure"
	"github.com/stampede-bench/stampede/schedule"
	"github.com/stampede-bench/stampede/target"
	"github.com/stampede-bench/stampede/workload/dataset"
)

// idleDoer takes requests and does nothing with them.
type idleDoer struct{ at []int64 }

func (*idleDoer) Prepare(target.Input) (*target.Call, error) { return new(target.Call), nil }
func (d *idleDoer) Start(*target.Call, func(*target.Call, *measure.Exchange)) {
	d.at = append(d.at, clock.Now())
}
func (*idleDoer) Cancel(*target.Call)                        {}
func (*idleDoer) Warm(_ context.Context, n int) (int, error) { return n, nil }

// benchShard is a shard of one open-loop phase with everything permitted.
func benchShard(d Doer, anchor int64) (*shard, *phase) {
	r := newRun(&Agent{cfg: Config{}.withDefaults(), outbox: outbox{limit: 1 << 40}, work: make(chan struct{}, 1)}, "run")
	r.doer = d
	r.anchor.Store(anchor)
	s := newShard(r, ref("run", 0, 1), nil)
	s.permit.Store(never)
	rel := &release{done: make(chan struct{})}
	close(rel.done)
	p := &phase{Phase: &schedule.Phase{Kind: schedule.Open}, release: rel, ready: make(chan *entry, maxAhead)}
	s.phases = []*phase{p}
	return s, p
}

func benchEntry(s *shard, p *phase, k, offset int64) *entry {
	v := &visit{session: dataset.Session{Index: k, Turns: []dataset.Turn{{OffsetNanos: -1, Messages: []dataset.Message{{Role: "user", Content: "hello"}}}}}}
	e := s.newEntry(p, v, 0, k, k)
	e.offset = offset
	return e
}

// Between a deadline and Doer.Start: nothing may allocate.
func BenchmarkDispatch(b *testing.B) {
	d := &idleDoer{at: make([]int64, 0, 1<<20)}
	s, p := benchShard(d, clock.Now()-int64(time.Hour))
	source := &openSource{shard: s, phase: p}
	entries := make([]*entry, 1024)
	for i := range entries {
		entries[i] = benchEntry(s, p, int64(i), 0)
	}
	b.ReportAllocs()
	for b.Loop() {
		for _, e := range entries {
			p.ready <- e
		}
		d.at = d.at[:0]
		source.step()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(entries)), "ns/entry")
}

func TestDispatchDoesNotAllocate(t *testing.T) {
	d := &idleDoer{at: make([]int64, 0, 1<<16)}
	s, p := benchShard(d, clock.Now()-int64(time.Hour))
	source := &openSource{shard: s, phase: p}
	e := benchEntry(s, p, 0, 0)
	if n := testing.AllocsPerRun(1000, func() {
		p.ready <- e
		source.step()
	}); n != 0 {
		t.Errorf("dispatch of an entry allocates %g times", n)
	}
}

// From a finished exchange to a batch.
func BenchmarkSample(b *testing.B) {
	for _, chunks := range []int{1, 64, 1000} {
		b.Run(fmt.Sprint(chunks, " chunks"), func(b *testing.B) {
			s, p := benchShard(&idleDoer{}, 0)
			r := newReporter(s)
			e := benchEntry(s, p, 0, 0)
			x := &measure.Exchange{}
			x.Reset()
			x.Sent, x.Headers, x.Status, x.Usage.Output = 1e9, 1e9+1e6, measure.Succeeded, int32(chunks)
			for i := range chunks {
				x.Chunks = append(x.Chunks, measure.Chunk{At: 2e9 + int64(i)*1e7, TextBytes: 4, UsageTotal: -1})
			}
			b.ReportAllocs()
			for b.Loop() {
				e.x = x
				r.take(e)
				if _, bytes := s.run.agent.outbox.held(); bytes > 64<<20 {
					s.run.agent.outbox.drop("run")
				}
			}
		})
	}
}

// How late the deadline thread is on this machine, now: for people, not a test.
func BenchmarkLateness(b *testing.B) {
	for name, make := range map[string]func() sleeper{"kernel": newSleeper, "timer": func() sleeper { return newTimerSleeper() }} {
		b.Run(name, func(b *testing.B) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			s := make()
			var late []int64
			due := clock.Now()
			for b.Loop() {
				due += int64(time.Millisecond)
				s.sleep(due)
				late = append(late, clock.Now()-due)
			}
			slices.Sort(late)
			b.ReportMetric(float64(late[len(late)/2])/1e3, "p50-µs")
			b.ReportMetric(float64(late[len(late)*99/100])/1e3, "p99-µs")
		})
	}
}
