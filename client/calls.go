package client

import (
	"context"
	"fmt"
	"iter"

	"github.com/stampede-bench/stampede/internal/wire"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/report"
	"github.com/stampede-bench/stampede/workload"
)

// RegisterOptions are the optional arguments of Register.
type RegisterOptions struct {
	// TestID is the test's id, [A-Za-z0-9_-]{1,64}; generated when empty. A taken
	// one is refused with ErrExists.
	TestID string
	// RequestID makes the call safe to repeat: the same one returns the same test,
	// and is refused with ErrExists when it comes with another spec.
	RequestID string
}

// Register checks a spec, keeps it on the controller and returns the test's id,
// with notices about what was assumed. The key that endpoint.api_key_env names
// is read and the file of dataset.path uploaded before (see [WithLookupEnv] and
// [WithOpenFile]); spec itself is not changed. A spec with faults is
// [ErrInvalidSpec], a taken id [ErrExists].
func (c *Client) Register(ctx context.Context, spec *workload.Spec, opts RegisterOptions) (id string, notices []string, err error) {
	resolved, err := c.resolve(ctx, spec)
	if err != nil {
		return "", nil, err
	}
	message, err := wire.SpecToProto(resolved)
	if err != nil {
		return "", nil, fmt.Errorf("%s: %w", opRegister, err)
	}
	answer, err := c.rpc.RegisterTest(ctx, &stampedev1.RegisterTestRequest{
		Spec: message, TestId: opts.TestID, RequestId: opts.RequestID,
	})
	if err != nil {
		return "", nil, lookedFor(fail(err, opRegister), &resolved.Dataset)
	}
	return answer.GetTestId(), answer.GetNotices(), nil
}

// Start begins a run of a registered test and returns its id at once. It fails
// with [ErrRunning] when one is under way.
func (c *Client) Start(ctx context.Context, id string) (runID string, err error) {
	return c.StartOnce(ctx, id, "")
}

// StartOnce is Start that is safe to repeat, such as after a timeout: all calls
// with the same requestID, at most 128 bytes of the caller's choice, begin one run
// and return its id.
func (c *Client) StartOnce(ctx context.Context, id, requestID string) (runID string, err error) {
	answer, err := c.rpc.StartTest(ctx, &stampedev1.StartTestRequest{TestId: id, RequestId: requestID})
	if err != nil {
		return "", fail(err, "start test %s", id)
	}
	return answer.GetRunId(), nil
}

// Cancel stops a run: dispatch ends and requests in flight may finish within
// the spec's drain_timeout. With immediate, or called a second time, it gives
// up at once. What ran is reported. It returns the test as it is now; [Client.Watch]
// follows it to its end. A test that was never started is [ErrState].
func (c *Client) Cancel(ctx context.Context, id string, immediate bool) (Test, error) {
	answer, err := c.rpc.CancelTest(ctx, &stampedev1.CancelTestRequest{TestId: id, Immediate: immediate})
	if err != nil {
		return Test{}, fail(err, "cancel test %s", id)
	}
	return testOf(answer.GetTest())
}

// Test returns a test and its latest run.
func (c *Client) Test(ctx context.Context, id string) (Test, error) {
	answer, err := c.rpc.GetTest(ctx, &stampedev1.GetTestRequest{TestId: id})
	if err != nil {
		return Test{}, fail(err, "get test %s", id)
	}
	return testOf(answer.GetTest())
}

// List yields all tests, newest first, fetching page by page as they are taken.
// An error is the last that it yields.
func (c *Client) List(ctx context.Context) iter.Seq2[Test, error] {
	return func(yield func(Test, error) bool) {
		for token := ""; ; {
			page, err := c.rpc.ListTests(ctx, &stampedev1.ListTestsRequest{PageToken: token})
			if err != nil {
				yield(Test{}, fail(err, "list tests"))
				return
			}
			for _, p := range page.GetTests() {
				if !yield(testOf(p)) {
					return
				}
			}
			if token = page.GetNextPageToken(); token == "" {
				return
			}
		}
	}
}

// Delete removes a test with its runs, reports and rows, and returns the files
// that were removed. A running test is refused with [ErrRunning].
func (c *Client) Delete(ctx context.Context, id string) (files []string, err error) {
	answer, err := c.rpc.DeleteTest(ctx, &stampedev1.DeleteTestRequest{TestId: id})
	if err != nil {
		return nil, fail(err, "delete test %s", id)
	}
	return answer.GetDeletedFiles(), nil
}

// Report returns the report of a run that has ended, parsed and as the bytes of
// report_ID.json. Before the end it is [ErrRunning]; a run that never sent load has
// none, which is [ErrState].
func (c *Client) Report(ctx context.Context, id string) (*report.Report, []byte, error) {
	answer, err := c.rpc.GetReport(ctx, &stampedev1.GetReportRequest{TestId: id})
	if err != nil {
		return nil, nil, fail(err, "get report of %s", id)
	}
	r, err := report.Parse(answer.GetReportJson())
	if err != nil {
		return nil, nil, fmt.Errorf("get report of %s: %w", id, err)
	}
	return r, answer.GetReportJson(), nil
}

// Agents returns the agents that are connected, by name.
func (c *Client) Agents(ctx context.Context) ([]Agent, error) {
	answer, err := c.rpc.ListAgents(ctx, &stampedev1.ListAgentsRequest{})
	if err != nil {
		return nil, fail(err, "list agents")
	}
	agents := make([]Agent, 0, len(answer.GetAgents()))
	for _, p := range answer.GetAgents() {
		agents = append(agents, agentFrom(p))
	}
	return agents, nil
}

func testOf(p *stampedev1.Test) (Test, error) {
	t, err := testFrom(p)
	if err != nil {
		return t, fmt.Errorf("test %s: the controller sent a spec that can't be read: %w", t.ID, err)
	}
	return t, nil
}

// Examination is what an agent found on its host and on the way to an endpoint.
type Examination struct {
	Agent    Agent
	Findings []Finding
	// Problem is why there are no findings.
	Problem string
}

// Finding is the answer of one check.
type Finding struct {
	Check   string
	Level   string // ok, warn or fail
	Message string
	Fix     string // what to do
}

// Examine has every connected agent look at its host, and at the way from it to
// the endpoint at url, unless it is empty, with a key, unless it is empty.
func (c *Client) Examine(ctx context.Context, url, key string) ([]Examination, error) {
	answer, err := c.rpc.ExamineAgents(ctx, &stampedev1.ExamineAgentsRequest{Url: url, ApiKey: key})
	if err != nil {
		return nil, fail(err, "examine agents")
	}
	all := make([]Examination, 0, len(answer.GetAgents()))
	for _, p := range answer.GetAgents() {
		e := Examination{Agent: agentFrom(p.GetAgent()), Problem: p.GetProblem()}
		for _, f := range p.GetFindings() {
			e.Findings = append(e.Findings, Finding{Check: f.GetCheck(), Level: f.GetLevel(), Message: f.GetMessage(), Fix: f.GetFix()})
		}
		all = append(all, e)
	}
	return all, nil
}
