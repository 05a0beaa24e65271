package controller

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/reflection"

	"github.com/stampede-bench/stampede/controller/gateway"
	"github.com/stampede-bench/stampede/controller/journal"
	"github.com/stampede-bench/stampede/controller/store"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
)

// Controller takes tests and has agents run them. New makes one, Run drives it;
// its services answer from New on.
type Controller struct {
	cfg          Config
	log          *slog.Logger
	store        *store.Store
	wall         wall
	files        files
	keeper       *keeper          // nil: nothing survives
	locked       map[string]error // tests whose secrets can't be unsealed, and why
	registry     *registry
	examinations examinations
	health       *health.Server
	gateway      *gateway.Gateway

	ran      atomic.Bool
	serving  atomic.Bool
	stopping chan struct{} // Run was asked to end: runs end
	ended    chan struct{} // runs have ended: streams end

	mu     sync.Mutex
	closed bool
	runs   map[string]*run // under way, by id
	active sync.WaitGroup  // goroutines of runs
	inside sync.WaitGroup  // goroutines of sessions

	strange  atomic.Int64 // messages that fit nothing
	knocking atomic.Int64 // sessions that have not said hello
	late     late
	folded   struct{ batches, samples atomic.Int64 }
}

// New returns a controller that keeps its data under cfg.DataDir.
func New(cfg Config) (*Controller, error) {
	if err := cfg.complete(); err != nil {
		return nil, err
	}
	if cfg.LookupEnv == nil {
		cfg.LookupEnv = os.LookupEnv
	}
	st, err := store.New()
	if err != nil {
		return nil, err
	}
	c := &Controller{
		cfg: cfg, log: cfg.Logger, store: st, wall: newWall(), files: files{data: cfg.DataDir, datasets: cfg.DatasetDir},
		health:   health.NewServer(),
		stopping: make(chan struct{}), ended: make(chan struct{}),
		runs: map[string]*run{},
	}
	c.registry = newRegistry(&c.cfg, st, c.wall, c.agentsMoved)
	c.health.SetServingStatus("", healthv1.HealthCheckResponse_NOT_SERVING)
	c.gateway = c.newGateway()
	if err := c.files.prepare(); err != nil {
		return nil, err
	}
	return c, c.open()
}

// open brings back what an earlier process kept.
func (c *Controller) open() error {
	if c.cfg.Volatile {
		return nil
	}
	db, err := journal.OpenDB(c.files.database())
	if err != nil {
		return err
	}
	c.keeper = &keeper{db: db, vault: journal.NewVault(c.cfg.KeyFile), files: c.files, log: c.log}
	open, locked, err := c.keeper.restore(c.store)
	if err != nil {
		return errors.Join(err, db.Close())
	}
	c.locked = locked
	c.store.KeepWith(c.keeper)
	if err := c.files.dropOrphans(func(testID string) bool { return c.store.Test(nil, testID) != nil }); err != nil {
		c.log.Error("files of deleted tests are left", "err", err)
	}
	if err := c.dropForgottenData(time.Now()); err != nil {
		c.log.Error("data that no test names is left", "err", err)
	}
	if err := c.revive(open, locked); err != nil {
		return errors.Join(err, db.Close())
	}
	return nil
}

// shut lets go of the data folder.
func (c *Controller) shut() error {
	if c.keeper == nil {
		return nil
	}
	return c.keeper.db.Close()
}

// Register adds the services to a server: TestService, AgentService, health, and
// reflection where the server can be reflected on.
func (c *Controller) Register(s grpc.ServiceRegistrar) {
	stampedev1.RegisterTestServiceServer(s, testService{c: c})
	stampedev1.RegisterAgentServiceServer(s, agentService{c: c})
	healthv1.RegisterHealthServer(s, c.health)
	if r, ok := s.(reflection.GRPCServer); ok {
		reflection.Register(r)
	}
}

// Run drives leases and runs until ctx ends. Runs that are under way then are
// ended at once, with a report of what was measured. It returns when all that
// the controller started has ended; call it once.
func (c *Controller) Run(ctx context.Context) error {
	if c.ran.Swap(true) {
		return errors.New("controller: Run may be called once")
	}
	var leases sync.WaitGroup
	watching, stop := context.WithCancel(context.Background())
	defer stop()
	leases.Go(func() { c.registry.expire(watching) })
	passing := make(chan error, 1)
	go func() { passing <- c.gateway.Run(watching) }()
	leases.Go(func() { c.retain(watching) })
	c.setServing(true)
	<-ctx.Done()
	c.setServing(false)
	c.close()
	close(c.stopping)
	c.hurry()
	c.active.Wait()
	close(c.ended)
	c.inside.Wait()
	stop()
	leases.Wait()
	return errors.Join(<-passing, c.shut())
}

func (c *Controller) setServing(on bool) {
	c.serving.Store(on)
	if on {
		c.health.SetServingStatus("", healthv1.HealthCheckResponse_SERVING)
		return
	}
	c.health.Shutdown()
}

// isStopping reports whether Run was asked to end.
func (c *Controller) isStopping() bool {
	select {
	case <-c.stopping:
		return true
	default:
		return false
	}
}

// hurry has runs end that are busy with something long.
func (c *Controller) hurry() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.runs {
		r.hurry()
	}
}

func (c *Controller) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
}

// enter counts a session's goroutine; release ends that.
func (c *Controller) enter() (release func(), err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, errClosed
	}
	c.inside.Add(1)
	return c.inside.Done, nil
}

// begin starts a run's goroutine.
func (c *Controller) begin(r *run) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return errClosed
	}
	c.runs[r.id] = r
	c.active.Go(func() { c.live(r) })
	return nil
}

// live is a run's life on its own goroutine, from when it is known to when it is
// not.
func (c *Controller) live(r *run) {
	r.live()
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.runs, r.id)
	close(r.parted)
}

// run returns a run that is under way, or nil.
func (c *Controller) run(id string) *run {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.runs[id]
}

// agentsMoved wakes the runs, some of which wait for agents.
func (c *Controller) agentsMoved() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.runs {
		r.post(func() {})
	}
}

// lookup returns what an id names, or an error that says so.
func (c *Controller) lookup(ws store.WatchSet, id string) (*store.Test, *store.Run, error) {
	t, r := c.store.TestAndRun(ws, id)
	if t == nil {
		return nil, nil, fmt.Errorf("test %.80q: %w", id, store.ErrNotExist)
	}
	return t, r, nil
}
