package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"unicode/utf8"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/genproto/googleapis/rpc/code"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	restapi "github.com/stampede-bench/stampede/controller/gateway/restapi"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/workload"
)

const (
	testsPath  = "/v1/tests"
	uploadPath = "/v1/datasets"
)

// maxAnswer bounds one message of the services: a report of a long run.
const maxAnswer = 256 << 20

func dialPipe(pipe *bufconn.Listener) (*grpc.ClientConn, error) {
	return grpc.NewClient("passthrough:///controller",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return pipe.DialContext(ctx) }),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxAnswer)))
}

// rest is /v1: the services as JSON.
type rest struct {
	mux    *runtime.ServeMux
	client stampedev1.TestServiceClient
	faults func(partial *workload.Spec) workload.Errors // Control's
}

func newREST(conn *grpc.ClientConn, faults func(*workload.Spec) workload.Errors) (*rest, error) {
	mux := runtime.NewServeMux(
		runtime.WithMarshalerOption(runtime.MIMEWildcard, newMarshaler()),
		runtime.WithIncomingHeaderMatcher(noHeader), // Authorization is always passed on
		runtime.WithOutgoingHeaderMatcher(noHeader),
		runtime.WithOutgoingTrailerMatcher(noHeader),
		runtime.WithForwardResponseRewriter(addNotices),
		runtime.WithErrorHandler(writeError),
		runtime.WithStreamErrorHandler(noteError),
		runtime.WithRoutingErrorHandler(writeRoutingError),
		runtime.WithDisablePathLengthFallback(),
		runtime.WithDisableHTTPMethodOverride(),
		runtime.WithDisableChunkedEncoding(), // net/http knows when
	)
	r := &rest{mux: mux, client: stampedev1.NewTestServiceClient(conn), faults: faults}
	return r, restapi.RegisterTestServiceHandlerClient(context.Background(), mux, r.client)
}

func noHeader(string) (string, bool) { return "", false }

// ServeHTTP implements http.Handler. What follows no message of the services is
// brought into that form first.
func (r *rest) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	req.Header.Del("Grpc-Timeout")
	if !isUTF8(req.URL) {
		writeJSON(w, http.StatusBadRequest, problem{Detail: "the path and the query must be UTF-8", Code: code.Code_INVALID_ARGUMENT.String()})
		return
	}
	switch {
	case req.Method == http.MethodPost && req.URL.Path == testsPath:
		if req = r.normalise(w, req); req == nil {
			return
		}
	case req.Method == http.MethodPost && req.URL.Path == uploadPath && req.URL.Query().Has("file_name"):
		r.upload(w, req)
		return
	}
	var ended codes.Code
	req = req.WithContext(context.WithValue(req.Context(), endedKey{}, &ended))
	r.mux.ServeHTTP(&streamWriter{ResponseWriter: w, ended: &ended}, req)
}

// isUTF8 reports whether an address holds text alone: a message takes nothing else.
func isUTF8(u *url.URL) bool {
	query, err := url.QueryUnescape(u.RawQuery)
	return utf8.ValidString(u.Path) && (err != nil || utf8.ValidString(query))
}

// endedKey is the context key of the code that a stream has ended with.
type endedKey struct{}

func noteError(ctx context.Context, err error) *status.Status {
	s := status.Convert(err)
	if ended, ok := ctx.Value(endedKey{}).(*codes.Code); ok {
		*ended = s.Code()
	}
	return s
}

// streamWriter gives a stream that ends before its first message the status that
// other answers with that code have; the transcoder has a mapping of its own.
type streamWriter struct {
	http.ResponseWriter
	ended *codes.Code
}

// WriteHeader implements http.ResponseWriter.
func (s *streamWriter) WriteHeader(code int) {
	if *s.ended != codes.OK {
		code = statusOf(*s.ended)
	}
	s.ResponseWriter.WriteHeader(code)
}

// Unwrap is for http.ResponseController.
func (s *streamWriter) Unwrap() http.ResponseWriter { return s.ResponseWriter }

func writeError(_ context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, _ *http.Request, err error) {
	s := status.Convert(err)
	writeJSON(w, statusOf(s.Code()), plainProblem(s))
}

func writeRoutingError(_ context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, _ *http.Request, code int) {
	writeDetail(w, code, http.StatusText(code))
}

// marshaler is the JSON of /v1: that of protobuf, but that a report is the report
// itself, and a stream one message a line.
type marshaler struct{ runtime.JSONPb }

func newMarshaler() *marshaler {
	return &marshaler{runtime.JSONPb{MarshalOptions: protojson.MarshalOptions{EmitDefaultValues: true}}}
}

// Marshal implements runtime.Marshaler.
func (m *marshaler) Marshal(v any) ([]byte, error) {
	switch v := v.(type) {
	case *stampedev1.GetReportResponse:
		return v.GetReportJson(), nil
	case map[string]any: // a message of a stream
		return m.Marshal(v["result"])
	case map[string]proto.Message: // what ended a stream
		if s, ok := v["error"].(*spb.Status); ok {
			return json.Marshal(problemOf(status.FromProto(s)))
		}
	case proto.Message:
		b, err := m.JSONPb.Marshal(v)
		if err != nil {
			return nil, err
		}
		return compact(b)
	}
	return m.JSONPb.Marshal(v)
}

// StreamContentType implements runtime.StreamContentType.
func (m *marshaler) StreamContentType(any) string { return "application/x-ndjson" }

// maxMessage bounds one message of a body that is streamed, in bytes.
const maxMessage = 8 << 20

var errMessage = errors.New("a message of a stream may have 8 MiB")

// NewDecoder implements runtime.Marshaler.
func (m *marshaler) NewDecoder(r io.Reader) runtime.Decoder {
	b := &budget{r: r}
	return &decoder{budget: b, inner: m.JSONPb.NewDecoder(b)}
}

// decoder reads messages of bounded size.
type decoder struct {
	budget *budget
	inner  runtime.Decoder
}

// Decode implements runtime.Decoder.
func (d *decoder) Decode(v any) error {
	d.budget.left = maxMessage
	return d.inner.Decode(v)
}

// budget is a reader that gives so many bytes for each message.
type budget struct {
	r    io.Reader
	left int
}

// Read implements io.Reader.
func (b *budget) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errMessage
	}
	n, err := b.r.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// compact undoes the random blanks that protojson puts in.
func compact(b []byte) ([]byte, error) {
	var out bytes.Buffer
	out.Grow(len(b))
	err := json.Compact(&out, b)
	return out.Bytes(), err
}
