package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"github.com/stampede-bench/stampede/controller"
)

type controllerFlags struct {
	grpcAddr, httpAddr  string
	dataDir, datasetDir string
	allowEnv            []string
	insecure            bool
	logFormat           string
}

func newControllerCommand(io streams) *cobra.Command {
	f := &controllerFlags{}
	cmd := &cobra.Command{
		Use:   "controller",
		Short: "Run a controller that agents and clients connect to",
		Example: `  stampede controller
  stampede controller --grpc-addr 127.0.0.1:0 --http-addr 127.0.0.1:0`,
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
	fl.StringVar(&f.datasetDir, "dataset-dir", "", "`DIR` below which specs may name files of this host (default none)")
	fl.StringSliceVar(&f.allowEnv, "allow-env", nil, "`NAMES` of this process's environment variables that specs may use for keys")
	fl.BoolVar(&f.insecure, "insecure", false, "listen beyond loopback without TLS or tokens")
	fl.StringVar(&f.logFormat, "log-format", "text", "text or json")
	return cmd
}

func (f *controllerFlags) run(ctx context.Context, io streams) error {
	log, err := newLog(io, f.logFormat)
	if err != nil {
		return err
	}
	for _, addr := range []string{f.grpcAddr, f.httpAddr} {
		if err := f.checkReach(addr); err != nil {
			return err
		}
	}
	c, err := controller.New(controller.Config{
		DataDir: f.dataDir, DatasetDir: f.datasetDir, AllowEnv: f.allowEnv, Logger: log, Version: versionString(),
	})
	if err != nil {
		return err
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
	return serve(ctx, c, grpcListener, httpListener)
}

// checkReach refuses to listen beyond loopback without protection, unless told
// otherwise in so many words.
func (f *controllerFlags) checkReach(addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return usageError(fmt.Errorf("listen address %q: %w", addr, err), "give it as HOST:PORT")
	}
	ip := net.ParseIP(host)
	if f.insecure || host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return usageError(fmt.Errorf("listening on %s would be open to others without TLS or tokens", addr),
		"listen on 127.0.0.1, or say --insecure when the network is yours alone")
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
func serve(ctx context.Context, c *controller.Controller, grpcListener, httpListener net.Listener) error {
	grpcServer := grpc.NewServer()
	c.Register(grpcServer)
	httpServer := &http.Server{Handler: c.HTTPHandler(), ReadHeaderTimeout: 10 * time.Second}

	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return c.Run(ctx) })
	g.Go(func() error { return grpcServer.Serve(grpcListener) })
	g.Go(func() error {
		if err := httpServer.Serve(httpListener); !errors.Is(err, http.ErrServerClosed) {
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
