package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
)

// fakeService answers with what it was asked, one test that exists.
type fakeService struct {
	stampedev1.UnimplementedTestServiceServer
	control *fakeControl
}

func (f *fakeService) test(id string) (*stampedev1.Test, error) {
	if !strings.HasPrefix(id, "known") {
		st, err := status.New(codes.NotFound, `test "`+id+`": not found`).WithDetails(&errdetails.LocalizedMessage{Locale: "en", Message: "list them"})
		if err != nil {
			return nil, err
		}
		return nil, st.Err()
	}
	return &stampedev1.Test{TestId: id, State: stampedev1.State_STATE_RUNNING, Revision: 7, CreateTime: timestamppb.New(time.Now()), Progress: &stampedev1.Progress{PlannedCount: 591}}, nil
}

func (f *fakeService) RegisterTest(_ context.Context, req *stampedev1.RegisterTestRequest) (*stampedev1.RegisterTestResponse, error) {
	id := req.GetTestId()
	if id == "" {
		id = "known-" + req.GetSpec().GetName()
	}
	key := "no key"
	if req.GetSpec().GetEndpoint().GetApiKey() == "sk-1" {
		key = "the key came through"
	}
	return &stampedev1.RegisterTestResponse{TestId: id, Notices: []string{key, "url " + req.GetSpec().GetEndpoint().GetUrl()}}, nil
}

func (f *fakeService) StartTest(_ context.Context, req *stampedev1.StartTestRequest) (*stampedev1.StartTestResponse, error) {
	if _, err := f.test(req.GetTestId()); err != nil {
		return nil, err
	}
	if req.GetRequestId() == "busy" {
		return nil, status.Error(codes.FailedPrecondition, "test is already running")
	}
	return &stampedev1.StartTestResponse{RunId: req.GetTestId() + ".1"}, nil
}

func (f *fakeService) CancelTest(_ context.Context, req *stampedev1.CancelTestRequest) (*stampedev1.CancelTestResponse, error) {
	test, err := f.test(req.GetTestId())
	if req.GetImmediate() && test != nil {
		test.Reason = "at once"
	}
	return &stampedev1.CancelTestResponse{Test: test}, err
}

func (f *fakeService) GetTest(ctx context.Context, req *stampedev1.GetTestRequest) (*stampedev1.GetTestResponse, error) {
	test, err := f.test(req.GetTestId())
	if test != nil {
		md, _ := metadata.FromIncomingContext(ctx)
		test.Reason = strings.Join(md.Get("authorization"), ",") + strings.Join(md.Get("x-evil"), ",")
	}
	return &stampedev1.GetTestResponse{Test: test}, err
}

func (f *fakeService) ListTests(_ context.Context, req *stampedev1.ListTestsRequest) (*stampedev1.ListTestsResponse, error) {
	test, _ := f.test("known-1")
	return &stampedev1.ListTestsResponse{Tests: []*stampedev1.Test{test}[:min(req.GetPageSize(), 1)], NextPageToken: req.GetPageToken()}, nil
}

func (f *fakeService) DeleteTest(_ context.Context, req *stampedev1.DeleteTestRequest) (*stampedev1.DeleteTestResponse, error) {
	_, err := f.test(req.GetTestId())
	return &stampedev1.DeleteTestResponse{DeletedFiles: []string{"report_" + req.GetTestId() + ".json"}}, err
}

func (f *fakeService) WatchTest(req *stampedev1.WatchTestRequest, stream grpc.ServerStreamingServer[stampedev1.WatchTestResponse]) error {
	test, err := f.test(req.GetTestId())
	if err != nil {
		return err
	}
	for range 2 {
		if test.Revision++; test.Revision > req.GetAfterRevision() {
			if err := stream.Send(&stampedev1.WatchTestResponse{Test: test}); err != nil {
				return err
			}
		}
	}
	if req.GetTestId() == "known-broken" {
		return status.Error(codes.Unavailable, "the controller has ended")
	}
	return nil
}

func (f *fakeService) GetReport(_ context.Context, req *stampedev1.GetReportRequest) (*stampedev1.GetReportResponse, error) {
	_, err := f.test(req.GetTestId())
	return &stampedev1.GetReportResponse{RunId: "known.1", ReportJson: []byte("{\n  \"request_num\": 591,\n  \"TTFT\": null\n}\n")}, err
}

func (f *fakeService) StreamSamples(req *stampedev1.StreamSamplesRequest, stream grpc.ServerStreamingServer[stampedev1.StreamSamplesResponse]) error {
	if _, err := f.test(req.GetTestId()); err != nil {
		return err
	}
	if req.GetTestId() == "known-busy" {
		return status.Error(codes.FailedPrecondition, "it has not ended")
	}
	return stream.Send(&stampedev1.StreamSamplesResponse{Agent: "a", Samples: []*stampedev1.Sample{{Index: 1, Outcome: stampedev1.Outcome_OUTCOME_SUCCEEDED}}})
}

func (f *fakeService) ListAgents(context.Context, *stampedev1.ListAgentsRequest) (*stampedev1.ListAgentsResponse, error) {
	return &stampedev1.ListAgentsResponse{Agents: []*stampedev1.Agent{{AgentId: "agent-1", Name: "a", CpuCount: 2}}}, nil
}

func (f *fakeService) UploadDataset(stream grpc.ClientStreamingServer[stampedev1.UploadDatasetRequest, stampedev1.UploadDatasetResponse]) error {
	name, size := "", int64(0)
	for {
		m, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return stream.SendAndClose(&stampedev1.UploadDatasetResponse{CorpusHash: "hash of " + name, SizeBytes: size})
		}
		if err != nil {
			return err
		}
		name, size = name+m.GetFileName(), size+int64(len(m.GetData()))
	}
}

// serving runs the gateway during a test.
func (r *rig) serving(test func()) {
	r.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.g.Run(ctx) }()
	synctest.Wait()
	test()
	stop()
	if err := <-done; err != nil {
		r.t.Errorf("Run: %v", err)
	}
}

func TestREST(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.serving(func() {
			s := &transcript{r: r}
			for _, tt := range [][3]string{
				{"POST", "/v1/tests", `{"spec": {"name": "chat", "endpoint": {"url": "http://h:8000/v1", "api_key": "sk-1"}, "load": {"stages": [{"rate": 10, "duration": "1m30s"}]}}, "requestId": "r"}`},
				{"POST", "/v1/tests", `{"spec": {"url":"http://h:8000/v1","model":"m","endpoint_type":"vllm","dataset_name":"synthesizer","test_id":"known-seed","dataset_config":{"func":"lambda t: 1 if t < 2 else None","prompt_source":"synthetic"},"kwargs":{"temprature":1}}}`},
				{"POST", "/v1/tests", `{"spec": {"endpoint": {"url": "http://h"}, "load": {"stages": [{"rate": -3}]}, "slow": {}}}`},
				{"POST", "/v1/tests", `{"spec": {"endpoint": {"api_key": 12345}}}`},
				{"POST", "/v1/tests", `{"spec": 5}`},
				{"POST", "/v1/tests", `{"sepc": {}}`},
				{"POST", "/v1/tests", `{`},
				{"POST", "/v1/tests", ``},
				{"POST", "/v1/tests/known-1/start", ``},
				{"POST", "/v1/tests/known-1/start", `{}`},
				{"POST", "/v1/tests/known-1/start", `{"requestId":"busy"}`},
				{"POST", "/v1/tests/unknown/start", ``},
				{"POST", "/v1/tests/known-1/start", `{"nonsense":1}`},
				{"POST", "/v1/tests/known-1.1/cancel", `{"immediate":true}`},
				{"GET", "/v1/tests/known-1", ``},
				{"GET", "/v1/tests/unknown", ``},
				{"GET", "/v1/tests?page_size=1&page_token=t", ``},
				{"GET", "/v1/tests?pageSize=x", ``},
				{"DELETE", "/v1/tests/known-1", ``},
				{"GET", "/v1/tests/known-1/watch?after_revision=8", ``},
				{"GET", "/v1/tests/known-1/watch", ``},
				{"GET", "/v1/tests/known-broken/watch", ``},
				{"GET", "/v1/tests/unknown/watch", ``},
				{"GET", "/v1/tests/known-busy/samples", ``},
				{"GET", "/v1/tests/known-1/report", ``},
				{"GET", "/v1/tests/known-1/samples", ``},
				{"GET", "/v1/agents", ``},
				{"POST", "/v1/datasets", "{\"fileName\":\"p.json\",\"data\":\"aGVs\"}\n{\"data\":\"bG8=\"}\n"},
				{"POST", "/v1/datasets?file_name=p.json", "hello"},
				{"POST", "/v1/datasets", `{"data":5}`},
				{"PUT", "/v1/tests", `{}`},
				{"HEAD", "/v1/tests/known-1", ``},
				{"GET", "/v1/nothing", ``},
				{"GET", "/v1/tests/..%2Fknown-1", ``},
				{"GET", "/v1/tests/%8e", ``},
				{"GET", "/v1/tests?page_token=%8e", ``},
				{"POST", "/v1/datasets?file_name=%ff", "hello"},
				{"GET", "/v1", ``},
			} {
				s.ask(tt[0], tt[1], tt[2])
			}
			golden(t, "rest.txt", strings.ReplaceAll(s.out.String(), "\u00a0", " "))
		})
	})
}

// Only Authorization is passed on to the services.
func TestRESTHeaders(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.serving(func() {
			req := httptest.NewRequest(http.MethodGet, "/v1/tests/known-1", nil)
			for name, v := range map[string]string{"Authorization": "Bearer x", "Grpc-Metadata-X-Evil": "1", "X-Evil": "2", "Grpc-Timeout": "1n", "X-HTTP-Method-Override": "DELETE"} {
				req.Header.Set(name, v)
			}
			w := httptest.NewRecorder()
			r.handler.ServeHTTP(w, req)
			var got struct{ Test struct{ Reason string } }
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || got.Test.Reason != "Bearer x" {
				t.Errorf("%d %s: %v", w.Code, w.Body, err)
			}
		})
	})
}

// One message of an upload may not fill the memory, all of them may.
func TestUploadLimits(t *testing.T) {
	inBubble(t, func(r *rig) {
		r.serving(func() {
			piece := `{"data":"` + strings.Repeat("AAAA", 1<<20) + `"}` + "\n"
			if w := r.ask(http.MethodPost, "/v1/datasets", strings.Repeat(piece, 3)); w.Code != 200 || !strings.Contains(w.Body.String(), `"9437184"`) {
				t.Errorf("3 pieces: %d %s", w.Code, w.Body)
			}
			if w := r.ask(http.MethodPost, "/v1/datasets", `{"data":"`+strings.Repeat("AAAA", 3<<20)+`"}`); w.Code != 400 || !strings.Contains(w.Body.String(), "8 MiB") {
				t.Errorf("one large piece: %d %.200s", w.Code, w.Body)
			}
			big := bytes.Repeat([]byte("x"), 9<<20)
			if w := r.ask(http.MethodPost, "/v1/datasets?file_name=big", string(big)); w.Code != 200 || !strings.Contains(w.Body.String(), `"9437184"`) {
				t.Errorf("a file as it stands: %d %s", w.Code, w.Body)
			}
		})
	})
}
