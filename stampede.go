// Package stampede composes a controller and agents in one process. It is what
// `stampede run` does without --controller, and what a load test written as a Go
// test uses. It holds no logic of its own: the work is done by the packages
// controller and agent, which talk over an in-memory connection exactly as they
// would over a network.
package stampede

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/test/bufconn"

	"github.com/stampede-bench/stampede/agent"
	"github.com/stampede-bench/stampede/client"
	"github.com/stampede-bench/stampede/controller"
	"github.com/stampede-bench/stampede/report"
	"github.com/stampede-bench/stampede/workload"
)

// Config configures a Local.
type Config struct {
	// Agents is how many agents share the load. Default 1.
	Agents int
	// DataDir is where the controller keeps what it measured. Default: a
	// temporary folder that is removed when Run returns.
	DataDir string
	// LookupEnv finds the environment variable a spec's api_key_env names.
	// Default os.LookupEnv.
	LookupEnv func(string) (string, bool)
	// Progress is told how far a file is that is fetched from the dataset hub, and
	// Notice what a person should know of it. Default: nobody is told.
	Progress func(file string, done, total int64)
	Notice   func(text string)
	// Logger receives diagnostics. Default: none.
	Logger *slog.Logger
	// Version is stamped into reports. Default "dev".
	Version string
}

// Local is a controller with agents in this process.
type Local struct {
	cfg        Config
	controller *controller.Controller
	listener   *bufconn.Listener
	client     *client.Client
	temporary  bool
}

// pipeBytes is the buffer of the in-memory connection, one way.
const pipeBytes = 1 << 20

// New prepares a controller and agents; Run starts them.
func New(cfg Config) (*Local, error) {
	l := &Local{cfg: cfg, listener: bufconn.Listen(pipeBytes)}
	if l.cfg.Agents == 0 {
		l.cfg.Agents = 1
	}
	if l.cfg.Agents < 0 {
		return nil, fmt.Errorf("agents: must be at least 1, got %d", cfg.Agents)
	}
	if l.cfg.Logger == nil {
		l.cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if l.cfg.LookupEnv == nil {
		l.cfg.LookupEnv = os.LookupEnv
	}
	if l.cfg.Version == "" {
		l.cfg.Version = "dev"
	}
	if err := l.dataDir(); err != nil {
		return nil, err
	}
	if err := l.connect(); err != nil {
		l.removeTemporary()
		return nil, err
	}
	return l, nil
}

func (l *Local) dataDir() error {
	if l.cfg.DataDir != "" {
		return nil
	}
	dir, err := os.MkdirTemp("", "stampede-*")
	if err != nil {
		return fmt.Errorf("data folder: %w", err)
	}
	l.cfg.DataDir, l.temporary = dir, true
	return nil
}

func (l *Local) connect() (err error) {
	l.controller, err = controller.New(controller.Config{
		DataDir: l.cfg.DataDir, Volatile: true, NoRows: l.temporary, Logger: l.cfg.Logger, Version: l.cfg.Version,
	})
	if err != nil {
		return err
	}
	l.client, err = client.Dial("stampede", client.WithDialer(l.dialPipe), client.WithLookupEnv(l.cfg.LookupEnv),
		client.WithProgress(l.cfg.Progress), client.WithNotice(l.cfg.Notice))
	return err
}

func (l *Local) dialPipe(ctx context.Context, _ string) (net.Conn, error) {
	return l.listener.DialContext(ctx)
}

func (l *Local) dial() (*grpc.ClientConn, error) {
	return grpc.NewClient("passthrough:///stampede",
		grpc.WithContextDialer(l.dialPipe),
		grpc.WithTransportCredentials(insecure.NewCredentials()))
}

// Client is connected to the controller; its calls wait until Run serves them.
func (l *Local) Client() *client.Client { return l.client }

// Run serves until ctx ends and returns when all that it started has ended.
func (l *Local) Run(ctx context.Context) error {
	defer l.removeTemporary()
	defer l.client.Close()
	server := grpc.NewServer()
	l.controller.Register(server)
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()

	var control, load errgroup.Group
	control.Go(func() error { return l.controller.Run(serving) })
	control.Go(func() error {
		if err := server.Serve(l.listener); !errors.Is(err, grpc.ErrServerStopped) {
			return err
		}
		return nil // ctx ended before it began
	})
	for i := range l.cfg.Agents {
		load.Go(func() error { return l.runAgent(ctx, i) })
	}
	// Agents leave first, so that the controller hears their goodbye.
	err := load.Wait()
	server.Stop()
	stop()
	return errors.Join(err, control.Wait())
}

func (l *Local) runAgent(ctx context.Context, i int) error {
	conn, err := l.dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	a, err := agent.New(agent.Config{
		Conn: conn, Name: fmt.Sprintf("local-%d", i+1), Logger: l.cfg.Logger, Version: l.cfg.Version,
		// What the controller holds needs no second copy on the same disk.
		CorpusDir: filepath.Join(l.cfg.DataDir, controller.CorpusFolder), CorpusBytes: -1,
	})
	if err != nil {
		return err
	}
	return a.Run(ctx)
}

func (l *Local) removeTemporary() {
	if l.temporary {
		_ = os.RemoveAll(l.cfg.DataDir)
	}
}

// Run runs a spec on a controller and agents in this process and returns its
// report. The report's verdict says whether to believe it; an error means that
// there is none. When ctx ends, the run is cancelled, drained, and reported.
func Run(ctx context.Context, spec *workload.Spec, cfg Config) (*report.Report, error) {
	if spec == nil {
		return nil, errors.New("run: there is no spec")
	}
	if cfg.Agents == 0 {
		cfg.Agents = spec.Agents
	}
	local, err := New(cfg)
	if err != nil {
		return nil, err
	}
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	served := make(chan error, 1)
	go func() { served <- local.Run(serving) }()
	result, err := local.runToEnd(ctx, serving, spec)
	stop()
	if err = errors.Join(err, <-served); result == nil {
		return nil, err
	}
	if result.Report == nil && err == nil {
		err = fmt.Errorf("run %s: %s", result.Test.RunID, result.Test.Reason)
	}
	return result.Report, err
}

// runToEnd runs a spec and cancels it when ctx ends, so that what ran is still
// reported.
func (l *Local) runToEnd(ctx, serving context.Context, spec *workload.Spec) (*client.RunResult, error) {
	started := make(chan string, 1)
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		select {
		case <-ctx.Done():
		case <-ended:
			return
		}
		select {
		case id := <-started:
			_, _ = l.client.Cancel(serving, id, false)
		case <-ended:
		}
	}()
	return l.client.Run(serving, spec, func(t client.Test) {
		select {
		case started <- t.ID:
		default:
		}
	})
}
