package firehose

import (
	"context"
	"sync"
	"time"

	"google.golang.org/grpc"

	"github.com/stampede-bench/stampede/internal/clock"
	"github.com/stampede-bench/stampede/internal/wire"
	"github.com/stampede-bench/stampede/measure"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/target"
)

// Instant is an endpoint of an agent's that answers each request with one token
// within its own process and at once: what is left is an agent's own work. It is
// for open loop; in closed loop a slot's requests would start one inside another.
type Instant struct{}

// Prepare implements target.Doer.
func (Instant) Prepare(target.Input) (*target.Call, error) { return new(target.Call), nil }

// Start implements target.Doer: the reply is complete when it returns.
func (Instant) Start(c *target.Call, done func(*target.Call, *measure.Exchange)) {
	x := &measure.Exchange{}
	x.Reset()
	x.Sent = clock.Now()
	x.Status, x.HTTPStatus, x.FinishReason, x.Reused = measure.Succeeded, 200, "length", true
	x.Usage.Input, x.Usage.Output = 16, 1
	x.Chunks = append(x.Chunks, measure.Chunk{At: x.Sent, TextBytes: 4, UsageTotal: -1})
	x.Headers, x.End = x.Sent, x.Sent
	done(c, x)
}

// Cancel implements target.Doer; nothing is ever under way.
func (Instant) Cancel(*target.Call) {}

// Warm implements target.Doer.
func (Instant) Warm(_ context.Context, n int) (int, error) { return n, nil }

// Shipped is what an agent sent of outcomes until the last was acknowledged.
type Shipped struct {
	Bytes, Batches int64
	// Took is from the first batch sent to the last acknowledgement.
	Took time.Duration
}

// Watch looks at what goes over an agent's connection.
type Watch struct {
	mu          sync.Mutex
	first, last time.Time
	shipped     Shipped
	forgotten   func()
}

// NewWatch makes one that calls forgotten, which may take long, each time that the
// controller has a run forgotten.
func NewWatch(forgotten func()) *Watch { return &Watch{forgotten: forgotten} }

// Option is what a connection is made with to be watched.
func (w *Watch) Option() grpc.DialOption {
	return grpc.WithChainStreamInterceptor(func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, open grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
		s, err := open(ctx, desc, cc, method, opts...)
		return &watched{ClientStream: s, watch: w}, err
	})
}

// Shipped is what was sent so far.
func (w *Watch) Shipped() Shipped {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.shipped
	if s.Batches > 0 {
		s.Took = w.last.Sub(w.first)
	}
	return s
}

func (w *Watch) sent(batch []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.first.IsZero() {
		w.first = time.Now()
	}
	w.shipped.Batches++
	w.shipped.Bytes += int64(len(batch))
}

func (w *Watch) heard(m *stampedev1.SessionResponse) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case m.GetSampleAck() != nil:
		w.last = time.Now()
	case m.GetForgetRun() != nil:
		go w.forgotten()
	}
}

// watched is a stream on its way through a Watch.
type watched struct {
	grpc.ClientStream
	watch *Watch
}

func (s *watched) SendMsg(m any) error {
	if r, ok := m.(*wire.Request); ok && len(r.Batch) > 0 {
		s.watch.sent(r.Batch)
	}
	return s.ClientStream.SendMsg(m)
}

func (s *watched) RecvMsg(m any) error {
	err := s.ClientStream.RecvMsg(m)
	if r, ok := m.(*stampedev1.SessionResponse); ok && err == nil {
		s.watch.heard(r)
	}
	return err
}
