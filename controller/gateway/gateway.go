// Package gateway answers on the controller's HTTP port: the services as JSON
// under /v1, the routes of the original, metrics, health and the description of
// it all. It holds no state and decides nothing about tests; the controller does.
package gateway

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/test/bufconn"

	"github.com/stampede-bench/stampede/controller/store"
)

// Config configures a Gateway. All fields are required but for Logger.
type Config struct {
	// Services adds the services that /v1 speaks to.
	Services func(grpc.ServiceRegistrar)
	// Store is read for what is known of tests, runs and agents.
	Store *store.Store
	// Control does what the routes of the original ask for.
	Control Control
	// Ready reports whether the controller serves. It is called by many goroutines.
	Ready func() bool
	// Version is told by /openapi.json and /metrics.
	Version string
	// Logger receives diagnostics. Default: none.
	Logger *slog.Logger
}

// Gateway is the HTTP side of a controller. New makes one, Run serves what stands
// behind /v1, which waits a moment for it, and answers 503 after.
type Gateway struct {
	cfg      Config
	log      *slog.Logger
	rest     atomic.Pointer[rest] // while Run serves
	begun    chan struct{}        // closed once it does
	plots    plots
	metrics  http.Handler
	document func() []byte
}

// pipeBytes is the buffer of the in-memory connection, one way.
const pipeBytes = 1 << 20

// New returns a gateway.
func New(cfg Config) *Gateway {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	g := &Gateway{cfg: cfg, log: cfg.Logger, begun: make(chan struct{}), plots: newPlots(), metrics: newMetrics(cfg)}
	g.document = sync.OnceValue(g.describe)
	return g
}

// Run serves until ctx ends and returns when all calls that came through the
// gateway have ended; call it once.
func (g *Gateway) Run(ctx context.Context) error {
	pipe, inside := bufconn.Listen(pipeBytes), grpc.NewServer(grpc.MaxRecvMsgSize(2*maxMessage)) // a body is larger in JSON
	g.cfg.Services(inside)
	conn, err := dialPipe(pipe)
	if err != nil {
		return err
	}
	rest, err := newREST(conn, g.cfg.Control.Faults)
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	served := make(chan error, 1)
	go func() { served <- unlessStopped(inside.Serve(pipe)) }()
	g.rest.Store(rest)
	close(g.begun)
	<-ctx.Done()
	g.rest.Store(nil)
	stopGracefully(inside)
	return errors.Join(conn.Close(), <-served)
}

// unlessStopped forgives a server that was stopped before it began to serve.
func unlessStopped(err error) error {
	if errors.Is(err, grpc.ErrServerStopped) {
		return nil
	}
	return err
}

// stopPatience is how long calls may take to end by themselves.
const stopPatience = time.Second

func stopGracefully(s *grpc.Server) {
	done := make(chan struct{})
	go func() { defer close(done); s.GracefulStop() }()
	patience := time.NewTimer(stopPatience)
	defer patience.Stop()
	select {
	case <-done:
	case <-patience.C:
		s.Stop()
		<-done
	}
}

// Handler returns the handler of all routes. It does not check where requests
// come from; package guard does.
func (g *Gateway) Handler() http.Handler {
	t := &table{}
	t.add(http.MethodGet, "/healthz", func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok\n") })
	t.add(http.MethodGet, "/readyz", g.ready)
	t.add(http.MethodGet, "/metrics", g.metrics.ServeHTTP)
	t.add(http.MethodGet, "/openapi.json", func(w http.ResponseWriter, _ *http.Request) { writeRaw(w, http.StatusOK, g.document()) })
	for _, r := range seedRoutes {
		handle := seedHandler(g, r)
		for _, path := range r.paths {
			t.add(r.method, path, handle)
		}
	}
	t.subtree("/v1/", http.HandlerFunc(g.serveREST))
	return t.handler()
}

// startPatience is how long a call waits for Run: the port may be open a little
// earlier.
const startPatience = 5 * time.Second

func (g *Gateway) serveREST(w http.ResponseWriter, r *http.Request) {
	patience := time.NewTimer(startPatience)
	defer patience.Stop()
	select {
	case <-g.begun:
	case <-patience.C:
	case <-r.Context().Done():
	}
	if rest := g.rest.Load(); rest != nil {
		rest.ServeHTTP(w, r)
		return
	}
	writeDetail(w, http.StatusServiceUnavailable, "the controller does not serve")
}

// Streams says which requests read their body as it comes.
func Streams(r *http.Request) bool {
	return r.Method == http.MethodPost && r.URL.Path == uploadPath
}

func (g *Gateway) ready(w http.ResponseWriter, _ *http.Request) {
	if !g.cfg.Ready() {
		plain(w, http.StatusServiceUnavailable, "not ready\n")
		return
	}
	plain(w, http.StatusOK, "ready\n")
}
