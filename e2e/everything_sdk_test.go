package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/client"
	"github.com/stampede-bench/stampede/e2e/harness"
	"github.com/stampede-bench/stampede/report"
	"github.com/stampede-bench/stampede/workload"
)

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
