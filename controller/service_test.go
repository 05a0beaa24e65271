package controller

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/structpb"

	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
)

func wantCode(t *testing.T, err error, code, text string) {
	t.Helper()
	st, _ := status.FromError(err)
	if st.Code().String() != code || !strings.Contains(st.Message(), text) {
		t.Errorf("got %v: %q, want %s with %q", st.Code(), st.Message(), code, text)
	}
}

// violations are the fields of a BadRequest, with their hints.
func violations(err error) map[string]string {
	fields := map[string]string{}
	for _, d := range status.Convert(err).Details() {
		if b, ok := d.(*errdetails.BadRequest); ok {
			for _, v := range b.GetFieldViolations() {
				fields[v.GetField()] = v.GetDescription() + " / " + v.GetLocalizedMessage().GetMessage()
			}
		}
	}
	return fields
}

func TestStartOfARunningTestIsRefused(t *testing.T) {
	inBubble(t, Config{}, func(r *rig) {
		id := r.register(openSpec)
		first, err := r.tests.StartTest(r.ctx, &stampedev1.StartTestRequest{TestId: id, RequestId: "s"})
		if err != nil || first.GetRunId() != id+".1" {
			t.Fatalf("%v, %v", first, err)
		}
		if again, err := r.tests.StartTest(r.ctx, &stampedev1.StartTestRequest{TestId: id, RequestId: "s"}); err != nil || again.GetRunId() != id+".1" {
			t.Errorf("repeated: %v, %v", again, err)
		}
		_, err = r.tests.StartTest(r.ctx, &stampedev1.StartTestRequest{TestId: id})
		wantCode(t, err, "FailedPrecondition", "already running as "+id+".1")
		_, err = r.tests.DeleteTest(r.ctx, &stampedev1.DeleteTestRequest{TestId: id})
		wantCode(t, err, "FailedPrecondition", "is running")
		if hint := hintIn(err); hint != "cancel it first" {
			t.Errorf("hint %q", hint)
		}
		_, err = r.tests.GetReport(r.ctx, &stampedev1.GetReportRequest{TestId: id})
		wantCode(t, err, "FailedPrecondition", "has not ended: it is PENDING")
		_, err = r.tests.StartTest(r.ctx, &stampedev1.StartTestRequest{TestId: "none"})
		wantCode(t, err, "NotFound", `"none"`)
		r.agent("a").join()
		r.finished(id)
		if next := r.start(id); next != id+".2" {
			t.Errorf("next run is %s", next)
		}
		r.finished(id)
		if got := r.get(id + ".1"); got.GetRunId() != id+".1" || got.GetState() != stampedev1.State_STATE_SUCCEEDED {
			t.Errorf("first run: %v", got)
		}
	})
}

func hintIn(err error) string {
	for _, d := range status.Convert(err).Details() {
		if m, ok := d.(*errdetails.LocalizedMessage); ok {
			return m.GetMessage()
		}
	}
	return ""
}

func TestListPages(t *testing.T) {
	inBubble(t, Config{}, func(r *rig) {
		var want []string
		for range 5 {
			want = append([]string{r.register(openSpec)}, want...)
		}
		var got []string
		token := ""
		for {
			resp, err := r.tests.ListTests(r.ctx, &stampedev1.ListTestsRequest{PageSize: 2, PageToken: token})
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range resp.GetTests() {
				got = append(got, m.GetTestId())
			}
			if token = resp.GetNextPageToken(); token == "" {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("listed %v, want %v", got, want)
		}
		_, err := r.tests.ListTests(r.ctx, &stampedev1.ListTestsRequest{PageSize: 1001})
		wantCode(t, err, "InvalidArgument", "page_size")
		_, err = r.tests.ListTests(r.ctx, &stampedev1.ListTestsRequest{PageToken: "nonsense"})
		wantCode(t, err, "InvalidArgument", "page_token")
	})
}

// A page holds as many tests as a client takes by default, however large they are.
func TestListPagesAreBounded(t *testing.T) {
	inBubble(t, Config{}, func(r *rig) {
		var want, got []string
		for i := range 5 {
			s := spec(t, openSpec)
			s.Sampling = &stampedev1.Sampling{ExtraBody: &structpb.Struct{Fields: map[string]*structpb.Value{"x": structpb.NewStringValue(strings.Repeat("x", (1+i%3)<<20))}}}
			reg, err := r.tests.RegisterTest(r.ctx, &stampedev1.RegisterTestRequest{Spec: s})
			if err != nil {
				t.Fatal(err)
			}
			want = append([]string{reg.GetTestId()}, want...)
		}
		for token := ""; ; {
			resp, err := r.tests.ListTests(r.ctx, &stampedev1.ListTestsRequest{PageToken: token})
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range resp.GetTests() {
				got = append(got, m.GetTestId())
			}
			if token = resp.GetNextPageToken(); token == "" {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("listed %v, want %v", got, want)
		}
	})
}

func TestSecretsStayInside(t *testing.T) {
	const secret = "sk-Ma7rk3d-s3cr3t"
	inBubble(t, Config{}, func(r *rig) {
		r.agent("a").join()
		s := spec(t, openSpec)
		s.Endpoint.ApiKey = secret
		s.Endpoint.Headers = map[string]string{"X-Api-Key": secret, "X-Plain": "shown"}
		reg, err := r.tests.RegisterTest(r.ctx, &stampedev1.RegisterTestRequest{Spec: s})
		if err != nil {
			t.Fatal(err)
		}
		end := r.finished(r.start(reg.GetTestId()))
		wantState(t, end, stampedev1.State_STATE_SUCCEEDED)
		list, err := r.tests.ListTests(r.ctx, &stampedev1.ListTestsRequest{})
		if err != nil {
			t.Fatal(err)
		}
		shown := protojson.Format(end) + protojson.Format(list) + r.report(reg.GetTestId())
		if strings.Contains(shown, secret) {
			t.Error("an answer holds the secret")
		}
		if end.GetSpec().GetEndpoint().GetApiKey() != "" || end.GetSpec().GetEndpoint().GetHeaders()["X-Plain"] != "shown" {
			t.Errorf("endpoint shown: %v", end.GetSpec().GetEndpoint())
		}
		err = filepath.WalkDir(r.c.cfg.DataDir, func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			raw, err := os.ReadFile(path)
			if bytes.Contains(raw, []byte(secret)) {
				t.Errorf("%s holds the secret", path)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
}

func TestKeyComesFromTheControllersEnvironment(t *testing.T) {
	cfg := Config{AllowEnv: []string{"KEY", "MISSING"}, LookupEnv: func(name string) (string, bool) { return "the-key", name == "KEY" }}
	inBubble(t, cfg, func(r *rig) {
		f := r.agent("a").join()
		keyed := func(env string) string {
			return strings.Replace(openSpec, "model: m", "model: m, api_key_env: "+env, 1)
		}
		id := r.run(keyed("KEY"))
		r.sleep(2 * time.Second)
		f.mu.Lock()
		for _, s := range f.shards {
			if key := s.spec.Endpoint.APIKey.Reveal(); key != "the-key" {
				t.Errorf("the agent was given the key %q", key)
			}
		}
		f.mu.Unlock()
		wantState(t, r.finished(id), stampedev1.State_STATE_SUCCEEDED)
		end := r.finished(r.run(keyed("MISSING")))
		wantState(t, end, stampedev1.State_STATE_FAILED)
		if !strings.Contains(end.GetReason(), "has no MISSING") {
			t.Errorf("reason %q", end.GetReason())
		}
	})
}

func (r *rig) upload(name string, pieces ...[]byte) (*stampedev1.UploadDatasetResponse, error) {
	stream, err := r.tests.UploadDataset(r.ctx)
	if err != nil {
		return nil, err
	}
	for i, p := range pieces {
		m := &stampedev1.UploadDatasetRequest{Data: p}
		if i == 0 {
			m.FileName = name
		}
		if stream.Send(m) != nil {
			break
		}
	}
	return stream.CloseAndRecv()
}

func TestUploadedDataReachesTheAgents(t *testing.T) {
	inBubble(t, Config{MaxUpload: 10_000}, func(r *rig) {
		var data []byte
		for i := range 20 {
			data = fmt.Appendf(data, "{\"prompt\":\"question %d\",\"output_tokens\":5}\n", i)
		}
		up, err := r.upload("../dir/questions.jsonl", data[:100], data[100:])
		if err != nil || up.GetSizeBytes() != int64(len(data)) {
			t.Fatalf("%v, %v", up, err)
		}
		corpus, err := os.ReadFile(filepath.Join(r.c.files.corpora(), up.GetCorpusHash()))
		sum := sha256.Sum256(corpus)
		if err != nil || up.GetCorpusHash() != hex.EncodeToString(sum[:]) {
			t.Fatalf("hash %s, %v", up.GetCorpusHash(), err)
		}
		if again, err := r.upload("questions.corpus", corpus); err != nil || again.GetCorpusHash() != up.GetCorpusHash() {
			t.Errorf("the corpus file itself: %v, %v", again, err)
		}
		r.agent("a").join()
		r.agent("b").join()
		end := r.finished(r.run(openSpec + "\ndataset: {name: jsonl, corpus_hash: " + up.GetCorpusHash() + "}"))
		wantState(t, end, stampedev1.State_STATE_SUCCEEDED)
		books(t, end, 100, 100, 0, 0)

		_, err = r.upload("big.jsonl", make([]byte, 9000), make([]byte, 9000))
		wantCode(t, err, "ResourceExhausted", "10000 bytes")
		_, err = r.upload("", []byte("x"))
		wantCode(t, err, "InvalidArgument", "file_name")
		_, err = r.upload("x")
		wantCode(t, err, "InvalidArgument", "empty")
		_, err = r.upload("bad.jsonl", []byte("{\"prompt\":\"x\"}\n{\"prompt\":7}\n"))
		wantCode(t, err, "InvalidArgument", "bad.jsonl:2:11: prompt: must be a string, got number")
		left, err := filepath.Glob(filepath.Join(r.c.files.corpora(), ".*"))
		if err != nil || len(left) != 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	})
}

func TestHealth(t *testing.T) {
	inBubble(t, Config{}, func(r *rig) {
		r.settled()
		resp, err := healthv1.NewHealthClient(r.dial()).Check(r.ctx, &healthv1.HealthCheckRequest{})
		if err != nil || resp.GetStatus() != healthv1.HealthCheckResponse_SERVING {
			t.Errorf("health %v, %v", resp, err)
		}
		for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/other": 404} {
			w := httptest.NewRecorder()
			r.c.HTTPHandler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
			if w.Code != want {
				t.Errorf("%s: %d", path, w.Code)
			}
		}
	})
	c, err := New(Config{DataDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	c.HTTPHandler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
	if w.Code != http.StatusServiceUnavailable {
		t.Errorf("before Run: %d", w.Code)
	}
}

func TestConfigIsChecked(t *testing.T) {
	for name, cfg := range map[string]Config{
		"DataDir":   {},
		"Heartbeat": {DataDir: t.TempDir(), Lease: time.Second, Heartbeat: time.Second},
		"Lease":     {DataDir: t.TempDir(), Lease: -time.Second, Heartbeat: -time.Minute},
	} {
		if _, err := New(cfg); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
