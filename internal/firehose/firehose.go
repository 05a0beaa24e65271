// Package firehose stands in for agents that sent a run's requests: it tells a
// controller invented outcomes, in open loop, as fast as that acknowledges them.
// It measures controllers; with Instant for an endpoint an agent's own way from a
// reply to the acknowledgement is measured. It sends no load anywhere and is no
// part of Stampede.
package firehose

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"github.com/stampede-bench/stampede/internal/wire"
	"github.com/stampede-bench/stampede/measure"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
)

// Config says what is told.
type Config struct {
	// Conns are connections to the controller, one an agent.
	Conns []grpc.ClientConnInterface
	// Tokens of each reply.
	Tokens int
	// OnAck, when set, is called after each acknowledgement, by one at a time.
	OnAck func()
}

// Result is what was told until everything was acknowledged.
type Result struct {
	Samples, Bytes int64
	// Took is from the first batch sent to the last acknowledged.
	Took time.Duration
	// SlowestRenewal is the longest that a heartbeat waited for its answer.
	SlowestRenewal time.Duration
}

// hose is what the agents share.
type hose struct {
	cfg Config

	mu          sync.Mutex
	first, last time.Time
	result      Result
}

// Run takes part in one run, as all of its agents, and returns when the
// controller has forgotten it.
func Run(ctx context.Context, cfg Config) (Result, error) {
	if len(cfg.Conns) == 0 || cfg.Tokens < 1 {
		return Result{}, errors.New("firehose: at least one connection and one token are needed")
	}
	h := &hose{cfg: cfg}
	group, ctx := errgroup.WithContext(ctx)
	for i, conn := range cfg.Conns {
		group.Go(func() error {
			if err := h.agent(ctx, conn, i); err != nil {
				return fmt.Errorf("firehose %d: %w", i, err)
			}
			return nil
		})
	}
	err := group.Wait()
	h.result.Took = h.last.Sub(h.first)
	return h.result, err
}

func (h *hose) sent(samples, bytes int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.first.IsZero() {
		h.first = time.Now()
	}
	h.result.Samples += samples
	h.result.Bytes += bytes
}

func (h *hose) acknowledged() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.last = time.Now()
	if h.cfg.OnAck != nil {
		h.cfg.OnAck()
	}
}

func (h *hose) renewed(after time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.result.SlowestRenewal = max(h.result.SlowestRenewal, after)
}

// agent holds one session.
func (h *hose) agent(ctx context.Context, conn grpc.ClientConnInterface, i int) error {
	ctx, cancel := context.WithCancel(ctx)
	stream, err := stampedev1.NewAgentServiceClient(conn).Session(ctx)
	if err != nil {
		cancel()
		return err
	}
	a := &agent{hose: h, stream: stream, number: uint64(i), room: make(chan struct{}, 1)}
	defer a.working.Wait()
	defer cancel()
	hello := &stampedev1.Hello{AgentId: uuid.NewString(), Name: fmt.Sprint("firehose-", i), Version: "dev", CpuCount: 1}
	if err := a.send(&wire.Request{Message: &stampedev1.SessionRequest{Message: &stampedev1.SessionRequest_Hello{Hello: hello}}}); err != nil {
		return err
	}
	m, err := stream.Recv()
	if err != nil {
		return err
	}
	a.window = m.GetWelcome().GetMaxInflightBytes()
	a.working.Go(func() { a.hearts(ctx, m.GetWelcome().GetHeartbeatPeriod().AsDuration()) })
	for {
		if m, err = stream.Recv(); err != nil {
			return err
		}
		if m.GetForgetRun() != nil {
			return nil
		}
		if err := a.handle(ctx, m); err != nil {
			return err
		}
	}
}

// Reply is what an agent tells of a request that was due at an instant: tokens
// that come about 10 ms apart.
func Reply(s *measure.Sample, rng *rand.Rand, index, at int64, tokens int) {
	*s = measure.Sample{
		Index: index, Session: index, Attempt: 1, Status: measure.Succeeded, ScheduleOffset: at, Intended: at,
		Sent: at + 20_000 + rng.Int64N(50_000), InputTokens: 256, OutputTokens: int32(tokens), OutputTokensAsked: int32(tokens),
		ReasoningTokens: -1, CachedTokens: -1, TokenSource: measure.SourceUsage, FinishReason: "length",
		KernelStamped: true, ReadDelayMax: 10_000 + rng.Int64N(100_000), Reused: true, HTTPStatus: 200,
		ChunkOffsets: s.ChunkOffsets[:0],
	}
	offset := 45_000_000 + rng.Int64N(10_000_000)
	for range tokens {
		s.ChunkOffsets = append(s.ChunkOffsets, offset)
		offset += 8_000_000 + rng.Int64N(4_000_000)
	}
	s.FirstToken, s.LastToken = s.Sent+s.ChunkOffsets[0], s.Sent+s.ChunkOffsets[tokens-1]
	s.Headers, s.FirstOutput, s.End = s.FirstToken-1000, s.FirstToken, s.LastToken+50_000
}
