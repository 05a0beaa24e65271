package client_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/stampede-bench/stampede/client"
	"github.com/stampede-bench/stampede/internal/wire"
	"github.com/stampede-bench/stampede/measure"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
)

const (
	testID = "3f2c9a1e-7b0d-4c55-9d3e-1f2a3b4c5d6e"
	runID  = testID + ".1"
)

var anchor = time.Date(2026, 11, 23, 18, 0, 0, 0, time.UTC)

// fake is a controller with one test, whose run goes as the script says.
type fake struct {
	stampedev1.UnimplementedTestServiceServer
	mu       sync.Mutex
	spec     *stampedev1.Spec // of the last RegisterTest
	uploaded map[string]string
	tokens   []string
	watches  []int64 // after_revision of each WatchTest
	// streams is what each WatchTest sends, one after the other; broken ends a
	// stream with Unavailable.
	streams [][]*stampedev1.Test
	refuse  error // what every call answers, when set
	report  string
}

func revision(n int64, s stampedev1.State) *stampedev1.Test {
	return &stampedev1.Test{TestId: testID, RunId: runID, Revision: n, State: s, Reason: fmt.Sprint("revision ", n)}
}

const fakeReport = `{"id":"` + runID + `","test_id":"` + testID + `","model":"sim","verdict":{"state":"valid","reasons":[],"notices":[]},` +
	`"request_num":2,"started_at":"2026-11-23T18:00:00Z","stampede_version":"v0.1.0",` +
	`"spec":{"endpoint":{"url":"http://h/v1","model":"sim"},"load":{"warmup":{"requests":1},"stages":[{"rate":1,"duration":"2s"}]},"slo":{"ttft":"0.3s"}}}`

func newFake() *fake {
	return &fake{
		uploaded: map[string]string{}, report: fakeReport,
		streams: [][]*stampedev1.Test{{
			revision(1, stampedev1.State_STATE_PENDING), revision(2, stampedev1.State_STATE_RUNNING), revision(5, stampedev1.State_STATE_SUCCEEDED),
		}},
	}
}

// dial serves f in memory and returns a client of it; stop ends both.
func (f *fake) dial(opts ...client.Option) (c *client.Client, stop func()) {
	listener := bufconn.Listen(1 << 20)
	server := grpc.NewServer()
	stampedev1.RegisterTestServiceServer(server, f)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener)
	}()
	opts = append([]client.Option{client.WithDialer(func(ctx context.Context, _ string) (net.Conn, error) {
		return listener.DialContext(ctx)
	})}, opts...)
	c, err := client.Dial("controller:50051", opts...)
	if err != nil {
		panic(err)
	}
	return c, func() {
		_ = c.Close()
		server.Stop()
		<-done
	}
}

func (f *fake) note(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	md, _ := metadata.FromIncomingContext(ctx)
	f.tokens = append(f.tokens, md.Get("authorization")...)
	return f.refuse
}

func (f *fake) RegisterTest(ctx context.Context, in *stampedev1.RegisterTestRequest) (*stampedev1.RegisterTestResponse, error) {
	if err := f.note(ctx); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.spec = in.GetSpec()
	id := testID
	if in.GetTestId() != "" {
		id = in.GetTestId()
	}
	return &stampedev1.RegisterTestResponse{TestId: id, Notices: []string{"no load given"}}, nil
}

func (f *fake) StartTest(ctx context.Context, in *stampedev1.StartTestRequest) (*stampedev1.StartTestResponse, error) {
	return &stampedev1.StartTestResponse{RunId: in.GetTestId() + ".1"}, f.note(ctx)
}

func (f *fake) CancelTest(ctx context.Context, _ *stampedev1.CancelTestRequest) (*stampedev1.CancelTestResponse, error) {
	return &stampedev1.CancelTestResponse{Test: revision(7, stampedev1.State_STATE_DRAINING)}, f.note(ctx)
}

func (f *fake) GetTest(ctx context.Context, in *stampedev1.GetTestRequest) (*stampedev1.GetTestResponse, error) {
	if err := f.note(ctx); err != nil {
		return nil, err
	}
	if in.GetTestId() != testID && in.GetTestId() != runID {
		return nil, status.Errorf(codes.NotFound, "there is no test %q", in.GetTestId())
	}
	t := revision(5, stampedev1.State_STATE_SUCCEEDED)
	t.CreateTime, t.Agents = timestamppb.New(anchor), []string{"a"}
	t.Spec = &stampedev1.Spec{Name: "n", Endpoint: &stampedev1.Endpoint{Url: "http://h/v1"}, Load: &stampedev1.Load{}}
	t.Progress = &stampedev1.Progress{Phase: "warmup", PlannedCount: 9, TtftP50Nanos: 5}
	return &stampedev1.GetTestResponse{Test: t}, nil
}

func (f *fake) ListTests(ctx context.Context, in *stampedev1.ListTestsRequest) (*stampedev1.ListTestsResponse, error) {
	if err := f.note(ctx); err != nil {
		return nil, err
	}
	if in.GetPageToken() == "" {
		return &stampedev1.ListTestsResponse{Tests: []*stampedev1.Test{{TestId: "c"}, {TestId: "b"}}, NextPageToken: "next"}, nil
	}
	return &stampedev1.ListTestsResponse{Tests: []*stampedev1.Test{{TestId: "a"}}}, nil
}

func (f *fake) DeleteTest(ctx context.Context, _ *stampedev1.DeleteTestRequest) (*stampedev1.DeleteTestResponse, error) {
	return &stampedev1.DeleteTestResponse{DeletedFiles: []string{"report.json"}}, f.note(ctx)
}

func (f *fake) WatchTest(in *stampedev1.WatchTestRequest, stream grpc.ServerStreamingServer[stampedev1.WatchTestResponse]) error {
	if err := f.note(stream.Context()); err != nil {
		return err
	}
	f.mu.Lock()
	n := len(f.watches)
	f.watches = append(f.watches, in.GetAfterRevision())
	f.mu.Unlock()
	if n >= len(f.streams) {
		return status.Error(codes.Unavailable, "the controller is away")
	}
	for _, t := range f.streams[n] {
		if err := stream.Send(&stampedev1.WatchTestResponse{Test: t}); err != nil {
			return err
		}
	}
	if n < len(f.streams)-1 {
		return status.Error(codes.Unavailable, "the connection broke")
	}
	return nil
}

func (f *fake) GetReport(ctx context.Context, _ *stampedev1.GetReportRequest) (*stampedev1.GetReportResponse, error) {
	return &stampedev1.GetReportResponse{RunId: runID, ReportJson: []byte(f.report)}, f.note(ctx)
}

func (f *fake) StreamSamples(_ *stampedev1.StreamSamplesRequest, stream grpc.ServerStreamingServer[stampedev1.StreamSamplesResponse]) error {
	for i, agent := range []string{"a", "b"} {
		s := measure.Sample{
			Index: int64(i), Phase: int32(i), Status: measure.Succeeded, Attempt: 1, ScheduleOffset: measure.Absent,
			Intended: 0, Sent: 10, Headers: 20, FirstToken: 30, FirstOutput: 30, LastToken: 50, End: 60,
			ChunkOffsets: []int64{20, 40}, InputTokens: -1, OutputTokens: 2, ReasoningTokens: -1, CachedTokens: -1,
		}
		unsent := measure.Sample{Index: 9, Phase: 1, Status: measure.Unsent, Sent: measure.Absent}
		err := stream.Send(&stampedev1.StreamSamplesResponse{
			AnchorTime: timestamppb.New(anchor), Agent: agent, CorrectionNanos: int64(-5 * i), FirstStagePhase: 1,
			Samples: []*stampedev1.Sample{wire.SampleToProto(&s), wire.SampleToProto(&unsent)},
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (f *fake) ListAgents(ctx context.Context, _ *stampedev1.ListAgentsRequest) (*stampedev1.ListAgentsResponse, error) {
	return &stampedev1.ListAgentsResponse{Agents: []*stampedev1.Agent{{
		AgentId: "id", Name: "a", Host: "h", CpuCount: 2, ConnectTime: timestamppb.New(anchor), ClockOffsetNanos: 7,
	}}}, f.note(ctx)
}

func (f *fake) UploadDataset(stream grpc.ClientStreamingServer[stampedev1.UploadDatasetRequest, stampedev1.UploadDatasetResponse]) error {
	if err := f.note(stream.Context()); err != nil {
		return err
	}
	hash, name := sha256.New(), ""
	var size int64
	for {
		piece, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if name == "" {
			name = piece.GetFileName()
		}
		hash.Write(piece.GetData())
		size += int64(len(piece.GetData()))
	}
	sum := hex.EncodeToString(hash.Sum(nil))
	f.mu.Lock()
	f.uploaded[name] = sum
	f.mu.Unlock()
	return stream.SendAndClose(&stampedev1.UploadDatasetResponse{CorpusHash: sum, SizeBytes: size})
}

// badSpec is what a controller answers to a spec with two mistakes.
func badSpec() error {
	st, err := status.New(codes.InvalidArgument, "spec: two mistakes").WithDetails(&errdetails.BadRequest{
		FieldViolations: []*errdetails.BadRequest_FieldViolation{
			{Field: "load.stages[1].rate", Description: "must be greater than 0, got -3"},
			{Field: "endpoint.url", Description: "is required", LocalizedMessage: &errdetails.LocalizedMessage{Message: "give --url"}},
		},
	})
	if err != nil {
		panic(err)
	}
	return st.Err()
}

// running is what a controller answers to a call that a run is in the way of.
func running() error {
	st, err := status.New(codes.FailedPrecondition, "it is already running").WithDetails(
		&errdetails.ErrorInfo{Reason: "RUNNING", Domain: "stampede"}, &errdetails.LocalizedMessage{Message: "watch it, or cancel it first"})
	if err != nil {
		panic(err)
	}
	return st.Err()
}
