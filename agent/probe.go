package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stampede-bench/stampede/internal/wire"
	"github.com/stampede-bench/stampede/measure"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/target"
	"github.com/stampede-bench/stampede/workload"
	"github.com/stampede-bench/stampede/workload/dataset"
)

const (
	// readyEvery is how often an endpoint that is waited for is asked.
	readyEvery = time.Second
	// factTimeout bounds each question that the run can do without.
	factTimeout = 5 * time.Second
	// preflightTimeout bounds the small request.
	preflightTimeout = 90 * time.Second
)

// prober is what a probe needs of a client beside Doer; target.Client has it.
type prober interface {
	Do(ctx context.Context, in target.Input) (*measure.Exchange, error)
	Get(ctx context.Context, path string) (*target.Reply, error)
	Fetch(ctx context.Context, method, path string, body []byte) (*target.Reply, error)
}

// probe asks an endpoint what the run needs to know before it begins.
type probe struct {
	agent  *Agent
	spec   *workload.Spec
	result *stampedev1.ProbeResult
	models []model
	began  time.Time // with its questions
	// flushing: the prefix cache is to be emptied, nothing else.
	flushing bool
}

// model is one entry of the list that the endpoint serves.
type model struct {
	ID      string `json:"id"`
	OwnedBy string `json:"owned_by"`
}

// probe answers m; what goes wrong is part of the answer.
func (a *Agent) probe(ctx context.Context, m *stampedev1.Probe) *stampedev1.ProbeResult {
	p := &probe{agent: a, result: &stampedev1.ProbeResult{RunId: m.GetRunId(), Sequence: m.GetSequence()}}
	spec, _, err := wire.SpecFromProto(m.GetSpec())
	if err != nil {
		p.fail(fmt.Errorf("spec: %w", err))
		return p.result
	}
	p.spec = spec
	if m.GetFlushCache() {
		p.flushing = true
		err = p.flush(ctx)
	} else {
		err = p.ask(ctx)
	}
	if err != nil {
		p.fail(err)
	}
	return p.result
}

// fail makes err the answer.
func (p *probe) fail(err error) {
	p.result.ErrorKind, p.result.ErrorMessage = errorKind(err), err.Error()
	var failure *target.Error
	if errors.As(err, &failure) {
		p.result.ErrorMessage = failure.Message
	}
	switch {
	case p.flushing:
		p.result.ErrorMessage, p.result.Hint = err.Error(), flushHint(p.spec)
	case p.spec != nil:
		p.result.Hint = hint(p.result.GetErrorKind(), p.spec, p.result.GetModels())
	}
}

// ask resolves the model, collects facts, and sends the small request.
func (p *probe) ask(ctx context.Context) error {
	client, end, err := p.client(p.spec.Endpoint, p.spec.Sampling)
	if err != nil {
		return err
	}
	defer end()
	if err := p.awaitReady(ctx, client); err != nil {
		return err
	}
	p.began = time.Now()
	endpoint := p.spec.Endpoint
	listed := p.list(ctx, client)
	if endpoint.Model == "" {
		listed = p.persist(ctx, "the list of models", func(ctx context.Context, try int) error {
			if try > 1 {
				listed = p.list(ctx, client)
			}
			return listed
		})
		if endpoint.Model, err = p.firstModel(listed); err != nil {
			return err
		}
	}
	p.result.Model = endpoint.Model
	if len(p.models) > 0 && !slices.Contains(p.result.GetModels(), endpoint.Model) {
		p.notice("the endpoint does not list the model %q", endpoint.Model)
	}
	if p.spec.Preflights() {
		if err := p.preflight(ctx, endpoint); err != nil {
			return err
		}
	}
	if p.spec.Dataset.Calibrates() {
		if err := p.calibrate(ctx, endpoint); err != nil {
			return err
		}
	}
	if p.spec.Dataset.AsksServer() {
		if err := p.askTokens(ctx, client, endpoint.Model); err != nil {
			return err
		}
	}
	p.facts(ctx, client)
	return nil
}

// client makes a client for an endpoint, and what ends it.
func (p *probe) client(e workload.Endpoint, s workload.Sampling) (prober, func(), error) {
	doer, err := p.agent.cfg.NewDoer(target.Config{
		Endpoint: e, Sampling: s, Timeout: p.spec.Limits.RequestTimeout.D(), AllowAddr: p.agent.cfg.AllowTarget,
	})
	if err != nil {
		return nil, nil, err
	}
	end := func() {}
	if c, ok := doer.(interface{ Close() }); ok {
		end = c.Close
	}
	client, ok := doer.(prober)
	if !ok {
		end()
		return nil, nil, fmt.Errorf("endpoint: a client of type %T cannot be asked for anything but load", doer)
	}
	return client, end, nil
}

// awaitReady waits, when the spec says so, until the endpoint answers anything
// that is not its own failure.
func (p *probe) awaitReady(ctx context.Context, client prober) error {
	if p.spec.WaitReady <= 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, p.spec.WaitReady.D())
	defer cancel()
	for {
		reply, err := get(ctx, client, "models")
		if err == nil || reply != nil && reply.Status < 500 {
			return nil
		}
		if wait(ctx, readyEvery); ctx.Err() != nil {
			return notReady(p.spec.WaitReady.D(), err)
		}
	}
}

// notReady says how long was waited, and keeps what the last answer was.
func notReady(waited time.Duration, err error) error {
	var failure *target.Error
	if !errors.As(err, &failure) {
		return fmt.Errorf("not ready within %v: %w", waited, err)
	}
	late := *failure
	late.Message = fmt.Sprintf("not ready within %v: %s", waited, failure.Message)
	return &late
}

// get asks for one of the facts.
func get(ctx context.Context, client prober, path string) (*target.Reply, error) {
	ctx, cancel := context.WithTimeout(ctx, factTimeout)
	defer cancel()
	return client.Get(ctx, path)
}

// list reads the models that the endpoint lists; not all endpoints do.
func (p *probe) list(ctx context.Context, client prober) error {
	reply, err := get(ctx, client, "models")
	if err != nil {
		return err
	}
	var list struct {
		Data []model `json:"data"`
	}
	if err := json.Unmarshal(reply.Body, &list); err != nil {
		return fmt.Errorf("the list of models is not what the API says: %w", err)
	}
	for _, m := range list.Data {
		if m.ID != "" {
			p.models = append(p.models, m)
			p.result.Models = append(p.result.Models, m.ID)
		}
	}
	return nil
}

// firstModel is the model to use when none was named; listed is what came of
// listing them.
func (p *probe) firstModel(listed error) (string, error) {
	switch {
	case listed != nil:
		return "", fmt.Errorf("endpoint.model is not given and the endpoint does not list its models: %w", listed)
	case len(p.models) == 0:
		return "", errors.New("endpoint.model is not given and the endpoint lists no model")
	}
	return p.models[0].ID, nil
}

// preflight sends one small request as the run's will be and judges the answer.
func (p *probe) preflight(ctx context.Context, e workload.Endpoint) error {
	sampling := p.spec.Sampling
	one := 1
	sampling.MaxTokens, sampling.N = &one, nil
	client, end, err := p.client(e, sampling)
	if err != nil {
		return err
	}
	defer end()
	ctx, cancel := context.WithTimeout(ctx, preflightTimeout)
	defer cancel()
	err = p.persist(ctx, "preflight", func(ctx context.Context, try int) error {
		_, err := client.Do(ctx, target.Input{
			ID: p.result.GetRunId() + "-preflight", Attempt: try,
			Messages:     []dataset.Message{{Role: "user", Content: "Hello"}},
			OutputTokens: one,
		})
		return err
	})
	var failure *target.Error
	if errors.As(err, &failure) && failure.Kind == target.KindEmpty {
		// A single token may well carry no text.
		p.notice("preflight: the answer to a request for one token held no text")
		return nil
	}
	return err
}

func (p *probe) notice(format string, args ...any) {
	p.result.Notices = append(p.result.Notices, fmt.Sprintf(format, args...))
}

// flush empties the server's prefix cache by the route its engine has.
func (p *probe) flush(ctx context.Context) error {
	client, end, err := p.client(p.spec.Endpoint, p.spec.Sampling)
	if err != nil {
		return err
	}
	defer end()
	ctx, cancel := context.WithTimeout(ctx, preflightTimeout)
	defer cancel()
	routes := flushRoutes(p.spec.Endpoint.Type)
	var last error
	for _, route := range routes {
		if _, last = client.Fetch(ctx, "POST", route, nil); last == nil {
			return nil
		}
	}
	if kind := errorKind(last); kind == target.HTTPKind(404) || kind == target.HTTPKind(405) {
		return &noRoute{tried: "POST " + strings.Join(routes, ", POST "), err: last}
	}
	return fmt.Errorf("the prefix cache could not be emptied: %w", last)
}

// noRoute says that the endpoint can't empty its cache. Its message leaves out
// what the endpoint answered, which says no more.
type noRoute struct {
	tried string
	err   error
}

func (e *noRoute) Error() string {
	return "the endpoint has no route that empties its prefix cache; tried " + e.tried
}
func (e *noRoute) Unwrap() error { return e.err }

// flushHint says what vLLM's users need to know.
func flushHint(spec *workload.Spec) string {
	if workload.CanonicalType(spec.Endpoint.Type) == workload.TypeSGLang {
		return ""
	}
	return "vLLM has the route only when it is started with VLLM_SERVER_DEV_MODE=1"
}

// flushRoutes are the routes that may empty a prefix cache, likeliest first.
func flushRoutes(endpointType string) []string {
	const vllm, sglang = "/reset_prefix_cache", "/flush_cache"
	switch workload.CanonicalType(endpointType) {
	case workload.TypeVLLM:
		return []string{vllm}
	case workload.TypeSGLang:
		return []string{sglang}
	default:
		return []string{vllm, sglang}
	}
}
