package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/stampede-bench/stampede/internal/wire"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/workload"
)

// noticesKey is the context key of what reading a spec had to say.
type noticesKey struct{}

// normalise gives RegisterTest's spec the form of its message: here as everywhere
// it may be written as people write it, or be the original's body, and its errors
// name keys and hints. It returns nil when it has answered.
func (r *rest) normalise(w http.ResponseWriter, req *http.Request) *http.Request {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		writeDetail(w, http.StatusBadRequest, "the body can't be read")
		return nil
	}
	var outer map[string]json.RawMessage
	if json.Unmarshal(body, &outer) != nil || outer["spec"] == nil {
		return withBody(req, body) // the transcoder says what is wrong
	}
	parsed, err := workload.ParseFull(outer["spec"])
	var errs workload.Errors
	if err != nil && errors.As(parsed.AllFaults(err, r.faults(parsed.Partial)), &errs) {
		writeJSON(w, http.StatusBadRequest, problemOfSpec(errs))
		return nil
	}
	if outer["spec"], err = specMessage(parsed.Spec); err == nil {
		if outer["test_id"] == nil && outer["testId"] == nil && parsed.TestID != "" {
			outer["testId"], err = json.Marshal(parsed.TestID)
		}
		if err == nil {
			body, err = json.Marshal(outer)
		}
	}
	if err != nil {
		writeDetail(w, http.StatusBadRequest, err.Error())
		return nil
	}
	return withBody(req.WithContext(context.WithValue(req.Context(), noticesKey{}, parsed.Notices)), body)
}

func specMessage(s *workload.Spec) (json.RawMessage, error) {
	m, err := wire.SpecToProto(s)
	if err != nil {
		return nil, err
	}
	return protojson.Marshal(m)
}

func withBody(req *http.Request, body []byte) *http.Request {
	req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return req
}

// addNotices puts what reading the spec had to say before what registering did.
func addNotices(ctx context.Context, m proto.Message) (any, error) {
	if resp, ok := m.(*stampedev1.RegisterTestResponse); ok {
		if notices, ok := ctx.Value(noticesKey{}).([]string); ok {
			resp.Notices = append(notices, resp.Notices...)
		}
	}
	return m, nil
}

// uploadPiece is how many bytes of a file one message carries.
const uploadPiece = 256 << 10

// upload takes a file as it stands: POST /v1/datasets?file_name=NAME with the
// bytes as the body.
func (r *rest) upload(w http.ResponseWriter, req *http.Request) {
	resp, err := r.send(req)
	if err != nil {
		s := status.Convert(err)
		writeJSON(w, statusOf(s.Code()), problemOf(s))
		return
	}
	body, err := newMarshaler().Marshal(resp)
	if err != nil {
		writeDetail(w, http.StatusInternalServerError, "the answer could not be encoded")
		return
	}
	writeRaw(w, http.StatusOK, body)
}

func (r *rest) send(req *http.Request) (*stampedev1.UploadDatasetResponse, error) {
	ctx, cancel := context.WithCancel(req.Context())
	defer cancel()
	ctx, err := runtime.AnnotateContext(ctx, r.mux, req, stampedev1.TestService_UploadDataset_FullMethodName)
	if err != nil {
		return nil, err
	}
	stream, err := r.client.UploadDataset(ctx)
	if err != nil {
		return nil, err
	}
	m := &stampedev1.UploadDatasetRequest{FileName: req.URL.Query().Get("file_name")}
	buf := make([]byte, uploadPiece)
	for last := false; !last; {
		n, err := io.ReadFull(req.Body, buf)
		if last = errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF); err != nil && !last {
			return nil, status.Error(codes.InvalidArgument, "the file did not come whole")
		}
		m.Data = buf[:n]
		if stream.Send(m) != nil {
			break // the service has answered already
		}
		m = &stampedev1.UploadDatasetRequest{}
	}
	return stream.CloseAndRecv()
}
