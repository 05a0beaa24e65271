package guard

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/tap"
)

// Arrival cancels gRPC calls whose message does not come: the first one of every
// call, and each of a call that only the client sends a stream in. A stream that
// runs both ways may be silent after its first message; its service knows how
// long.
type Arrival struct {
	// Timeout bounds how long a message may take. Default 30 s.
	Timeout time.Duration
}

// clock ends a call when it is not stopped in time.
type clock struct {
	timer   *time.Timer
	timeout time.Duration
}

type clockKey struct{}

func (a Arrival) timeout() time.Duration {
	if a.Timeout == 0 {
		return defaultTimeout
	}
	return a.Timeout
}

// Tap starts a call's clock, as the server's InTapHandle or a part of it.
func (a Arrival) Tap(ctx context.Context, _ *tap.Info) (context.Context, error) {
	ctx, cancel := context.WithCancel(ctx)
	c := &clock{timeout: a.timeout()}
	c.timer = time.AfterFunc(c.timeout, cancel)
	context.AfterFunc(ctx, func() { c.timer.Stop(); cancel() }) // the call has ended
	return context.WithValue(ctx, clockKey{}, c), nil
}

// Unary is called once the message of a call is there.
func (a Arrival) Unary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	stopClock(ctx)
	return handle(ctx, req)
}

// Stream watches what comes on a stream.
func (a Arrival) Stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	return handle(srv, &arriving{ServerStream: stream, each: info.IsClientStream && !info.IsServerStream})
}

func stopClock(ctx context.Context) {
	if c, ok := ctx.Value(clockKey{}).(*clock); ok {
		c.timer.Stop()
	}
}

// arriving is a stream whose messages must come in time.
type arriving struct {
	grpc.ServerStream
	each  bool
	begun bool
}

// RecvMsg implements grpc.ServerStream.
func (s *arriving) RecvMsg(m any) error {
	c, ok := s.Context().Value(clockKey{}).(*clock)
	if !ok || s.begun && !s.each {
		return s.ServerStream.RecvMsg(m)
	}
	if s.begun {
		c.timer.Reset(c.timeout)
	}
	s.begun = true
	defer c.timer.Stop()
	return s.ServerStream.RecvMsg(m)
}
