package agent

import (
	"context"
	"sync"
	"time"

	"github.com/stampede-bench/stampede/internal/clock"
	"github.com/stampede-bench/stampede/measure"
	"github.com/stampede-bench/stampede/target"
)

// fakeDoer answers every request after a latency in fake time.
type fakeDoer struct {
	latency func(id string) time.Duration
	chunks  int
	fail    func(id string) bool
	refuse  func(id string) error // Prepare's

	mu       sync.Mutex
	inputs   map[*target.Call]target.Input
	flying   map[*target.Call]*flight
	sent     []sending
	ends     []int64
	inFlight int
	most     int
	warmed   int
	closed   bool
}

type flight struct {
	timer *time.Timer
	done  func(*target.Call, *measure.Exchange)
	x     *measure.Exchange
}

// sending is one call of Start.
type sending struct {
	id       string
	at       int64
	inFlight int
	messages int
}

func (d *fakeDoer) Prepare(in target.Input) (*target.Call, error) {
	if d.refuse != nil {
		if err := d.refuse(in.ID); err != nil {
			return nil, err
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	c := new(target.Call)
	if d.inputs == nil {
		d.inputs, d.flying = map[*target.Call]target.Input{}, map[*target.Call]*flight{}
	}
	d.inputs[c] = in
	return c, nil
}

func (d *fakeDoer) Start(c *target.Call, done func(*target.Call, *measure.Exchange)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	in := d.inputs[c]
	delete(d.inputs, c)
	d.inFlight++
	d.most = max(d.most, d.inFlight)
	x := &measure.Exchange{}
	x.Reset()
	x.Sent = clock.Now()
	d.sent = append(d.sent, sending{id: in.ID, at: x.Sent, inFlight: d.inFlight, messages: len(in.Messages)})
	f := &flight{done: done, x: x}
	latency := 10 * time.Millisecond
	if d.latency != nil {
		latency = d.latency(in.ID)
	}
	d.flying[c] = f
	f.timer = time.AfterFunc(latency, func() { d.end(c, in, measure.Succeeded) })
}

func (d *fakeDoer) end(c *target.Call, in target.Input, status measure.Status) {
	d.mu.Lock()
	f := d.flying[c]
	if f == nil {
		d.mu.Unlock()
		return
	}
	delete(d.flying, c)
	d.inFlight--
	d.ends = append(d.ends, clock.Now())
	d.mu.Unlock()
	f.x.Status, f.x.End = status, clock.Now()
	if status == measure.Succeeded && d.fail != nil && d.fail(in.ID) {
		f.x.Status, f.x.ErrorKind = measure.Failed, "http_500"
	}
	if f.x.Status == measure.Succeeded {
		for range max(d.chunks, 1) {
			f.x.Chunks = append(f.x.Chunks, measure.Chunk{At: f.x.End, TextBytes: 4, UsageTotal: -1})
		}
		if in.KeepAnswer {
			f.x.Answer = []byte("an answer")
		}
	}
	f.done(c, f.x)
}

func (d *fakeDoer) Cancel(c *target.Call) {
	d.mu.Lock()
	f := d.flying[c]
	d.mu.Unlock()
	if f != nil && f.timer.Stop() {
		go d.end(c, target.Input{}, measure.Cancelled)
	}
}

func (d *fakeDoer) Warm(_ context.Context, n int) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.warmed = max(d.warmed, n)
	return n, nil
}

func (d *fakeDoer) Close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
}
