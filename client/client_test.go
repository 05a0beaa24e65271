package client_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/stampede-bench/stampede/client"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/report"
	"github.com/stampede-bench/stampede/workload"
)

func connect(t *testing.T, f *fake, opts ...client.Option) *client.Client {
	t.Helper()
	c, stop := f.dial(opts...)
	t.Cleanup(stop)
	return c
}

func spec(t *testing.T, text string) *workload.Spec {
	t.Helper()
	s, _, err := workload.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestCalls(t *testing.T) {
	f := newFake()
	c, ctx := connect(t, f, client.WithToken("secret-token")), t.Context()

	id, notices, err := c.Register(ctx, spec(t, `{"endpoint":{"url":"http://h/v1"}}`), client.RegisterOptions{TestID: "mine"})
	if err != nil || id != "mine" || len(notices) != 1 {
		t.Errorf("Register: %q %q %v", id, notices, err)
	}
	if run, err := c.Start(ctx, testID); err != nil || run != runID {
		t.Errorf("Start: %q %v", run, err)
	}
	if got, err := c.Cancel(ctx, testID, false); err != nil || got.State != client.Draining {
		t.Errorf("Cancel: %+v %v", got, err)
	}
	got, err := c.Test(ctx, runID)
	if err != nil || got.ID != testID || got.State != client.Succeeded || !got.State.Terminal() || !got.Created.Equal(anchor) ||
		!got.Ended.IsZero() || got.Spec.Name != "n" || got.Progress.Planned != 9 || got.Progress.TTFTp50 != 5 {
		t.Errorf("Test: %+v %v", got, err)
	}
	var ids []string
	for l, err := range c.List(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, l.ID)
	}
	if !reflect.DeepEqual(ids, []string{"c", "b", "a"}) {
		t.Errorf("List: %v", ids)
	}
	if files, err := c.Delete(ctx, testID); err != nil || len(files) != 1 {
		t.Errorf("Delete: %v %v", files, err)
	}
	if agents, err := c.Agents(ctx); err != nil || len(agents) != 1 || agents[0].Name != "a" || agents[0].ClockOffset != 7 {
		t.Errorf("Agents: %+v %v", agents, err)
	}
	r, raw, err := c.Report(ctx, testID)
	if err != nil || r.ID != runID || r.Verdict.State != report.Valid || string(raw) != fakeReport {
		t.Errorf("Report: %+v %v", r, err)
	}
	for _, token := range f.tokens {
		if token != "Bearer secret-token" {
			t.Errorf("token %q", token)
		}
	}
}

// prompts are rows that fill more than one message even when they are compressed.
func prompts(n int) string {
	var b strings.Builder
	r := rand.New(rand.NewPCG(1, 2))
	for range n {
		fmt.Fprintf(&b, "{\"prompt\":\"%x%x\"}\n", r.Uint64(), r.Uint64())
	}
	return b.String()
}

func TestRegisterResolvesWhatIsTheCallers(t *testing.T) {
	f := newFake()
	env := func(name string) (string, bool) { return "sk-" + name, name == "KEY" || name == "OPENAI_API_KEY" }
	open := func(path string) (io.ReadCloser, error) {
		if path == "there.jsonl" {
			return io.NopCloser(strings.NewReader(prompts(40_000))), nil
		}
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	c := connect(t, f, client.WithLookupEnv(env), client.WithOpenFile(open))

	in := spec(t, `{"endpoint":{"url":"http://h/v1","api_key_env":"KEY"},"dataset":{"path":"there.jsonl"}}`)
	if _, _, err := c.Register(t.Context(), in, client.RegisterOptions{}); err != nil {
		t.Fatal(err)
	}
	if f.spec.GetEndpoint().GetApiKey() != "sk-KEY" || f.spec.GetDataset().GetCorpusHash() != f.uploaded["there.jsonl"] || f.uploaded["there.jsonl"] == "" {
		t.Errorf("registered %v, uploaded %v", f.spec, f.uploaded)
	}
	if !in.Endpoint.APIKey.Empty() || in.Dataset.CorpusHash != "" {
		t.Error("the caller's spec was changed")
	}

	in = spec(t, `{"endpoint":{"url":"http://h/v1","api_key_env":"UNKNOWN"},"dataset":{"path":"elsewhere.jsonl"}}`)
	if _, _, err := c.Register(t.Context(), in, client.RegisterOptions{}); err != nil {
		t.Fatal(err)
	}
	if f.spec.GetEndpoint().GetApiKey() != "" || f.spec.GetDataset().GetPath() != "elsewhere.jsonl" || f.spec.GetDataset().GetCorpusHash() != "" {
		t.Errorf("what is not the caller's must be left to the controller, registered %v", f.spec)
	}

	in = spec(t, `{"endpoint":{"url":"https://api.openai.com/v1"}}`)
	if _, _, err := c.Register(t.Context(), in, client.RegisterOptions{}); err != nil || f.spec.GetEndpoint().GetApiKey() != "sk-OPENAI_API_KEY" {
		t.Errorf("registered %v: %v", f.spec, err)
	}
	in = spec(t, `{"endpoint":{"url":"http://elsewhere/v1"}}`)
	if _, _, err := c.Register(t.Context(), in, client.RegisterOptions{}); err != nil || f.spec.GetEndpoint().GetApiKey() != "" {
		t.Errorf("the key went elsewhere: %v %v", f.spec, err)
	}
}

func TestPathsOfFilesThatWereReadAreAbsolute(t *testing.T) {
	f := newFake()
	c := connect(t, f)
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.WriteFile("here.jsonl", []byte(prompts(1)), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"here.jsonl": filepath.Join(dir, "here.jsonl"), "elsewhere.jsonl": "elsewhere.jsonl"} {
		in := spec(t, fmt.Sprintf(`{"endpoint":{"url":"http://h/v1"},"dataset":{"path":%q}}`, path))
		if _, _, err := c.Register(t.Context(), in, client.RegisterOptions{}); err != nil || f.spec.GetDataset().GetPath() != want {
			t.Errorf("%s: registered %q, want %q: %v", path, f.spec.GetDataset().GetPath(), want, err)
		}
	}
	_, _, err := c.Register(t.Context(), spec(t, fmt.Sprintf(`{"endpoint":{"url":"http://h/v1"},"dataset":{"path":%q}}`, dir)), client.RegisterOptions{})
	var faults workload.Errors
	if !errors.Is(err, client.ErrInvalidSpec) || !errors.As(err, &faults) || faults[0].Path != "dataset.path" || !strings.Contains(err.Error(), "is a folder") {
		t.Errorf("a folder: %v", err)
	}
}

func TestUploadPassesOnWhatReadingFailsWith(t *testing.T) {
	c := connect(t, newFake())
	broken := errors.New("disk on fire")
	_, err := c.UploadDataset(t.Context(), "x.jsonl", io.MultiReader(strings.NewReader("abc"), brokenReader{broken}))
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if hash, err := c.UploadDataset(t.Context(), "empty.jsonl", strings.NewReader("")); err != nil || hash == "" {
		t.Errorf("empty: %q %v", hash, err)
	}
}

type brokenReader struct{ err error }

func (r brokenReader) Read([]byte) (int, error) { return 0, r.err }

func TestErrors(t *testing.T) {
	hinted, err := status.New(codes.FailedPrecondition, "test x is running").WithDetails(&errdetails.ErrorInfo{Reason: "RUNNING", Domain: "stampede"}, &errdetails.LocalizedMessage{Message: "cancel it first"})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		refuse error
		want   error
		text   string
	}{
		{status.Error(codes.NotFound, "there is no test"), client.ErrNotFound, "start test x: there is no test"},
		{status.Error(codes.AlreadyExists, "taken"), client.ErrExists, "start test x: taken"},
		{status.Error(codes.FailedPrecondition, "it was not started"), client.ErrState, "start test x: it was not started"},
		{hinted.Err(), client.ErrState, "start test x: test x is running"},
		{hinted.Err(), client.ErrRunning, "start test x: test x is running"},
		{status.Error(codes.Unavailable, "gone"), client.ErrUnavailable, "start test x: gone"},
		{status.Error(codes.Unauthenticated, "no token"), client.ErrUnauthenticated, "start test x: no token"},
		{status.Error(codes.PermissionDenied, "no"), client.ErrForbidden, "start test x: no"},
		{status.Error(codes.Unimplemented, "what?"), client.ErrUnsupported, "start test x: what?"},
		{status.Error(codes.ResourceExhausted, "much"), client.ErrTooLarge, "start test x: much"},
		{status.Error(codes.InvalidArgument, "bad id"), client.ErrInvalid, "start test x: bad id"},
		{status.Error(codes.Internal, "oops"), nil, "start test x: internal: oops"},
		{badSpec(), client.ErrInvalidSpec, "start test x: load.stages[1].rate: must be greater than 0, got -3; endpoint.url: is required"},
	} {
		f := newFake()
		f.refuse = tt.refuse
		_, err := connect(t, f).Start(t.Context(), "x")
		if err == nil || tt.want != nil && !errors.Is(err, tt.want) || err.Error() != tt.text {
			t.Errorf("got %v, want %q", err, tt.text)
		}
		var detail *client.Error
		if !errors.As(err, &detail) || errors.Is(tt.want, client.ErrRunning) && detail.Hint != "cancel it first" {
			t.Errorf("%v: detail %+v", err, detail)
		}
	}
}

func TestBadSpecNamesEveryViolation(t *testing.T) {
	f := newFake()
	f.refuse = badSpec()
	_, _, err := connect(t, f).Register(t.Context(), spec(t, `{"endpoint":{"url":"http://h/v1"}}`), client.RegisterOptions{})
	var violations workload.Errors
	if !errors.Is(err, client.ErrInvalidSpec) || !errors.As(err, &violations) || len(violations) != 2 ||
		violations[0].Path != "load.stages[1].rate" || violations[1].Hint != "give --url" {
		t.Errorf("got %v, %+v", err, violations)
	}
}

func TestContextErrors(t *testing.T) {
	c := connect(t, newFake())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Test(ctx, testID); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestForeignReport(t *testing.T) {
	f := newFake()
	f.report = `{"something":"else"}`
	if _, _, err := connect(t, f).Report(t.Context(), testID); err == nil || !strings.Contains(err.Error(), "not a Stampede report") {
		t.Errorf("got %v", err)
	}
}

func TestRows(t *testing.T) {
	c := connect(t, newFake())
	var b bytes.Buffer
	n, err := c.WriteRows(t.Context(), testID, &b)
	if err != nil || n != 2 {
		t.Fatalf("%d rows: %v", n, err)
	}
	var got []report.Row
	for row, err := range report.ReadRows(&b) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, row)
	}
	base := anchor.UnixNano()
	if got[0].Phase != "warmup" || got[0].Agent != "a" || got[1].Phase != "measure" || *got[1].Stage != 0 ||
		got[1].ID != runID+"-1" || *got[1].SentUnixNS != base+10-5 || !*got[1].SLOMet || got[1].Model != "sim" || got[1].URL != "http://h/v1" {
		t.Errorf("rows %+v", got)
	}
}

func TestRun(t *testing.T) {
	f := newFake()
	var seen []client.State
	got, err := connect(t, f).Run(t.Context(), spec(t, `{"endpoint":{"url":"http://h/v1"}}`), func(t client.Test) { seen = append(seen, t.State) })
	if err != nil || got.Report.ID != runID || got.Test.State != client.Succeeded || len(got.Notices) != 1 {
		t.Errorf("got %+v %v", got, err)
	}
	if want := []client.State{client.Pending, client.Running, client.Succeeded}; !reflect.DeepEqual(seen, want) {
		t.Errorf("saw %v, want %v", seen, want)
	}
}

// watched collects what a watch yields.
func watched(ctx context.Context, c *client.Client) (revisions []int64, last error) {
	for t, err := range c.Watch(ctx, testID) {
		if last = err; err == nil {
			revisions = append(revisions, t.Revision)
		}
	}
	return revisions, last
}

func TestWatchGoesOnAfterABreak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.streams = [][]*stampedev1.Test{
			{revision(1, stampedev1.State_STATE_PENDING), revision(3, stampedev1.State_STATE_RUNNING)},
			{},
			{revision(3, stampedev1.State_STATE_RUNNING), revision(4, stampedev1.State_STATE_DRAINING)},
			{revision(9, stampedev1.State_STATE_SUCCEEDED), revision(10, stampedev1.State_STATE_SUCCEEDED)},
		}
		c, stop := f.dial()
		defer stop()
		got, err := watched(t.Context(), c)
		if err != nil || !reflect.DeepEqual(got, []int64{1, 3, 4, 9}) {
			t.Errorf("revisions %v, %v", got, err)
		}
		if !reflect.DeepEqual(f.watches, []int64{0, 3, 3, 4}) {
			t.Errorf("asked for revisions after %v", f.watches)
		}
	})
}

func TestWatchLosesPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.streams = [][]*stampedev1.Test{{revision(1, stampedev1.State_STATE_RUNNING)}}
		c, stop := f.dial(client.WithPatience(30 * time.Second))
		defer stop()
		begin := time.Now()
		got, err := watched(t.Context(), c)
		if !errors.Is(err, client.ErrUnavailable) || len(got) != 1 {
			t.Errorf("revisions %v, %v", got, err)
		}
		if took := time.Since(begin); took < 30*time.Second || took > 33*time.Second {
			t.Errorf("gave up after %v, want 30 s", took)
		}
	})
}

func TestWatchOfNothingFailsAtOnce(t *testing.T) {
	for _, refuse := range []error{status.Error(codes.Unavailable, "nobody there"), status.Error(codes.NotFound, "no such test")} {
		f := newFake()
		f.refuse = refuse
		if got, err := watched(t.Context(), connect(t, f)); err == nil || len(got) != 0 || len(f.watches) != 0 {
			t.Errorf("revisions %v, %v", got, err)
		}
	}
}

func TestWatchEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.streams = [][]*stampedev1.Test{{revision(1, stampedev1.State_STATE_RUNNING)}}
		c, stop := f.dial()
		defer stop()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if _, err := watched(ctx, c); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

func TestWatchMayBeLeft(t *testing.T) {
	c := connect(t, newFake())
	for range c.Watch(t.Context(), testID) {
		break
	}
}

func TestDialRefusesNoAddress(t *testing.T) {
	if _, err := client.Dial(""); err == nil {
		t.Error("want an error")
	}
}

func TestTokenDoesNotPrint(t *testing.T) {
	c := connect(t, newFake(), client.WithToken("secret-token"))
	if s := fmt.Sprintf("%v %+v", c, c); strings.Contains(s, "secret-token") {
		t.Errorf("the token shows in %s", s)
	}
}
