package controller

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/stampede-bench/stampede/controller/store"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
)

// secretBytes is the length of a session secret.
const secretBytes = 16

// maxPeers bounds how many agents may be connected.
const maxPeers = 10_000

// peer is one agent's process as the registry knows it, over all its sessions.
// All fields but the first two are guarded by registry.mu.
type peer struct {
	id   string
	name string

	secret   []byte
	session  *session // nil while it is cut off
	deadline time.Time
	watched  bool // in the heap
	heard    bool // a heartbeat came, so the agent knows its secret
	leaving  bool
	runs     map[string]*run // that count on it, or may get its backlog

	clock    peerClock
	row      store.Agent
	cpu      float64
	inFlight int64
}

// registry knows the agents, their leases and their clocks.
type registry struct {
	cfg   *Config
	store *store.Store
	log   *slog.Logger
	wall  wall
	kick  chan struct{} // the heap has a new first entry
	moved func()        // an agent came or went

	mu     sync.Mutex
	again  map[string]bool // runs that a restart begins again
	peers  map[string]*peer
	leases leases
}

func newRegistry(cfg *Config, st *store.Store, w wall, moved func()) *registry {
	return &registry{
		cfg: cfg, store: st, log: cfg.Logger, wall: w, kick: make(chan struct{}, 1), moved: moved,
		peers: map[string]*peer{}, again: map[string]bool{},
	}
}

// attach begins a session for an agent. The Welcome is the first message in the
// session's queue, before anybody else can put one there. The session before, if
// there is one, ends.
func (g *registry) attach(s *session, hello *stampedev1.Hello) (p *peer, resumed bool, err error) {
	if err := checkHello(hello, g.cfg.Version); err != nil {
		return nil, false, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	p, known := g.peers[hello.GetAgentId()]
	resumed = known && subtle.ConstantTimeCompare(p.secret, hello.GetResumeSecret()) == 1
	if known && !resumed && !p.heard && p.session == nil {
		known = false // its Welcome was lost on the way
		delete(g.peers, p.id)
	}
	if known && !resumed {
		return nil, false, fmt.Errorf("agent %s is connected, or counted on by a run: its session can only be resumed with its secret: %w", p.id, errRefused)
	}
	if !known && len(g.peers) >= maxPeers {
		return nil, false, fmt.Errorf("%d agents are connected, no more are taken: %w", len(g.peers), errTooFast)
	}
	if !known {
		p = &peer{id: hello.GetAgentId(), runs: map[string]*run{}}
		g.peers[p.id] = p
	}
	if p.session != nil {
		p.session.end(fmt.Errorf("agent %s began another session: %w", p.id, errRefused))
	}
	g.welcome(p, s, hello, resumed)
	return p, resumed, nil
}

// welcome is called with mu held.
func (g *registry) welcome(p *peer, s *session, hello *stampedev1.Hello, resumed bool) {
	now := time.Now()
	if !resumed {
		p.secret = make([]byte, secretBytes)
		_, _ = rand.Read(p.secret) // never fails
	}
	s.peer, p.session, p.leaving = p, s, false
	p.clock.restart()
	g.describe(p, s.id, hello, now)
	p.deadline = now.Add(g.cfg.Lease)
	g.watch(p)
	s.send(&stampedev1.SessionResponse{Message: &stampedev1.SessionResponse_Welcome{Welcome: &stampedev1.Welcome{
		SessionId: s.id, SessionSecret: p.secret,
		LeaseDuration: duration(g.cfg.Lease), HeartbeatPeriod: duration(g.period()),
		MaxInflightBytes: maxInflightBytes, Version: g.cfg.Version, Resumed: resumed,
	}}})
	for _, m := range hello.GetShards() {
		if id := m.GetRunId(); !resumed && g.again[id] {
			s.send(forgetRun(id)) // before it is told of the run anew
		}
	}
}

func (g *registry) describe(p *peer, sessionID string, hello *stampedev1.Hello, now time.Time) {
	p.name = hello.GetName()
	if p.name == "" {
		p.name = p.id
	}
	connected := now
	if !p.row.ConnectTime.IsZero() {
		connected = p.row.ConnectTime
	}
	p.row = store.Agent{
		ID: p.id, Name: p.name, Host: hello.GetHost(), Platform: hello.GetPlatform(), Version: hello.GetVersion(),
		CPUCount: hello.GetCpuCount(), KernelStamp: hello.GetKernelStamps(),
		ConnectTime: connected, SessionID: sessionID, Connected: true,
	}
	g.put(p.row)
}

// put is called with mu held, so that rows follow one another as the peers do.
func (g *registry) put(row store.Agent) {
	if err := g.store.PutAgent(row); err != nil {
		g.log.Error("agent is not in the store", "agent", row.Name, "err", err)
	}
}

// watch puts a peer's lease under watch; called with mu held.
func (g *registry) watch(p *peer) {
	if p.watched {
		return
	}
	p.watched = true
	g.leases.add(p)
	select {
	case g.kick <- struct{}{}:
	default:
	}
}

// detach ends a session. After a goodbye the lease ends with it.
func (g *registry) detach(s *session) {
	g.mu.Lock()
	p := s.peer
	if p == nil || p.session != s {
		g.mu.Unlock()
		return
	}
	p.session = nil
	p.row.Connected = false
	g.put(p.row)
	if p.leaving {
		g.over(p)
	}
	g.mu.Unlock()
	g.moved()
}

// leave marks an agent that said goodbye.
func (g *registry) leave(s *session) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if p := s.peer; p.session == s {
		p.leaving = true
		p.row.Leaving = true
		g.put(p.row)
	}
}

// over ends a lease; called with mu held. Whoever counts on the agent is told.
// It is remembered as long as a run may get its backlog.
func (g *registry) over(p *peer) {
	if s := p.session; s != nil {
		s.end(fmt.Errorf("agent %s: no heartbeat for %v, its lease is over: %w", p.id, g.cfg.Lease, errState))
	}
	p.session = nil
	for _, r := range p.runs {
		r.post(func() { r.agentLost(p.id) })
	}
	if err := g.store.DropAgent(p.id); err != nil {
		g.log.Error("agent stays in the store", "agent", p.name, "err", err)
	}
	if len(p.runs) == 0 {
		delete(g.peers, p.id)
	}
}

// expire ends the leases that are over, until ctx ends.
func (g *registry) expire(ctx context.Context) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		g.mu.Lock()
		over, next, ok := g.leases.expired(time.Now())
		for _, p := range over {
			p.watched = false
			if g.peers[p.id] == p {
				g.log.Warn("agent lost: its lease is over", "agent", p.name, "lease", g.cfg.Lease)
				g.over(p)
			}
		}
		g.mu.Unlock()
		if len(over) > 0 {
			g.moved()
		}
		var alarm <-chan time.Time
		if ok {
			timer.Reset(time.Until(next))
			alarm = timer.C
		}
		select {
		case <-alarm:
		case <-g.kick:
		case <-ctx.Done():
			return
		}
	}
}

// newSessionID returns the fence of a session.
func newSessionID() string { return uuid.NewString() }
