package guard

import (
	"context"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/emptypb"
)

// drain takes what comes until the client is done.
func drain(_ any, stream grpc.ServerStream) error {
	for {
		err := stream.RecvMsg(&emptypb.Empty{})
		if err == io.EOF { //nolint:errorlint // as gRPC has it
			return stream.SendMsg(&emptypb.Empty{})
		}
		if err != nil {
			return err
		}
	}
}

var arrivals = grpc.ServiceDesc{
	ServiceName: "s",
	HandlerType: (*any)(nil),
	Methods: []grpc.MethodDesc{{MethodName: "Unary", Handler: func(srv any, ctx context.Context, dec func(any) error, intercept grpc.UnaryServerInterceptor) (any, error) {
		if err := dec(&emptypb.Empty{}); err != nil {
			return nil, err
		}
		return intercept(ctx, nil, &grpc.UnaryServerInfo{}, func(ctx context.Context, _ any) (any, error) {
			time.Sleep(5 * time.Minute) // work takes what it takes
			return &emptypb.Empty{}, ctx.Err()
		})
	}}},
	Streams: []grpc.StreamDesc{
		{StreamName: "Up", ClientStreams: true, Handler: drain},
		{StreamName: "Both", ClientStreams: true, ServerStreams: true, Handler: drain},
	},
}

func TestMessagesMustArrive(t *testing.T) {
	never := []time.Duration{}
	for _, tt := range []struct {
		name   string
		method string
		pauses []time.Duration // before each message that is sent
		want   codes.Code
		took   time.Duration
	}{
		{"a call at once", "Unary", []time.Duration{0}, codes.OK, 5 * time.Minute},
		{"a call without its message", "Unary", never, codes.Canceled, 30 * time.Second},
		{"a call just in time", "Unary", []time.Duration{29 * time.Second}, codes.OK, 5*time.Minute + 29*time.Second},
		{"an upload that is slow and steady", "Up", []time.Duration{20 * time.Second, 20 * time.Second, 20 * time.Second}, codes.OK, time.Minute},
		{"an upload that never begins", "Up", never, codes.Canceled, 30 * time.Second},
		{"an upload that stalls", "Up", []time.Duration{0, 31 * time.Second}, codes.Canceled, 30 * time.Second},
		{"a session that is silent after its greeting", "Both", []time.Duration{0, time.Hour}, codes.OK, time.Hour},
		{"a session without a greeting", "Both", never, codes.Canceled, 30 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { checkArrival(t, tt.method, tt.pauses, tt.want, tt.took) })
		})
	}
}

func checkArrival(t *testing.T, method string, pauses []time.Duration, want codes.Code, took time.Duration) {
	a, listener := Arrival{}, bufconn.Listen(1<<20)
	server := grpc.NewServer(grpc.InTapHandle(a.Tap), grpc.UnaryInterceptor(a.Unary), grpc.StreamInterceptor(a.Stream))
	server.RegisterService(&arrivals, nil)
	go func() { _ = server.Serve(listener) }()
	defer server.Stop()
	conn, err := grpc.NewClient("passthrough:///x", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	begun := time.Now()
	stream, err := conn.NewStream(t.Context(), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, "/s/"+method)
	if err != nil {
		t.Fatal(err)
	}
	answered := make(chan error, 1)
	go func() { answered <- stream.RecvMsg(&emptypb.Empty{}) }()
	for _, p := range pauses {
		time.Sleep(p)
		_ = stream.SendMsg(&emptypb.Empty{})
	}
	if len(pauses) > 0 {
		_ = stream.CloseSend()
	}
	err = <-answered
	if got := status.Code(err); got != want {
		t.Errorf("%v, want %v", err, want)
	}
	if d := time.Since(begun); d < took || d > took+time.Second && want == codes.OK {
		t.Errorf("it took %v, want %v", d, took)
	}
}
