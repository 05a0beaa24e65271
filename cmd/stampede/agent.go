package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"github.com/stampede-bench/stampede/agent"
	"github.com/stampede-bench/stampede/internal/allow"
	"github.com/stampede-bench/stampede/internal/guard"
	"github.com/stampede-bench/stampede/internal/procs"
)

func newAgentCommand(io streams) *cobra.Command {
	f := &agentFlags{}
	cmd := &cobra.Command{
		Use:   "agent",
		Short: "Run a load agent that takes its work from a controller",
		Example: `  stampede agent --controller 127.0.0.1:50051
  stampede agent --controller bench-0.internal:50051 --name rack-7 --token-file agent.token --tls-ca ca.pem
  stampede agent --allow-target '10.0.0.0/8:8000' --allow-target '*.models.internal'`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, err := newLog(io, f.logFormat, f.logLevel)
			if err != nil {
				return err
			}
			ctx, stop := untilSignal(cmd.Context())
			defer stop()
			return f.run(ctx, io.out, log)
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&f.addr, "controller", defaultController, "gRPC `ADDR` of the controller")
	fl.StringVar(&f.name, "name", "", "`NAME` for people (default host name and pid)")
	f.trust.add(fl, "STAMPEDE_AGENT_TOKEN")
	fl.StringArrayVar(&f.allowTarget, "allow-target", nil, "load only what matches `PATTERN`: a host name with * and ?, an address or a prefix, with an optional :PORT; may repeat (default all but metadata addresses)")
	fl.StringVar(&f.metricsAddr, "metrics-addr", "", "listen `ADDR` for /metrics, /healthz and /readyz, over HTTP (default none)")
	fl.BoolVar(&f.insecure, "insecure", false, "let --metrics-addr listen beyond loopback, where it is open to all who reach it")
	fl.StringSliceVar(&f.allowHosts, "allow-host", nil, "`NAMES` of hosts that requests to --metrics-addr may be for, beside loopback and the listen address; *.domain is one, too")
	addLogFlags(fl, &f.logFormat, &f.logLevel)
	return cmd
}

// sleepingThreads are the one that dispatches and the one that reads.
const sleepingThreads = 2

type agentFlags struct {
	addr, name          string
	metricsAddr         string
	insecure            bool
	allowHosts          []string
	trust               trust
	allowTarget         []string
	logFormat, logLevel string
}

// reconnect leaves pacing to the agent, whose pauses are a share of the lease:
// gRPC's own grow to two minutes, in which an agent would be given up although
// its controller is back.
var reconnect = grpc.ConnectParams{
	Backoff:           backoff.Config{BaseDelay: 50 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 100 * time.Millisecond},
	MinConnectTimeout: 2 * time.Second,
}

func (f *agentFlags) run(ctx context.Context, out io.Writer, log *slog.Logger) error {
	allowed, err := allow.Parse(f.allowTarget)
	if err != nil {
		return usageError(fmt.Errorf("--allow-target: %w", err), "--allow-target 10.0.0.0/8:8000 --allow-target '*.models.internal'")
	}
	if err := checkController(f.addr); err != nil {
		return err
	}
	conn, err := f.dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	procs.Spare(sleepingThreads)
	procs.Collect()
	procs.Prompt()
	name := f.name
	if name == "" {
		host, _ := os.Hostname()
		name = fmt.Sprintf("%s-%d", host, os.Getpid())
	}
	a, err := agent.New(agent.Config{Conn: conn, Name: name, Logger: log, Version: versionString(), AllowTarget: allowed.Allow})
	if err != nil {
		return err
	}
	log.Info("agent starting", "name", name, "controller", f.addr)
	serving, end := context.WithCancel(context.WithoutCancel(ctx)) // while it drains, too
	defer end()
	g, working := errgroup.WithContext(ctx)
	if f.metricsAddr != "" {
		if err := f.checkReach(log); err != nil {
			return err
		}
		pages, err := guard.New(guard.Config{Listen: f.metricsAddr, AllowHosts: f.allowHosts}, agentPages(name, a.Status))
		if err != nil {
			return usageError(fmt.Errorf("--metrics-addr: %w", err), "give it as HOST:PORT")
		}
		l, err := listen("--metrics-addr", f.metricsAddr, "--metrics-addr 127.0.0.1:0 takes a free port")
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "metrics listening on %s\n", l.Addr())
		g.Go(func() error { return servePages(serving, l, pages, log) })
	}
	g.Go(func() error {
		defer end()
		return f.work(working, a)
	})
	return g.Wait()
}

// checkReach refuses pages that are open to others, unless told otherwise.
func (f *agentFlags) checkReach(log *slog.Logger) error {
	near, err := loopback(f.metricsAddr)
	if near || err != nil {
		return err
	}
	if !f.insecure {
		return usageError(fmt.Errorf("--metrics-addr %s would be open to others: its pages ask for no token", f.metricsAddr),
			"listen on 127.0.0.1, or say --insecure when the network is yours alone")
	}
	log.Warn("open to everybody who can reach it", "addr", f.metricsAddr)
	return nil
}

func (f *agentFlags) work(ctx context.Context, a *agent.Agent) error {
	if err := a.Run(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return refusal(err, f.addr)
	}
	return nil
}

// dial prepares the connection; nobody is reached yet.
func (f *agentFlags) dial() (*grpc.ClientConn, error) {
	source, config, err := f.trust.read()
	if err != nil {
		return nil, err
	}
	transport := insecure.NewCredentials()
	if config != nil {
		transport = credentials.NewTLS(config)
	}
	opts := []grpc.DialOption{
		grpc.WithTransportCredentials(transport), grpc.WithConnectParams(reconnect),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 20 * time.Second, Timeout: 10 * time.Second}),
	}
	if source.Given() {
		opts = append(opts, grpc.WithPerRPCCredentials(source))
	}
	conn, err := grpc.NewClient(f.addr, opts...)
	if err != nil {
		return nil, usageError(fmt.Errorf("--controller: %w", err), "give it as HOST:PORT")
	}
	return conn, nil
}

// refusal tells what a controller said that will not have this agent.
func refusal(err error, addr string) error {
	st, ok := status.FromError(err)
	if !ok {
		return err
	}
	var answer interface{ GRPCStatus() *status.Status }
	if errors.As(err, &answer) {
		st = answer.GRPCStatus() // without what it was wrapped in
	}
	hint := ""
	for _, detail := range st.Details() {
		if m, is := detail.(*errdetails.LocalizedMessage); is {
			hint = m.GetMessage()
		}
	}
	return withHint(fmt.Errorf("the controller at %s refuses this agent: %s", addr, st.Message()), hint)
}

func addLogFlags(fl *pflag.FlagSet, format, level *string) {
	fl.StringVar(format, "log-format", "text", "text or json")
	fl.StringVar(level, "log-level", "info", "debug, info, warn or error")
}

func newLog(io streams, format, level string) (*slog.Logger, error) {
	opts := &slog.HandlerOptions{}
	var at slog.Level
	if err := at.UnmarshalText([]byte(level)); err != nil {
		return nil, usageError(fmt.Errorf("--log-level: must be debug, info, warn or error, got %q", level), "")
	}
	opts.Level = at
	switch format {
	case "json":
		return slog.New(slog.NewJSONHandler(io.err, opts)), nil
	case "text":
		return slog.New(slog.NewTextHandler(io.err, opts)), nil
	}
	return nil, usageError(fmt.Errorf("--log-format: must be text or json, got %q", format), "")
}
