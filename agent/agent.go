package agent

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/target"
	"github.com/stampede-bench/stampede/workload"
	"github.com/stampede-bench/stampede/workload/dataset"
)

// Doer is what an agent needs of a client of the endpoint. If it also has
// Close() or Stats() target.Stats, they are used.
type Doer = target.Doer

// Config configures an Agent.
type Config struct {
	// Conn is the connection to the controller. Its own reconnect backoff and
	// connect timeout should be at most a quarter of the lease. Required.
	Conn grpc.ClientConnInterface
	// Name is for people. Default: host name and process id.
	Name string
	// Version is told to the controller. Default "dev".
	Version string
	// Logger takes what an operator may want to know. Default: nothing is logged.
	Logger *slog.Logger
	// AllowTarget is asked for every address before it is dialled, after names
	// were resolved. Nil allows all but metadata addresses.
	AllowTarget func(host string, addr netip.AddrPort) error
	// NewDoer makes the client of a run's endpoint. Default: target.New.
	NewDoer func(target.Config) (Doer, error)
	// OutboxBytes bounds the memory that samples without acknowledgement take;
	// beyond, they go to a file. Default 64 MiB.
	OutboxBytes int64
	// SpillBytes bounds that file; beyond, chunk detail is left out and counted,
	// never an outcome. Default 1 GiB.
	SpillBytes int64
	// SpillDir is where the file lies while it is needed. Default: the system's
	// folder for temporary files.
	SpillDir string
	// CorpusDir is where the data of runs is kept, by its hash, for later runs and
	// other agents of this host. Default: stampede/corpora in the user's folder for
	// caches.
	CorpusDir string
	// CorpusBytes is how much stays there after the data of a run was fetched; the
	// longest unused goes first. Default 20 GiB; negative: all of it.
	CorpusBytes int64
	// LeaveTimeout bounds how long requests in flight may go on once Run's context
	// has ended, and after it how long samples may take to be shipped: five
	// seconds more. Default 30 s.
	LeaveTimeout time.Duration
}

// withDefaults completes a configuration.
func (c Config) withDefaults() Config {
	if c.Name == "" {
		host, _ := os.Hostname() // without one, the process id has to do
		c.Name = host + "-" + strconv.Itoa(os.Getpid())
	}
	if c.Version == "" {
		c.Version = "dev"
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.NewDoer == nil {
		c.NewDoer = func(t target.Config) (Doer, error) { return target.New(t) }
	}
	if c.OutboxBytes == 0 {
		c.OutboxBytes = 64 << 20
	}
	if c.SpillBytes == 0 {
		c.SpillBytes = 1 << 30
	}
	if c.CorpusDir == "" {
		c.CorpusDir = defaultCorpusDir()
	}
	if c.CorpusBytes == 0 {
		c.CorpusBytes = 20 << 30
	}
	if c.LeaveTimeout == 0 {
		c.LeaveTimeout = 30 * time.Second
	}
	return c
}

// shipTimeout is how long a leaving agent tries to get rid of its samples.
const shipTimeout = 5 * time.Second

// Agent is one load generator. Make it with New; Run does everything.
type Agent struct {
	cfg        Config
	id         string
	log        *slog.Logger
	client     stampedev1.AgentServiceClient
	clock      *wallClock
	outbox     outbox
	corpora    corpora
	cpu        cpuMeter
	newSleeper func() sleeper
	openCorpus func(*workload.Spec, string, *dataset.File, dataset.Options) (dataset.Corpus, []string, error)

	work chan struct{} // something to send
	beat chan struct{} // a heartbeat is wanted now

	connected atomic.Bool // a session is open

	mu      sync.Mutex
	runs    map[string]*run
	probes  map[string]*probed
	looked  []*stampedev1.Examination // to be told
	leaving bool
	secret  []byte        // resumes the session
	lease   time.Duration // from the last Welcome

	tasks sync.WaitGroup
}

// New checks the configuration and returns an Agent that Run sets to work.
func New(cfg Config) (*Agent, error) {
	if cfg.Conn == nil {
		return nil, errors.New("agent: Config.Conn is nil, a connection to a controller is required")
	}
	if cfg.OutboxBytes < 0 || cfg.SpillBytes < 0 || cfg.LeaveTimeout < 0 {
		return nil, errors.New("agent: Config.OutboxBytes, SpillBytes and LeaveTimeout must not be negative")
	}
	cfg = cfg.withDefaults()
	client := stampedev1.NewAgentServiceClient(cfg.Conn)
	return &Agent{
		cfg: cfg, id: uuid.NewString(), log: cfg.Logger.With("agent", cfg.Name), client: client,
		clock: newWallClock(), outbox: newOutbox(&cfg), corpora: corpora{client: client, dir: cfg.CorpusDir, keep: cfg.CorpusBytes},
		cpu: newCPUMeter(), newSleeper: newSleeper, openCorpus: dataset.Open,
		work: make(chan struct{}, 1), beat: make(chan struct{}, 1),
		runs: map[string]*run{}, probes: map[string]*probed{}, lease: defaultLease,
	}, nil
}

// defaultLease is assumed until the first Welcome.
const defaultLease = 10 * time.Second

// ID is the uuid under which the controller knows this process.
func (a *Agent) ID() string { return a.id }

// Run holds a session with the controller, again and again, until ctx ends. Then
// it says goodbye, takes no new shards, lets requests in flight end within
// Config.LeaveTimeout, ships their samples, and returns nil when all that it
// started has ended. It returns an error at once when the controller refuses
// this agent for good, by its token or version, and after a minute when it has
// welcomed it before. It is called once.
func (a *Agent) Run(ctx context.Context) error {
	working, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer a.outbox.close()
	defer a.tasks.Wait()
	defer cancel()
	a.tasks.Go(func() {
		select {
		case <-ctx.Done():
			a.leave()
			wait(working, a.cfg.LeaveTimeout+shipTimeout)
			cancel()
		case <-working.Done():
		}
	})
	return a.sessions(ctx, working)
}

// sessions builds one session after the other.
func (a *Agent) sessions(ctx, working context.Context) error {
	var refusedSince time.Time
	for failures := 0; ; {
		welcomed, err := a.session(working)
		if a.over(ctx, working, err) {
			return nil
		}
		if !refused(err) {
			refusedSince = time.Time{}
		} else if refusedSince.IsZero() {
			refusedSince = time.Now()
		}
		if refused(err) && (!a.known() || time.Since(refusedSince) >= refusalPatience) {
			return err
		}
		if failures++; welcomed {
			failures = 0
		}
		a.log.Warn("session ended, building a new one", "error", err)
		wait(working, backoff(failures, a.leaseDuration(), rand.Float64()))
	}
}

// over reports whether no further session is wanted after one that ended with err.
func (a *Agent) over(ctx, working context.Context, err error) bool {
	return errors.Is(err, errLeft) || working.Err() != nil || ctx.Err() != nil && a.idle()
}

// wait returns after d or when ctx ends.
func wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// refusalPatience is how long an agent that a controller has had before goes on
// asking one that refuses it: its token may be about to be rotated, and what it
// measured is of use only there.
const refusalPatience = time.Minute

// known reports whether a controller has ever welcomed this agent.
func (a *Agent) known() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.secret != nil
}

// refused reports whether the controller has said that it will not have this agent.
func refused(err error) bool {
	switch status.Code(err) {
	case codes.Unauthenticated, codes.PermissionDenied, codes.FailedPrecondition, codes.InvalidArgument, codes.Unimplemented:
		return true
	default:
		return false
	}
}

// leave stops everything that is under way; the session says goodbye.
func (a *Agent) leave() {
	a.mu.Lock()
	a.leaving = true
	a.mu.Unlock()
	for _, s := range a.shards() {
		s.stop(a.cfg.LeaveTimeout)
	}
	a.nudge()
}

// idle reports whether nothing is left to do or to tell.
func (a *Agent) idle() bool {
	for _, s := range a.shards() {
		if !s.over() {
			return false
		}
	}
	held, _ := a.outbox.held()
	return held == 0
}

// shards lists the shards of all runs.
func (a *Agent) shards() []*shard {
	a.mu.Lock()
	defer a.mu.Unlock()
	var all []*shard
	for _, r := range a.runs {
		all = append(all, r.list()...)
	}
	return all
}

func (a *Agent) isLeaving() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.leaving
}

func (a *Agent) leaseDuration() time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.lease
}

// nudge tells the session that there is something to send.
func (a *Agent) nudge() { poke(a.work) }

// heartbeatNow asks the session for a heartbeat out of turn.
func (a *Agent) heartbeatNow() { poke(a.beat) }

// backoff is how long to wait after so many failures in a row: from 100 ms,
// doubled each time, at most a quarter of the lease, jittered down to half by a
// uniform number in [0, 1).
func backoff(failures int, lease time.Duration, uniform float64) time.Duration {
	d := 100 * time.Millisecond << min(failures, 10)
	d = min(d, lease/4)
	return d/2 + time.Duration(uniform*float64(d/2))
}
