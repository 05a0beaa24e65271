package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/spf13/pflag"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/tap"

	"github.com/stampede-bench/stampede/internal/auth"
	"github.com/stampede-bench/stampede/internal/guard"
)

// Environment variables that hold tokens in place of a file.
const (
	envClientTokens = "STAMPEDE_CLIENT_TOKENS" // of a controller: those it takes
	envAgentTokens  = "STAMPEDE_AGENT_TOKENS"
)

// protection is how a controller's ports are protected.
type protection struct {
	clientTokens, agentTokens string // files
	cert, key, clientCA       string
	insecure                  bool
}

func (p *protection) add(fl *pflag.FlagSet) {
	fl.StringVar(&p.clientTokens, "client-token-file", "", "`FILE` of tokens that clients may use, one a line, \"read TOKEN\" for one that may only look; or "+envClientTokens)
	fl.StringVar(&p.agentTokens, "agent-token-file", "", "`FILE` of tokens that agents may join with, one a line; or "+envAgentTokens)
	fl.StringVar(&p.cert, "tls-cert", "", "`FILE` of the certificate of both ports, in PEM form")
	fl.StringVar(&p.key, "tls-key", "", "`FILE` of its key")
	fl.StringVar(&p.clientCA, "tls-client-ca", "", "`FILE` of a CA; clients and agents must show a certificate that it signed")
	fl.BoolVar(&p.insecure, "insecure", false, "listen beyond loopback without TLS or tokens")
}

// shield is protection that has been read.
type shield struct {
	guard *auth.Guard
	tls   *tls.Config // nil: plain text
}

func (p *protection) read(log *slog.Logger) (*shield, error) {
	s := &shield{guard: &auth.Guard{}}
	var err error
	if s.guard.Client, err = readTokens("--client-token-file", p.clientTokens, envClientTokens, auth.Run, log); err != nil {
		return nil, err
	}
	if s.guard.Agent, err = readTokens("--agent-token-file", p.agentTokens, envAgentTokens, auth.Agent, log); err != nil {
		return nil, err
	}
	if err := auth.Disjoint(s.guard.Client, s.guard.Agent); err != nil {
		return nil, usageError(err, "make one of them anew: openssl rand -hex 32")
	}
	if s.tls, err = auth.ServerTLS(p.cert, p.key, p.clientCA); err != nil {
		return nil, usageError(err, "")
	}
	return s, nil
}

func readTokens(flag, path, env string, kind auth.Role, log *slog.Logger) (*auth.Tokens, error) {
	if path != "" {
		t, err := auth.FromFile(path, kind, func(err error) { log.Warn("tokens not reloaded", "flag", flag, "err", err) })
		if err != nil {
			return nil, usageError(fmt.Errorf("%s: %w", flag, err), "one token a line, # begins a comment; openssl rand -hex 32 makes one")
		}
		return t, nil
	}
	if text := os.Getenv(env); text != "" {
		t, err := auth.FromText(text, kind)
		if err != nil {
			return nil, usageError(fmt.Errorf("%s: %w", env, err), "tokens are separated by commas or line ends; openssl rand -hex 32 makes one")
		}
		return t, nil
	}
	return nil, nil
}

// loopback says whether addr is this machine's alone.
func loopback(addr string) (bool, error) {
	host, port, err := net.SplitHostPort(addr)
	if n, perr := strconv.Atoi(port); err != nil || perr != nil || n < 0 || n > 65535 {
		return false, usageError(fmt.Errorf("a listen address must be HOST:PORT, got %q", addr), "127.0.0.1:0 takes a free port")
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback(), nil
}

// checkReach refuses to listen beyond loopback without protection, unless told
// otherwise in so many words.
func (p *protection) checkReach(addr string, s *shield, log *slog.Logger) error {
	if near, err := loopback(addr); near || err != nil {
		return err
	}
	if s.tls == nil && !s.guard.On() {
		if p.insecure {
			log.Warn("open to everybody who can reach it", "addr", addr)
			return nil
		}
		return usageError(fmt.Errorf("listening on %s would be open to others without TLS or tokens", addr),
			"give --client-token-file and --agent-token-file, and --tls-cert with --tls-key; listen on 127.0.0.1; or say --insecure when the network is yours alone")
	}
	if s.tls == nil {
		log.Warn("tokens travel in plain text; --tls-cert and --tls-key encrypt them", "addr", addr)
	}
	if !s.guard.On() && p.clientCA == "" {
		log.Warn("whoever can reach it may use it; --client-token-file, --agent-token-file or --tls-client-ca ask who it is", "addr", addr)
	}
	return nil
}

// Limits of the gRPC port. A message is at most one very long answer in a batch,
// or a spec with data in it; files and reports have streams and bounds of their own.
const (
	maxGRPCMessage = 16 << 20
	maxGRPCReport  = 256 << 20 // what clients take
	maxGRPCHeader  = 64 << 10
	maxGRPCStreams = 256 // at a time, on one connection
	handshakeLimit = 10 * time.Second
)

// serverOptions protects the gRPC port.
func (s *shield) serverOptions() []grpc.ServerOption {
	arrival := guard.Arrival{}
	opts := []grpc.ServerOption{
		grpc.InTapHandle(func(ctx context.Context, info *tap.Info) (context.Context, error) {
			if ctx, err := s.guard.Tap(ctx, info); err != nil {
				return ctx, err
			}
			return arrival.Tap(ctx, info)
		}),
		grpc.ChainUnaryInterceptor(arrival.Unary), grpc.ChainStreamInterceptor(arrival.Stream),
		grpc.MaxRecvMsgSize(maxGRPCMessage), grpc.MaxSendMsgSize(maxGRPCReport), grpc.MaxHeaderListSize(maxGRPCHeader),
		grpc.MaxConcurrentStreams(maxGRPCStreams), grpc.ConnectionTimeout(handshakeLimit),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 5 * time.Second, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: 15 * time.Minute, Time: 30 * time.Second, Timeout: 15 * time.Second}),
	}
	if s.tls != nil {
		opts = append(opts, grpc.Creds(credentials.NewTLS(s.tls.Clone())))
	}
	return opts
}

// trust is how a client or an agent shows who it is and knows the controller.
type trust struct {
	tokenFile     string
	ca, cert, key string
	env           string
}

func (t *trust) add(fl *pflag.FlagSet, env string) {
	t.env = env
	fl.StringVar(&t.tokenFile, "token-file", "", "`FILE` of the token to send to the controller; or "+env)
	fl.StringVar(&t.ca, "tls-ca", "", "connect over TLS and trust the CA in `FILE`, or the host's own with \"system\"")
	fl.StringVar(&t.cert, "tls-cert", "", "`FILE` of a certificate to show, when the controller asks for one")
	fl.StringVar(&t.key, "tls-key", "", "`FILE` of its key")
}

// read returns where the token comes from and the TLS configuration, nil for
// plain text.
func (t *trust) read() (auth.Source, *tls.Config, error) {
	source := auth.Source{Path: t.tokenFile}
	if source.Path == "" {
		source = auth.FromEnv(os.Getenv(t.env))
	} else if _, err := source.Read(); err != nil {
		return source, nil, usageError(fmt.Errorf("--token-file: %w", err), "")
	}
	config, err := auth.ClientTLS(t.ca, t.cert, t.key)
	if err != nil {
		return source, nil, usageError(err, "")
	}
	return source, config, nil
}

var errNoController = errors.New("--token-file and --tls-… are for a controller: give --controller, too")

// unused refuses flags that would have no effect.
func (t *trust) unused() error {
	if t.tokenFile+t.ca+t.cert+t.key != "" {
		return usageError(errNoController, "")
	}
	return nil
}
