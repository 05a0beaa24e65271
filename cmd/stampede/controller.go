package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/grpclog"

	"github.com/stampede-bench/stampede/controller"
)

type controllerFlags struct {
	grpcAddr, httpAddr  string
	dataDir, datasetDir string
	keyFile             string
	allowEnv            []string
	allowHosts          []string
	allowOrigins        []string
	protection          protection
	logFormat, logLevel string
	lease, heartbeat    time.Duration
	rejoinGrace         time.Duration
	retention           controller.Retention
}

func newControllerCommand(io streams) *cobra.Command {
	f := &controllerFlags{}
	cmd := &cobra.Command{
		Use:   "controller",
		Short: "Run a controller that agents and clients connect to",
		Example: `  stampede controller
  stampede controller --grpc-addr 127.0.0.1:0 --http-addr 127.0.0.1:0
  stampede controller --grpc-addr 0.0.0.0:50051 --client-token-file client.tokens --agent-token-file agent.tokens --tls-cert cert.pem --tls-key key.pem`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := untilSignal(cmd.Context())
			defer stop()
			return f.run(ctx, io)
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&f.grpcAddr, "grpc-addr", defaultController, "listen `ADDR` for agents and clients; port 0 takes a free one")
	fl.StringVar(&f.httpAddr, "http-addr", "127.0.0.1:8000", "listen `ADDR` for HTTP")
	fl.StringVar(&f.dataDir, "data-dir", "stampede-data", "`DIR` for specs, samples and reports")
	fl.StringVar(&f.keyFile, "key-file", "", "`FILE` of the key that secrets in the data folder are sealed with (default DIR.key, made when needed)")
	fl.StringVar(&f.datasetDir, "dataset-dir", "", "`DIR` below which specs may name files of this host (default none)")
	fl.StringSliceVar(&f.allowEnv, "allow-env", nil, "`NAMES` of this process's environment variables that specs may use for keys")
	fl.StringSliceVar(&f.allowHosts, "allow-host", nil, "`NAMES` of hosts that HTTP requests may be for, beside loopback and the listen address; *.domain is one, too")
	fl.StringSliceVar(&f.allowOrigins, "allow-origin", nil, "`ORIGINS`, such as https://dash.example.org, whose pages may use the HTTP port from a browser (default none but its own)")
	f.protection.add(fl)
	fl.DurationVar(&f.lease, "lease", 10*time.Second, "how long an agent lives without a heartbeat; longer bears longer cuts, shorter loses less when an agent dies")
	fl.DurationVar(&f.heartbeat, "heartbeat", 0, "how often agents report; at most a third of the lease (default 1s)")
	fl.DurationVar(&f.rejoinGrace, "rejoin-grace", 15*time.Second, "how long a run waits for lost agents to come back")
	addLogFlags(fl, &f.logFormat, &f.logLevel)
	cmd.AddCommand(newJoinCommand(io), newTokensCommand(io))
	return cmd
}

func (f *controllerFlags) run(ctx context.Context, io streams) error {
	log, err := newLog(io, f.logFormat, f.logLevel)
	if err != nil {
		return err
	}
	quietGRPC(log)
	shield, err := f.protection.read(log)
	if err != nil {
		return err
	}
	for _, addr := range []string{f.grpcAddr, f.httpAddr} {
		if err := f.protection.checkReach(addr, shield, log); err != nil {
			return err
		}
	}
	if err := checkFolder("--dataset-dir", f.datasetDir); err != nil {
		return err
	}
	if err := os.MkdirAll(f.dataDir, 0o700); err != nil {
		return usageError(fmt.Errorf("--data-dir: %w", err), "")
	}
	c, err := controller.New(controller.Config{
		DataDir: f.dataDir, KeyFile: f.keyFile, DatasetDir: f.datasetDir, AllowEnv: f.allowEnv, Logger: log, Version: versionString(),
		Lease: f.lease, Heartbeat: f.heartbeat, RejoinGrace: f.rejoinGrace, Retention: f.retention,
	})
	if err != nil {
		return err
	}
	httpServer, err := c.HTTPServer(controller.HTTPConfig{Listen: f.httpAddr, AllowHosts: f.allowHosts, AllowOrigins: f.allowOrigins, Between: shield.guard.HTTP})
	if err != nil {
		return usageError(err, "")
	}
	grpcListener, err := listen("--grpc-addr", f.grpcAddr, "")
	if err != nil {
		return err
	}
	httpListener, err := listen("--http-addr", f.httpAddr, "vLLM's own default is 8000, too; --http-addr 127.0.0.1:0 takes a free port")
	if err != nil {
		_ = grpcListener.Close()
		return err
	}
	fmt.Fprintf(io.out, "grpc listening on %s\nhttp listening on %s\n", grpcListener.Addr(), httpListener.Addr())
	httpServer.TLSConfig = shield.tls
	return serve(ctx, c, grpcListener, grpc.NewServer(shield.serverOptions()...), httpServer, httpListener)
}

// checkFolder refuses a folder that is named and not there.
func checkFolder(flag, dir string) error {
	if dir == "" {
		return nil
	}
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return usageError(fmt.Errorf("%s: there is no folder %s", flag, dir), "")
	case err != nil:
		return usageError(fmt.Errorf("%s: %w", flag, err), "")
	case !info.IsDir():
		return usageError(fmt.Errorf("%s: must be a folder, %s is none", flag, dir), "")
	}
	return nil
}

// quietGRPC has gRPC's own messages, such as about a request that can't be read,
// go where other diagnostics go.
func quietGRPC(log *slog.Logger) {
	debug := slog.NewLogLogger(log.Handler(), slog.LevelDebug).Writer()
	grpclog.SetLoggerV2(grpclog.NewLoggerV2(io.Discard, io.Discard, debug))
}

func listen(flag, addr, hint string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		if hint == "" {
			hint = "another controller may be running; " + flag + " 127.0.0.1:0 takes a free port"
		}
		return nil, withHint(fmt.Errorf("%s %s: the port is in use", flag, addr), hint)
	}
	if err != nil {
		return nil, withHint(fmt.Errorf("%s: %w", flag, err), "")
	}
	return l, nil
}

const shutdownPatience = 5 * time.Second

// serve runs the controller and its two servers until ctx ends.
func serve(ctx context.Context, c *controller.Controller, grpcListener net.Listener, grpcServer *grpc.Server, httpServer *http.Server, httpListener net.Listener) error {
	c.Register(grpcServer)

	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return c.Run(ctx) })
	g.Go(func() error {
		if err := grpcServer.Serve(grpcListener); !errors.Is(err, grpc.ErrServerStopped) {
			return err
		}
		return nil
	})
	g.Go(func() error {
		if err := serveHTTP(httpServer, httpListener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	g.Go(func() error {
		<-ctx.Done()
		stopGracefully(grpcServer)
		patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownPatience)
		defer cancel()
		return httpServer.Shutdown(patience)
	})
	if err := g.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// stopGracefully lets short calls finish and cuts streams after a while: agents
// resume, watchers reconnect.
func stopGracefully(s *grpc.Server) {
	done := make(chan struct{})
	go func() { defer close(done); s.GracefulStop() }()
	select {
	case <-done:
	case <-time.After(shutdownPatience / 5):
		s.Stop()
		<-done
	}
}

func serveHTTP(s *http.Server, l net.Listener) error {
	if s.TLSConfig != nil {
		return s.ServeTLS(l, "", "") // the certificate is in the configuration
	}
	return s.Serve(l)
}
