package controller

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"google.golang.org/grpc"

	"github.com/stampede-bench/stampede/controller/gateway"
	"github.com/stampede-bench/stampede/controller/store"
	"github.com/stampede-bench/stampede/internal/guard"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/workload"
)

// HTTPConfig says whom the HTTP port answers.
type HTTPConfig struct {
	// Listen is the address it listens on, HOST:PORT. Requests for that host and
	// for loopback are answered.
	Listen string
	// AllowHosts are further host names that requests may be for.
	AllowHosts []string
	// AllowOrigins are the origins whose pages may use the port from a browser,
	// such as https://dash.example.org. Default: none but its own.
	AllowOrigins []string
	// Between wraps the handler behind those checks and before a body is read, with
	// what must be asked first, such as for a token. Default: nothing.
	Between func(http.Handler) http.Handler
}

// HTTPServer returns a server for the HTTP port, with its checks and limits.
func (c *Controller) HTTPServer(cfg HTTPConfig) (*http.Server, error) {
	guarded, err := guard.New(guard.Config{
		Listen: cfg.Listen, AllowHosts: cfg.AllowHosts, AllowOrigins: cfg.AllowOrigins,
		Between: cfg.Between, Stream: gateway.Streams,
	}, c.gateway.Handler())
	if err != nil {
		return nil, err
	}
	server := guard.Server(guarded)
	server.ErrorLog = slog.NewLogLogger(c.log.Handler(), slog.LevelDebug)
	return server, nil
}

// HTTPHandler answers what comes to the HTTP port, without the checks and limits
// of HTTPServer.
func (c *Controller) HTTPHandler() http.Handler { return c.gateway.Handler() }

func (c *Controller) newGateway() *gateway.Gateway {
	return gateway.New(gateway.Config{
		Services: func(s grpc.ServiceRegistrar) { stampedev1.RegisterTestServiceServer(s, testService{c: c}) },
		Store:    c.store, Control: control{c}, Ready: c.serving.Load,
		Version: c.cfg.Version, Logger: c.log,
	})
}

// control implements gateway.Control.
type control struct{ c *Controller }

// Register implements gateway.Control.
func (k control) Register(n gateway.NewTest) (*store.Test, error) {
	row, err := k.c.keep(store.Test{ID: n.ID, Spec: n.Spec, Body: n.Body, Notices: n.Notices})
	var violations workload.Errors
	if err == nil || errors.As(err, &violations) {
		return row, err
	}
	return nil, rpcError(err)
}

// Faults implements gateway.Control.
func (k control) Faults(partial *workload.Spec) workload.Errors { return k.c.faults(partial) }

// Start implements gateway.Control.
func (k control) Start(testID string) error {
	_, err := k.c.start(&stampedev1.StartTestRequest{TestId: testID})
	return rpcError(err)
}

// Delete implements gateway.Control.
func (k control) Delete(testID string) ([]string, error) {
	resp, err := testService{c: k.c}.DeleteTest(context.Background(), &stampedev1.DeleteTestRequest{TestId: testID})
	return resp.GetDeletedFiles(), err
}

// Report implements gateway.Control.
func (k control) Report(id string) ([]byte, error) {
	resp, err := testService{c: k.c}.GetReport(context.Background(), &stampedev1.GetReportRequest{TestId: id})
	return resp.GetReportJson(), err
}

// tracePatience bounds how long a run may take to say how it does.
const tracePatience = time.Second

// OutputTokens implements gateway.Control.
func (k control) OutputTokens(runID string, seconds int) float64 {
	r := k.c.run(runID)
	if r == nil {
		return 0
	}
	answer := make(chan int64, 1)
	asked := r.post(func() {
		if r.set == nil || r.anchor.IsZero() {
			answer <- 0
			return
		}
		answer <- r.set.RecentTokens(r.sinceAnchor(time.Now()), seconds)
	})
	if !asked {
		return 0
	}
	patience := time.NewTimer(tracePatience)
	defer patience.Stop()
	select {
	case tokens := <-answer:
		return float64(tokens) / float64(seconds)
	case <-patience.C:
		return 0
	}
}

// afterID is what may follow an id in the name of a file that belongs to it: not
// the number of a run.
var afterID = regexp.MustCompile(`^\.[a-z][a-z0-9.]*$`)

// Artefacts implements gateway.Control.
func (k control) Artefacts(testID, id string) ([]gateway.Artefact, error) {
	dir := k.c.files.test(testID)
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var found []gateway.Artefact
	for _, e := range entries {
		at := strings.LastIndex(e.Name(), "_"+id+".")
		if at <= 0 || e.Name()[0] == '.' || !afterID.MatchString(e.Name()[at+1+len(id):]) || !e.Type().IsRegular() {
			continue
		}
		path := filepath.Join(dir, e.Name())
		found = append(found, gateway.Artefact{Name: e.Name(), Open: func() (io.ReadCloser, error) { return os.Open(path) }})
	}
	return found, nil
}

// Figures implements gateway.Control.
func (k control) Figures() gateway.Figures {
	return gateway.Figures{SamplesFolded: k.c.folded.samples.Load(), BatchesFolded: k.c.folded.batches.Load()}
}
