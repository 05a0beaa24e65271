package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/client"
	"github.com/stampede-bench/stampede/e2e/harness"
	"github.com/stampede-bench/stampede/report"
	"github.com/stampede-bench/stampede/workload"
)

// door is a way to a controller. Each can do everything, and fails the test when
// it can't.
type door interface {
	register(id string, seconds int) // everyRate requests a second
	start(id string) (runID string)
	// startAgain starts a test that is running, and returns what it is told.
	startAgain(id string) string
	// watch returns the state that the run ended in.
	watch(id string) string
	report(id string) *report.Report
	list() []string
	cancel(id string)
	// deleteRunning deletes a test that is running, and returns what it is told.
	deleteRunning(id string) string
	remove(id string)
}

// access is what it takes to get in: nothing, or a CA and a token.
type access struct {
	t     *testing.T
	c     *harness.Cluster
	model string // base URL of the endpoint
	ca    string // empty: plain text
	token string // file; empty: none
}

func (a access) tokenText() string {
	if a.token == "" {
		return ""
	}
	text, err := os.ReadFile(a.token)
	if err != nil {
		a.t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

const everyRate = 20

func (a access) spec(seconds int) string {
	return fmt.Sprintf(`{"endpoint": {"url": %q}, "dataset": {"output_tokens": "4"}, "load": {"stages": [{"rate": %d, "arrival": "constant", "duration": "%ds"}]}}`, a.model, everyRate, seconds)
}

// byCLI is the stampede command.
type byCLI struct{ access }

func (d byCLI) do(args ...string) harness.Result {
	d.t.Helper()
	args = append(args, "--controller", d.c.GRPC)
	if d.ca != "" {
		args = append(args, "--tls-ca", d.ca)
	}
	if d.token != "" {
		args = append(args, "--token-file", d.token)
	}
	return harness.Stampede(d.t, args...)
}

func (d byCLI) register(id string, seconds int) {
	body := fmt.Sprintf(`{"url": %q, "model": "stampede-sim", "endpoint_type": "vllm", "dataset_name": "synthesizer", "test_id": %q, "kwargs": {"max_tokens": 4},
		"dataset_config": {"func": "lambda t: %d * (t + 1) if t < %d else None", "prompt_source": "synthetic"}}`, d.model, id, everyRate, seconds)
	if out := d.do("register", "-f", harness.WriteSpec(d.t, body)).Must(d.t, 0).Out; out != id+"\n" {
		d.t.Errorf("registered %q", out)
	}
}

func (d byCLI) start(id string) string {
	return strings.TrimSpace(d.do("start", id).Must(d.t, 0).Out)
}

func (d byCLI) startAgain(id string) string { return d.do("start", id).Must(d.t, 1).Err }

func (d byCLI) watch(id string) string {
	r := d.do("watch", id)
	words := strings.Fields(r.Out)
	if len(words) < 3 {
		d.t.Fatalf("watch: exit status %d\n%s%s", r.Code, r.Out, r.Err)
	}
	return strings.ToUpper(words[1])
}

func (d byCLI) report(id string) *report.Report {
	r := d.do("report", id, "--format", "json")
	if r.Code != 0 && r.Code != 3 {
		d.t.Fatalf("report: exit status %d\n%s", r.Code, r.Err)
	}
	return parseReport(d.t, r.Out)
}

func (d byCLI) list() (ids []string) {
	for line := range strings.Lines(d.do("list").Must(d.t, 0).Out) {
		ids = append(ids, strings.Fields(line)[0])
	}
	return ids
}

func (d byCLI) cancel(id string)               { d.do("cancel", id).Must(d.t, 0) }
func (d byCLI) deleteRunning(id string) string { return d.do("delete", id).Must(d.t, 1).Err }
func (d byCLI) remove(id string)               { d.do("delete", id).Must(d.t, 0) }

func parseReport(t *testing.T, text string) *report.Report {
	t.Helper()
	r, err := report.Parse([]byte(text))
	if err != nil {
		t.Fatalf("%v in %.500s", err, text)
	}
	return r
}

// byGrpcurl is grpcurl, without a .proto file.
type byGrpcurl struct{ access }

func (d byGrpcurl) do(method, body string) harness.Result {
	d.t.Helper()
	args := []string{"-plaintext"}
	if d.ca != "" {
		args = []string{"-cacert", d.ca}
	}
	if d.token != "" {
		args = append(args, "-H", "authorization: Bearer "+d.tokenText())
	}
	return harness.Command(d.t, body, harness.Grpcurl(), append(args, "-d", "@", d.c.GRPC, "stampede.v1.TestService/"+method)...)
}

func (d byGrpcurl) by(method, id string) harness.Result {
	d.t.Helper()
	return d.do(method, fmt.Sprintf(`{"test_id": %q}`, id))
}

func (d byGrpcurl) register(id string, seconds int) {
	d.do("RegisterTest", fmt.Sprintf(`{"test_id": %q, "spec": %s}`, id, d.spec(seconds))).Must(d.t, 0)
}

func (d byGrpcurl) start(id string) string {
	var answer struct{ RunID string }
	decode(d.t, d.by("StartTest", id).Must(d.t, 0).Out, &answer)
	return answer.RunID
}

func (d byGrpcurl) startAgain(id string) string {
	r := d.by("StartTest", id)
	if r.Code == 0 {
		d.t.Errorf("started again: %s", r.Out)
	}
	return r.Err
}

func (d byGrpcurl) watch(id string) string { return lastState(d.by("WatchTest", id).Must(d.t, 0).Out) }

// lastState is the last state that a stream of tests shows.
func lastState(stream string) string {
	const key = `STATE_`
	state, _, _ := strings.Cut(stream[strings.LastIndex(stream, key)+len(key):], `"`)
	return state
}

func (d byGrpcurl) report(id string) *report.Report {
	var answer struct{ ReportJSON []byte }
	decode(d.t, d.by("GetReport", id).Must(d.t, 0).Out, &answer)
	return parseReport(d.t, string(answer.ReportJSON))
}

func (d byGrpcurl) list() []string { return idsOf(d.t, d.do("ListTests", "{}").Must(d.t, 0).Out) }

func idsOf(t *testing.T, answer string) (ids []string) {
	t.Helper()
	var page struct{ Tests []struct{ TestID string } }
	decode(t, answer, &page)
	for _, test := range page.Tests {
		ids = append(ids, test.TestID)
	}
	return ids
}

func (d byGrpcurl) cancel(id string) { d.by("CancelTest", id).Must(d.t, 0) }

func (d byGrpcurl) deleteRunning(id string) string {
	r := d.by("DeleteTest", id)
	if r.Code == 0 {
		d.t.Error("deleted while it ran")
	}
	return r.Err
}

func (d byGrpcurl) remove(id string) { d.by("DeleteTest", id).Must(d.t, 0) }

// byCurl is curl and /v1.
type byCurl struct{ access }

// do returns the answer, which must have the status that is wanted.
func (d byCurl) do(status, method, path, body string) string {
	d.t.Helper()
	scheme, args := "http://", []string{"-sS", "-X", method, "-w", "\n%{http_code}"}
	if d.ca != "" {
		scheme, args = "https://", append(args, "--cacert", d.ca)
	}
	if d.token != "" {
		args = append(args, "-H", "Authorization: Bearer "+d.tokenText())
	}
	if body != "" {
		args = append(args, "-d", body)
	}
	out := harness.Command(d.t, "", "curl", append(args, scheme+d.c.HTTP+"/v1/tests"+path)...).Must(d.t, 0).Out
	i := strings.LastIndex(out, "\n")
	if got := out[i+1:]; got != status {
		d.t.Fatalf("%s %s: %s %s, want %s", method, path, got, out[:i], status)
	}
	return out[:i]
}

func (d byCurl) register(id string, seconds int) {
	d.do("200", "POST", "", fmt.Sprintf(`{"test_id": %q, "spec": %s}`, id, d.spec(seconds)))
}

func (d byCurl) start(id string) string {
	var answer struct{ RunID string }
	decode(d.t, d.do("200", "POST", "/"+id+"/start", ""), &answer)
	return answer.RunID
}

func (d byCurl) startAgain(id string) string { return d.do("409", "POST", "/"+id+"/start", "") }
func (d byCurl) watch(id string) string      { return lastState(d.do("200", "GET", "/"+id+"/watch", "")) }
func (d byCurl) report(id string) *report.Report {
	return parseReport(d.t, d.do("200", "GET", "/"+id+"/report", ""))
}
func (d byCurl) list() []string                 { return idsOf(d.t, d.do("200", "GET", "", "")) }
func (d byCurl) cancel(id string)               { d.do("200", "POST", "/"+id+"/cancel", "") }
func (d byCurl) deleteRunning(id string) string { return d.do("409", "DELETE", "/"+id, "") }
func (d byCurl) remove(id string)               { d.do("200", "DELETE", "/"+id, "") }

// bySDK is package client.
type bySDK struct {
	access
	client *client.Client
}

func newSDK(a access) bySDK {
	a.t.Helper()
	opts := []client.Option{client.WithToken(a.tokenText())}
	if a.ca != "" {
		opts = append(opts, client.WithTLS(&tls.Config{RootCAs: poolOf(a.t, a.ca)}))
	}
	c, err := client.Dial(a.c.GRPC, opts...)
	if err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(func() { c.Close() })
	return bySDK{a, c}
}

func poolOf(t *testing.T, file string) *x509.CertPool {
	t.Helper()
	pem, err := os.ReadFile(file)
	pool := x509.NewCertPool()
	if err != nil || !pool.AppendCertsFromPEM(pem) {
		t.Fatalf("%s: %v", file, err)
	}
	return pool
}

func (d bySDK) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

// refused says what a call was told whose test is running.
func (d bySDK) refused(err error) string {
	d.t.Helper()
	var detail *client.Error
	if !errors.Is(err, client.ErrRunning) || !errors.As(err, &detail) {
		d.t.Fatalf("%v, want ErrRunning", err)
	}
	return detail.Message + " " + detail.Hint
}

func (d bySDK) register(id string, seconds int) {
	spec, _, err := workload.Parse([]byte(d.spec(seconds)))
	d.must(err)
	got, _, err := d.client.Register(d.t.Context(), spec, client.RegisterOptions{TestID: id})
	if d.must(err); got != id {
		d.t.Errorf("registered %s", got)
	}
}

func (d bySDK) start(id string) string {
	run, err := d.client.Start(d.t.Context(), id)
	d.must(err)
	return run
}

func (d bySDK) startAgain(id string) string {
	_, err := d.client.Start(d.t.Context(), id)
	return d.refused(err)
}

func (d bySDK) watch(id string) string {
	var last client.Test
	for t, err := range d.client.Watch(d.t.Context(), id) {
		d.must(err)
		last = t
	}
	return string(last.State)
}

func (d bySDK) report(id string) *report.Report {
	r, _, err := d.client.Report(d.t.Context(), id)
	d.must(err)
	return r
}

func (d bySDK) list() (ids []string) {
	for t, err := range d.client.List(d.t.Context()) {
		d.must(err)
		ids = append(ids, t.ID)
	}
	return ids
}

func (d bySDK) cancel(id string) {
	_, err := d.client.Cancel(d.t.Context(), id, false)
	d.must(err)
}

func (d bySDK) deleteRunning(id string) string {
	_, err := d.client.Delete(d.t.Context(), id)
	return d.refused(err)
}

func (d bySDK) remove(id string) {
	_, err := d.client.Delete(d.t.Context(), id)
	d.must(err)
}

// useDoor does everything by one door, while others come and go by theirs.
func useDoor(t *testing.T, d door, id string) {
	t.Helper()
	d.register(id, 1)
	if ids := d.list(); !slices.Contains(ids, id) {
		t.Errorf("%s is not among %v", id, ids)
	}
	for k := range 2 {
		run := fmt.Sprintf("%s.%d", id, k+1)
		if got := d.start(id); got != run {
			t.Errorf("run %q, want %s", got, run)
		}
		if state := d.watch(id); state != "SUCCEEDED" {
			t.Errorf("it ended %s", state)
		}
		if r := d.report(id); r.ID != run || r.Accounting.Planned != everyRate || r.Accounting.Succeeded != everyRate {
			t.Errorf("report of %s: %+v", r.ID, r.Accounting)
		}
	}
	d.remove(id)
	if ids := d.list(); slices.Contains(ids, id) {
		t.Errorf("%s is still among %v", id, ids)
	}

	id += "-long"
	d.register(id, 600)
	d.start(id)
	if told := d.startAgain(id); !strings.Contains(told, "already running as "+id+".1") || !strings.Contains(told, "cancel it first") {
		t.Errorf("starting it again: %s", told)
	}
	if told := d.deleteRunning(id); !strings.Contains(told, "is running as "+id+".1") || !strings.Contains(told, "cancel it first") {
		t.Errorf("deleting it while it runs: %s", told)
	}
	d.cancel(id)
	if state := endOf(d, id); state != "CANCELLED" {
		t.Errorf("it ended %s", state)
	}
	d.remove(id)
}

// endOf is how a cancelled run ends; the command line's watch has nothing to
// print when no load was sent.
func endOf(d door, id string) string {
	cli, is := d.(byCLI)
	if !is {
		return d.watch(id)
	}
	if r := cli.do("watch", id); !strings.Contains(r.Out, "cancelled") && !strings.Contains(r.Err, "cancelled") {
		cli.t.Errorf("watch: exit status %d\n%s%s", r.Code, r.Out, r.Err)
	}
	for line := range strings.Lines(cli.do("list").Must(cli.t, 0).Out) {
		if words := strings.Fields(line); words[0] == id {
			return words[1]
		}
	}
	return "not listed"
}

// The command line, grpcurl, curl and the SDK can each do everything on the same
// controller, at the same time; with certificates and tokens, too.
func TestEveryDoorCanDoEverything(t *testing.T) {
	t.Parallel()
	sim := harness.StartSimulator(t, "--ttft", "10ms", "--itl", "1ms")
	t.Run("open", func(t *testing.T) {
		t.Parallel()
		everyDoor(t, access{c: harness.StartCluster(t, 1), model: sim.URL()})
	})
	t.Run("with TLS and tokens", func(t *testing.T) {
		t.Parallel()
		ours := newAuthority(t)
		ours.server("server")
		a := access{t: t, model: sim.URL(), ca: ours.file("ca.pem"), token: tokenFile(t, "run-token-0123456789")}
		join := tokenFile(t, "join-token-0123456789")
		a.c = harness.StartController(t, "--tls-cert", ours.file("server.pem"), "--tls-key", ours.file("server.key"),
			"--client-token-file", a.token, "--agent-token-file", join)
		harness.Start(t, "agent", "--controller", a.c.GRPC, "--name", "a", "--tls-ca", a.ca, "--token-file", join)
		awaitAgent(t, byCLI{a}.do)
		everyDoor(t, a)
	})
}

func everyDoor(t *testing.T, a access) {
	for name, make := range map[string]func(access) door{
		"cli":     func(a access) door { return byCLI{a} },
		"grpcurl": func(a access) door { return byGrpcurl{a} },
		"curl":    func(a access) door { return byCurl{a} },
		"sdk":     func(a access) door { return newSDK(a) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if name == "curl" {
				needsCurl(t)
			}
			mine := a
			mine.t = t
			useDoor(t, make(mine), "by-"+name)
		})
	}
}

// A watch goes on over a controller that is killed and comes back, from the
// revision that it has seen.
func TestSDKWatchOutlivesAController(t *testing.T) {
	t.Parallel()
	sim := harness.StartSimulator(t, "--ttft", "10ms", "--itl", "1ms", "--tokens", "4")
	c := harness.StartCluster(t, 1)
	sdk := newSDK(access{t: t, c: c, model: sim.URL()})
	spec, _, err := workload.Parse(fmt.Appendf(nil, "endpoint: {url: %q}\nload: {stages: [{rate: 10, duration: 6s}]}\n", sim.URL()))
	if err != nil {
		t.Fatal(err)
	}
	id, _, err := sdk.client.Register(t.Context(), spec, client.RegisterOptions{})
	sdk.must(err)
	sdk.start(id)
	var last client.Test
	killed := false
	for test, err := range sdk.client.Watch(t.Context(), id) {
		sdk.must(err)
		if test.Revision <= last.Revision {
			t.Errorf("revision %d after %d", test.Revision, last.Revision)
		}
		last = test
		if test.State == client.Running && test.Progress.Sent > 5 && !killed {
			killed = true
			c.Controller.Kill()
			c.Restart(t)
		}
	}
	if !killed || last.State != client.Succeeded {
		t.Errorf("killed: %v; it ended %s: %s", killed, last.State, last.Reason)
	}
}

// Run does it in one call, also over TLS, and its context's end leaves the run
// alone.
func TestSDKRunOverTLS(t *testing.T) {
	t.Parallel()
	sim := harness.StartSimulator(t, "--ttft", "10ms", "--itl", "1ms")
	ours := newAuthority(t)
	ours.server("server")
	ours.client("client")
	c := harness.StartController(t, "--tls-cert", ours.file("server.pem"), "--tls-key", ours.file("server.key"), "--tls-client-ca", ours.file("ca.pem"))
	harness.Start(t, append([]string{"agent", "--controller", c.GRPC, "--name", "a"}, ours.show("client")...)...)
	pair, err := tls.LoadX509KeyPair(ours.file("client.pem"), ours.file("client.key"))
	if err != nil {
		t.Fatal(err)
	}
	sdk, err := client.Dial(c.GRPC, client.WithTLS(&tls.Config{RootCAs: poolOf(t, ours.file("ca.pem")), Certificates: []tls.Certificate{pair}}))
	if err != nil {
		t.Fatal(err)
	}
	defer sdk.Close()
	spec, _, err := workload.Parse([]byte(access{model: sim.URL()}.spec(1)))
	if err != nil {
		t.Fatal(err)
	}
	result, err := sdk.Run(t.Context(), spec, nil)
	if err != nil || result.Report == nil || result.Report.Accounting.Succeeded != everyRate {
		t.Fatalf("%+v, %v", result, err)
	}
	var rows int
	for s, err := range sdk.Samples(t.Context(), result.Test.RunID) {
		if err != nil {
			t.Fatal(err)
		}
		rows += len(s.Samples)
	}
	if agents, err := sdk.Agents(t.Context()); err != nil || len(agents) != 1 || rows != everyRate {
		t.Errorf("%d rows, agents %v, %v", rows, agents, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var id string
	if _, err := sdk.Run(ctx, spec, func(test client.Test) { id = test.ID; cancel() }); !errors.Is(err, context.Canceled) {
		t.Errorf("a run whose context ends: %v", err)
	}
	for test, err := range sdk.Watch(t.Context(), id) {
		if err != nil || test.State == client.Cancelled {
			t.Errorf("%v, %v", test.State, err)
		}
	}
	for name, config := range map[string]*tls.Config{
		"no certificate": {RootCAs: poolOf(t, ours.file("ca.pem"))}, "no CA": {Certificates: []tls.Certificate{pair}}, "plain text": nil,
	} {
		other, err := client.Dial(c.GRPC, client.WithTLS(config))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		var detail *client.Error
		if _, err := other.Agents(ctx); !errors.Is(err, client.ErrUnavailable) || !errors.As(err, &detail) || detail.Hint == "" {
			t.Errorf("%s: %v", name, err)
		}
		cancel()
		other.Close()
	}
}
