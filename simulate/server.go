package simulate

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Server is a simulated model server. Run may be called once; the other methods
// are safe for concurrent use at any time.
type Server struct {
	cfg       Config
	timing    *script
	listener  net.Listener
	tls       *tls.Config // nil: plain
	file      *os.File    // the account, nil when there is none
	acct      *account
	meter     *meter
	cache     *prefixCache
	sched     *scheduler
	chatShape *shape
	textShape *shape
	vocab     []word
	created   int64
	number    atomic.Uint64 // of completions requests
	stopping  atomic.Bool
	stop      chan struct{} // closed when stopping is set

	mu struct {
		sync.Mutex
		conns map[*conn]struct{}
		last  int64 // connection id
	}
	serving sync.WaitGroup // connections' goroutines
}

// New checks cfg, opens the account's file and listens. Connections wait until
// Run. A Server that is never run keeps its port; Close gives it back.
func New(cfg Config) (*Server, error) {
	cfg.setDefaults()
	timing, err := cfg.parse()
	if err != nil {
		return nil, fmt.Errorf("simulate: %w", err)
	}
	s := &Server{cfg: cfg, timing: timing, tls: cfg.serverTLS(), acct: newAccount(cfg.MaxRecords, cfg.AccountPath != ""),
		meter: newMeter(), cache: newPrefixCache(cfg.PrefixCacheBlocks), created: time.Now().Unix(), stop: make(chan struct{}),
		chatShape: newShape(cfg.Shape, cfg.ReasoningField, true), textShape: newShape(cfg.Shape, cfg.ReasoningField, false)}
	if s.vocab = vocabulary; cfg.Tokenizer != nil {
		if s.vocab = ofOneToken(cfg.Tokenizer.Count); len(s.vocab) == 0 {
			return nil, errors.New("simulate: the tokenizer takes no common word for one token")
		}
	}
	s.mu.conns = make(map[*conn]struct{})
	if cfg.AccountPath != "" {
		if s.file, err = os.OpenFile(cfg.AccountPath, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644); err != nil {
			return nil, fmt.Errorf("open account: %w", err)
		}
	}
	lc := net.ListenConfig{Control: prepareSockets}
	if cfg.SharePort {
		lc.Control = prepareShared
	}
	if s.listener, err = lc.Listen(context.Background(), "tcp", cfg.Addr); err != nil {
		return nil, errors.Join(fmt.Errorf("listen on %s: %w", cfg.Addr, err), s.closeFile())
	}
	awaitStamps()
	if s.sched, err = newScheduler(cfg.Slots, cfg.Dedicated, s.acct, s.meter); err != nil {
		return nil, errors.Join(err, s.listener.Close(), s.closeFile())
	}
	return s, nil
}

// Addr is the address that the server listens on, with its real port.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// URL is the base URL for clients, with /v1.
func (s *Server) URL() string {
	if s.tls != nil {
		return "https://" + s.Addr() + "/v1"
	}
	return "http://" + s.Addr() + "/v1"
}

// Account returns the records of requests that have ended, the newest
// Config.MaxRecords, in the order in which they ended. They must not be changed.
func (s *Server) Account() []*Record { return s.acct.records() }

// Summary counts over the server's life.
func (s *Server) Summary() Summary {
	sum := s.acct.summary()
	sum.Waiting, sum.MaxRunning = s.meter.waiting.Load(), s.meter.maxRunning.Load()
	s.mu.Lock()
	defer s.mu.Unlock()
	sum.Connections, sum.Open = s.mu.last, int64(len(s.mu.conns))
	return sum
}

// Run serves until ctx ends, then gives up what is under way, writes what is left
// of the account, and returns. It returns an error when it could not accept any
// more, or could not write the account.
func (s *Server) Run(ctx context.Context) error {
	scheduled := make(chan struct{})
	go func() {
		defer close(scheduled)
		s.sched.run()
	}()
	fileCtx, endFile := context.WithCancel(context.WithoutCancel(ctx))
	written := make(chan error, 1)
	go func() { written <- s.keepFile(fileCtx) }()
	stopAccept := context.AfterFunc(ctx, func() { _ = s.listener.Close() })
	err := s.accept(ctx)
	stopAccept()
	_ = s.listener.Close()
	s.stopConns()
	s.serving.Wait()
	s.sched.stop()
	<-scheduled
	s.sched.close()
	endFile()
	return errors.Join(err, <-written, s.closeFile())
}

// Close gives the port back. It is for a Server that is not run; Run ends by its
// context.
func (s *Server) Close() error {
	s.sched.close()
	return errors.Join(s.listener.Close(), s.closeFile())
}

func (s *Server) keepFile(ctx context.Context) error {
	if s.file == nil {
		return nil
	}
	err := s.acct.write(ctx, s.file)
	if err != nil {
		s.cfg.Logger.Error("account is incomplete", "error", err)
	}
	return err
}

func (s *Server) closeFile() error {
	if s.file == nil {
		return nil
	}
	f := s.file
	s.file = nil
	if err := f.Close(); err != nil {
		return fmt.Errorf("close account: %w", err)
	}
	return nil
}

// acceptPause is how long accepting rests when the process is out of descriptors.
const acceptPause = 10 * time.Millisecond

func (s *Server) accept(ctx context.Context) error {
	for {
		nc, err := s.listener.Accept()
		switch {
		case ctx.Err() != nil:
			if err == nil {
				_ = nc.Close()
			}
			return nil
		case errors.Is(err, net.ErrClosed):
			return fmt.Errorf("accept on %s: %w", s.Addr(), err)
		case err != nil: // a connection that was reset at once, or no descriptors left
			s.cfg.Logger.Warn("accept failed", "error", err)
			select {
			case <-ctx.Done():
			case <-time.After(acceptPause):
			}
		default:
			s.admit(nc)
		}
	}
}

func (s *Server) admit(nc net.Conn) {
	sock, err := newSocket(nc)
	if err != nil {
		s.cfg.Logger.Error("connection refused", "error", err)
		_ = nc.Close()
		return
	}
	c := &conn{srv: s, sock: newWire(sock, s.tls)}
	s.mu.Lock()
	s.mu.last++
	c.id = s.mu.last
	s.mu.conns[c] = struct{}{}
	s.mu.Unlock()
	s.serving.Go(func() {
		c.serve()
		s.mu.Lock()
		delete(s.mu.conns, c)
		s.mu.Unlock()
	})
}

// stopConns makes all connections' goroutines end. No new ones come any more.
func (s *Server) stopConns() {
	s.stopping.Store(true)
	close(s.stop)
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.mu.conns {
		_ = c.sock.SetReadDeadline(time.Unix(1, 0))
	}
}
