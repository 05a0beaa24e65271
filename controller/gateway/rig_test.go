package gateway

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/stampede-bench/stampede/controller/store"
	"github.com/stampede-bench/stampede/internal/secret"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/report"
	"github.com/stampede-bench/stampede/workload"
)

func TestMain(m *testing.M) {
	time.Local = time.UTC // answers show local time
	os.Exit(m.Run())
}

// rig is a gateway before a store with some tests, in a bubble, so that answers
// are the same each time.
type rig struct {
	t       testing.TB
	g       *Gateway
	control *fakeControl
	handler http.Handler
}

func inBubble(t *testing.T, test func(*rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.populate()
		test(r)
	})
}

func newRig(t testing.TB) *rig {
	t.Helper()
	st, err := store.New()
	if err != nil {
		t.Fatal(err)
	}
	control := &fakeControl{t: t, store: st, reports: map[string][]byte{}}
	g := New(Config{
		Services: func(s grpc.ServiceRegistrar) {
			stampedev1.RegisterTestServiceServer(s, &fakeService{control: control})
		},
		Store: st, Control: control, Ready: func() bool { return true }, Version: "v0.0.0-test",
	})
	g.plots.requests = func(w io.Writer, _ *report.Report) error {
		_, err := io.WriteString(w, "\x89PNG")
		return err
	}
	g.plots.throughput = g.plots.requests // drawing takes a while
	return &rig{t: t, g: g, control: control, handler: g.Handler()}
}

// populate registers a test in each state, one a minute.
func (r *rig) populate() { r.populateEvery(time.Minute) }

// populateNow does without time passing.
func (r *rig) populateNow() { r.populateEvery(0) }

func (r *rig) populateEvery(pause time.Duration) {
	r.t.Helper()
	for _, tt := range []struct {
		id    string
		state stampedev1.State
	}{
		{"registered", stampedev1.State_STATE_REGISTERED},
		{"waiting", stampedev1.State_STATE_PENDING},
		{"running", stampedev1.State_STATE_RUNNING},
		{"draining", stampedev1.State_STATE_DRAINING},
		{"failed", stampedev1.State_STATE_FAILED},
		{"cancelled", stampedev1.State_STATE_CANCELLED},
		{"done", stampedev1.State_STATE_SUCCEEDED},
	} {
		body := fmt.Sprintf(`{"url":"http://10.0.0.42:8000/v1","model":"m-%s","endpoint_type":"vllm","key":"***"}`, tt.id)
		r.insert(tt.id, []byte(body))
		time.Sleep(pause)
		if tt.state != stampedev1.State_STATE_REGISTERED {
			r.begin(tt.id, tt.state)
		}
	}
	for _, a := range []store.Agent{{ID: "agent-1", Name: "a", Connected: true}, {ID: "agent-2", Name: "b"}} {
		if err := r.control.store.PutAgent(a); err != nil {
			r.t.Fatal(err)
		}
	}
}

func (r *rig) insert(id string, body []byte) {
	r.t.Helper()
	spec := &workload.Spec{Endpoint: workload.Endpoint{Type: "vllm", URL: "http://10.0.0.42:8000/v1", Model: "m-" + id, APIKey: secret.New("sk-hidden")}}
	if _, _, err := r.control.store.InsertTest(store.Test{ID: id, Spec: spec, Body: body, CreateTime: time.Now()}); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) begin(id string, state stampedev1.State) {
	r.t.Helper()
	run, _, err := r.control.store.BeginRun(id, "", time.Now(), func(*store.Run) error { return nil })
	if err != nil {
		r.t.Fatal(err)
	}
	err = r.control.store.UpdateRun(run.ID, func(row *store.Run) {
		row.State = state
		if state == stampedev1.State_STATE_FAILED || state == stampedev1.State_STATE_CANCELLED {
			row.Reason = "the endpoint answered 401 to the probe"
		}
		if state != stampedev1.State_STATE_PENDING {
			row.Progress = &stampedev1.Progress{
				PlannedCount: 591, SentCount: 100, InFlightCount: 8, SucceededCount: 90, FailedCount: 2,
				OutputTokensPerSecond: 1234.5, TtftP50Nanos: 20e6, TtftP99Nanos: 90e6,
			}
		}
		if state == stampedev1.State_STATE_SUCCEEDED {
			row.WorkloadHash = strings.Repeat("ab", 32)
			row.Report = []byte(strings.ReplaceAll(smallReport, "ID", id))
			r.control.reports[id], r.control.reports[run.ID] = row.Report, row.Report
		}
	})
	if err != nil {
		r.t.Fatal(err)
	}
}

// smallReport is as much of a report as the plots need.
const smallReport = `{"id": "ID.1", "test_id": "ID", "verdict": {"state": "valid"}, "stampede_version": "v0.0.0-test", "request_num": 3,
  "series": {"interval": 1, "t": [0, 1, 2], "sent": [1, 1, 1], "done": [0, 1, 2], "failed": [0, 0, 0], "in_flight": [0, 1, 1], "output_tokens": [0, 10, 20], "ttft_p50": [null, null, null], "ttft_p99": [null, null, null]}}
`

// end ends all runs but that of one test.
func (r *rig) end(but string) {
	r.t.Helper()
	for _, run := range r.control.store.AllRuns(nil) {
		if run.TestID == but || run.Ended() {
			continue
		}
		if err := r.control.store.UpdateRun(run.ID, func(row *store.Run) { row.State = stampedev1.State_STATE_SUCCEEDED }); err != nil {
			r.t.Fatal(err)
		}
	}
}

// ask sends a request and returns the answer.
func (r *rig) ask(method, target, body string) *httptest.ResponseRecorder {
	r.t.Helper()
	w := httptest.NewRecorder()
	r.handler.ServeHTTP(w, httptest.NewRequest(method, target, strings.NewReader(body)))
	return w
}

// fakeControl does with the store what the controller would.
type fakeControl struct {
	t       testing.TB
	store   *store.Store
	reports map[string][]byte
	number  atomic.Int64
	refuse  error // what Register says instead
}

// Register implements Control.
func (c *fakeControl) Register(n NewTest) (*store.Test, error) {
	if c.refuse != nil {
		return nil, c.refuse
	}
	if err := n.Spec.NotYet(); err != nil {
		return nil, err
	}
	if n.ID == "" {
		n.ID = fmt.Sprintf("00000000-0000-4000-8000-%012d", c.number.Add(1))
	}
	row, _, err := c.store.InsertTest(store.Test{ID: n.ID, Spec: n.Spec, Body: n.Body, Notices: n.Notices, CreateTime: time.Now()})
	if errors.Is(err, store.ErrExist) {
		err = status.Error(codes.AlreadyExists, err.Error())
	}
	return row, err
}

// Faults implements Control.
func (c *fakeControl) Faults(*workload.Spec) workload.Errors { return nil }

// Start implements Control.
func (c *fakeControl) Start(testID string) error {
	_, _, err := c.store.BeginRun(testID, "", time.Now(), func(latest *store.Run) error {
		if latest != nil && !latest.Ended() {
			return status.Error(codes.FailedPrecondition, "it is under way")
		}
		return nil
	})
	if errors.Is(err, store.ErrNotExist) {
		err = status.Error(codes.NotFound, err.Error())
	}
	return err
}

// Delete implements Control.
func (c *fakeControl) Delete(testID string) ([]string, error) {
	runs, err := c.store.DeleteTest(testID, func(runs []*store.Run) error {
		for _, r := range runs {
			if !r.Ended() {
				return status.Errorf(codes.FailedPrecondition, "test %s is running as %s", testID, r.ID)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var files []string
	for _, r := range runs {
		files = append(files, "report_"+r.ID+".json")
	}
	return files, nil
}

// Report implements Control.
func (c *fakeControl) Report(id string) ([]byte, error) {
	if raw := c.reports[id]; raw != nil {
		return raw, nil
	}
	return nil, status.Error(codes.FailedPrecondition, "it has not ended")
}

// OutputTokens implements Control.
func (c *fakeControl) OutputTokens(_ string, seconds int) float64 { return 10 * float64(seconds) }

// Artefacts implements Control.
func (c *fakeControl) Artefacts(_, id string) ([]Artefact, error) {
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader([]byte("{}\n"))), nil }
	return []Artefact{{"requests_" + id + ".jsonl", open}}, nil
}

// Figures implements Control.
func (c *fakeControl) Figures() Figures { return Figures{SamplesFolded: 12345, BatchesFolded: 67} }
