package controller

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"

	"github.com/stampede-bench/stampede/controller/store"
	"github.com/stampede-bench/stampede/internal/wire"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/report"
	"github.com/stampede-bench/stampede/workload"
)

// testService implements stampedev1.TestServiceServer.
type testService struct {
	stampedev1.UnimplementedTestServiceServer
	c *Controller
}

const (
	maxRequestID    = 128 // bytes
	defaultPageSize = 100
	maxPageSize     = 1000
	maxPageBytes    = 2 << 20 // but for one test that is larger; clients take 4 MiB unless told otherwise
)

var testIDPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// RegisterTest implements the rpc.
func (t testService) RegisterTest(_ context.Context, req *stampedev1.RegisterTestRequest) (*stampedev1.RegisterTestResponse, error) {
	row, err := t.c.register(req)
	if err != nil {
		return nil, rpcError(err)
	}
	return &stampedev1.RegisterTestResponse{TestId: row.ID, Notices: row.Notices}, nil
}

func (c *Controller) register(req *stampedev1.RegisterTestRequest) (*store.Test, error) {
	if err := checkRequestID(req.GetRequestId()); err != nil {
		return nil, err
	}
	p, err := wire.ParsedFromProto(req.GetSpec())
	if err != nil {
		return nil, p.AllFaults(err, c.faults(p.Partial))
	}
	return c.keep(store.Test{ID: req.GetTestId(), RequestID: req.GetRequestId(), Spec: p.Spec, Notices: p.Notices})
}

// keep admits a test and stores it. An empty ID is generated.
func (c *Controller) keep(t store.Test) (*store.Test, error) {
	chosen := t.ID
	if t.ID == "" {
		t.ID = uuid.NewString()
	} else if !testIDPattern.MatchString(t.ID) {
		return nil, fmt.Errorf("test_id: must be 1 to 64 letters, digits, _ or -, got %.80q: %w", t.ID, errInvalid)
	}
	assumed, err := c.admit(t.Spec)
	if err != nil {
		return nil, err
	}
	t.Notices, t.CreateTime = append(t.Notices, assumed...), time.Now()
	row, inserted, err := c.store.InsertTest(t)
	if err == nil && !inserted {
		return row, repeats(row, chosen, t.Spec)
	}
	if err == nil {
		c.log.Info("test registered", "test", row.ID, "name", t.Spec.Name)
	}
	return row, err
}

// repeats returns nil when a call with a request_id that is known asks for what it
// has asked for before.
func repeats(row *store.Test, id string, spec *workload.Spec) error {
	before, err := row.Spec.Reveal()
	if err != nil {
		return err
	}
	now, err := spec.Reveal()
	if err != nil {
		return err
	}
	if !bytes.Equal(before, now) || id != "" && id != row.ID {
		err := fmt.Errorf("request_id %q was given before, when test %s was registered with something else: %w", row.RequestID, row.ID, store.ErrExist)
		return withHint(err, "a request_id is for one call and its repetitions; take a new one")
	}
	return nil
}

func checkRequestID(id string) error {
	if len(id) > maxRequestID || !printable(id) {
		return fmt.Errorf("request_id: must be at most %d printable bytes, got %.80q: %w", maxRequestID, id, errInvalid)
	}
	return nil
}

// admit checks a spec and what it wants of this process, and returns notices of
// what it leaves open. It answers with all violations at once.
func (c *Controller) admit(spec *workload.Spec) ([]string, error) {
	violations := violationsOf(spec.Validate())
	violations = append(violations, c.beyond(spec, len(violations) == 0).Without(violations)...)
	if len(violations) > 0 {
		return nil, violations
	}
	_, assumed := spec.WithDefaults()
	return assumed, nil
}

// faults is what is wrong with what could be read of a spec, or with nothing, beyond
// what Validate says.
func (c *Controller) faults(partial *workload.Spec) workload.Errors {
	if partial == nil {
		return nil
	}
	return c.beyond(partial, false)
}

// beyond is what Validate can't say of a spec, which is valid as far as that goes
// or not.
func (c *Controller) beyond(spec *workload.Spec, valid bool) workload.Errors {
	v := violationsOf(spec.NotYet())
	eff, _ := spec.WithDefaults()
	v = append(v, c.foreign(spec, eff)...)
	v = append(v, c.rehearse(eff, valid && len(v) == 0).Without(v)...)
	return append(v, violationsOf(report.CheckGates(eff))...)
}

func violationsOf(err error) workload.Errors {
	var errs workload.Errors
	switch {
	case err == nil:
		return nil
	case errors.As(err, &errs):
		return errs
	}
	return workload.Errors{{Message: err.Error()}}
}

// foreign finds what belongs to the calling process and was not resolved there.
func (c *Controller) foreign(spec, eff *workload.Spec) workload.Errors {
	var v workload.Errors
	if e := spec.Endpoint; e.APIKey.Empty() && e.APIKeyEnv != "" && !slices.Contains(c.cfg.AllowEnv, e.APIKeyEnv) {
		v = append(v, workload.FieldError{
			Path:    "endpoint.api_key_env",
			Message: fmt.Sprintf("this controller does not read %s: it reads only the variables it was started with --allow-env for", e.APIKeyEnv),
			Hint:    "the stampede command and the SDK resolve it in the calling process; other callers set endpoint.api_key",
		})
	}
	d := eff.Dataset
	switch {
	case d.CorpusHash != "":
		if !c.files.hasCorpus(d.CorpusHash) {
			v = append(v, workload.FieldError{
				Path: "dataset.corpus_hash", Message: fmt.Sprintf("this controller holds no data with hash %.80q", d.CorpusHash), Hint: "upload it with UploadDataset first",
			})
		}
	case d.Path != "":
		if f, err := c.files.dataset(d.Path); err != nil {
			v = append(v, workload.FieldError{
				Path: "dataset.path", Message: fmt.Sprintf("the controller can't take %.200q: %v", d.Path, err), Hint: uploadHint,
			})
		} else {
			_ = f.Close()
		}
	}
	if seeksTokenizer(d) {
		if f, err := c.files.dataset(d.Tokenizer); err != nil {
			v = append(v, tokenizerFault(d, err))
		} else {
			_ = f.Close()
		}
	}
	return v
}

const uploadHint = "the stampede command and the SDK upload files of the calling process; other callers use UploadDataset and set dataset.corpus_hash"

// StartTest implements the rpc.
func (t testService) StartTest(_ context.Context, req *stampedev1.StartTestRequest) (*stampedev1.StartTestResponse, error) {
	run, err := t.c.start(req)
	if err != nil {
		return nil, rpcError(err)
	}
	return &stampedev1.StartTestResponse{RunId: run.ID}, nil
}

func (c *Controller) start(req *stampedev1.StartTestRequest) (*store.Run, error) {
	if err := checkRequestID(req.GetRequestId()); err != nil {
		return nil, err
	}
	test, _, err := c.lookup(nil, req.GetTestId())
	if err != nil {
		return nil, err
	}
	if err := c.locked[test.ID]; err != nil {
		return nil, withHint(fmt.Errorf("test %s can't be started: %w: %w", test.ID, err, errState), "put the key file back and start the controller again, or register the test anew")
	}
	row, begun, err := c.store.BeginRun(test.ID, req.GetRequestId(), time.Now(), func(latest *store.Run) error {
		if latest != nil && !latest.Ended() {
			return withHint(fmt.Errorf("test %s is already running as %s: %w", test.ID, latest.ID, errRunning), "watch it, or cancel it first")
		}
		return nil
	})
	if err != nil || !begun {
		return row, err
	}
	if err := c.begin(newRun(c, row, test.Spec)); err != nil {
		uerr := c.store.UpdateRun(row.ID, func(r *store.Run) {
			r.State, r.Reason, r.EndTime = stampedev1.State_STATE_FAILED, err.Error(), time.Now()
		})
		if uerr != nil {
			c.log.Error("run is not shown", "run", row.ID, "err", uerr)
		}
		return nil, err
	}
	c.log.Info("run begun", "run", row.ID)
	return row, nil
}

// CancelTest implements the rpc.
func (t testService) CancelTest(_ context.Context, req *stampedev1.CancelTestRequest) (*stampedev1.CancelTestResponse, error) {
	if err := t.c.cancel(req.GetTestId(), req.GetImmediate()); err != nil {
		return nil, rpcError(err)
	}
	test, row, err := t.c.lookup(nil, req.GetTestId())
	if err != nil {
		return nil, rpcError(err)
	}
	return &stampedev1.CancelTestResponse{Test: testProto(test, row)}, nil
}

// cancel notes that the run an id means is to be cancelled, so that a restart
// knows it, and then tells the run. One that has just ended may have been followed
// by the next trial, which is meant then.
func (c *Controller) cancel(id string, immediate bool) error {
	_, row, err := c.lookup(nil, id)
	if err == nil && row == nil {
		err = fmt.Errorf("test %s is not running: %w", id, errState)
	}
	for err == nil && row != nil {
		if row, err = c.store.RequestCancel(row.ID, immediate); err != nil {
			break
		}
		if !row.Ended() {
			if r := c.run(row.ID); r != nil {
				r.post(r.obeyCancel)
				r.hurry()
			}
			return nil
		}
		row = c.store.TrialAfter(row)
	}
	return err
}

// GetTest implements the rpc.
func (t testService) GetTest(_ context.Context, req *stampedev1.GetTestRequest) (*stampedev1.GetTestResponse, error) {
	test, row, err := t.c.lookup(nil, req.GetTestId())
	if err != nil {
		return nil, rpcError(err)
	}
	return &stampedev1.GetTestResponse{Test: testProto(test, row)}, nil
}

// ListTests implements the rpc.
func (t testService) ListTests(_ context.Context, req *stampedev1.ListTestsRequest) (*stampedev1.ListTestsResponse, error) {
	size := int(req.GetPageSize())
	if size < 0 || size > maxPageSize {
		return nil, rpcError(fmt.Errorf("page_size: must be 0 to %d, got %d: %w", maxPageSize, size, errInvalid))
	}
	if size == 0 {
		size = defaultPageSize
	}
	page, next, err := t.c.store.Tests(size, req.GetPageToken())
	if err != nil {
		return nil, rpcError(err)
	}
	resp := &stampedev1.ListTestsResponse{NextPageToken: next}
	bytes := 0
	for _, row := range page {
		test, run := t.c.store.TestAndRun(nil, row.ID)
		if test == nil {
			continue
		}
		m := testProto(test, run)
		if bytes += proto.Size(m); bytes > maxPageBytes && len(resp.Tests) > 0 {
			resp.NextPageToken = store.PageToken(row)
			break
		}
		resp.Tests = append(resp.Tests, m)
	}
	return resp, nil
}

// DeleteTest implements the rpc.
func (t testService) DeleteTest(_ context.Context, req *stampedev1.DeleteTestRequest) (*stampedev1.DeleteTestResponse, error) {
	test, _, err := t.c.lookup(nil, req.GetTestId())
	if err != nil {
		return nil, rpcError(err)
	}
	deleted, err := t.c.remove(test.ID)
	if err != nil {
		return nil, rpcError(err)
	}
	return &stampedev1.DeleteTestResponse{DeletedFiles: deleted}, nil
}

// remove deletes all that belongs to a test and returns the names of its files.
func (c *Controller) remove(testID string) ([]string, error) {
	for _, row := range c.store.Runs(nil, testID) {
		if r := c.run(row.ID); r != nil && row.Ended() {
			<-r.parted // it only says goodbye
		}
	}
	data := dataOf(c.store.Test(nil, testID), c.store.Runs(nil, testID))
	_, err := c.store.DeleteTest(testID, func(runs []*store.Run) error {
		for _, r := range runs {
			if !r.Ended() || c.run(r.ID) != nil {
				return withHint(fmt.Errorf("test %s is running as %s: %w", testID, r.ID, errRunning), "cancel it first")
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	names, err := c.files.remove(testID)
	return names, errors.Join(err, c.dropData(data))
}

// ListAgents implements the rpc.
func (t testService) ListAgents(context.Context, *stampedev1.ListAgentsRequest) (*stampedev1.ListAgentsResponse, error) {
	return &stampedev1.ListAgentsResponse{Agents: t.c.registry.list()}, nil
}
