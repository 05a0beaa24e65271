package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/stampede-bench/stampede/agent"
)

func newAgentCommand(io streams) *cobra.Command {
	var addr, name, logFormat string
	cmd := &cobra.Command{
		Use:   "agent",
		Short: "Run a load agent that takes its work from a controller",
		Example: `  stampede agent --controller 127.0.0.1:50051
  stampede agent --controller bench-0.internal:50051 --name rack-7`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, err := newLog(io, logFormat)
			if err != nil {
				return err
			}
			ctx, stop := untilSignal(cmd.Context())
			defer stop()
			return runAgent(ctx, addr, name, log)
		},
	}
	cmd.Flags().StringVar(&addr, "controller", defaultController, "gRPC `ADDR` of the controller")
	cmd.Flags().StringVar(&name, "name", "", "`NAME` for people (default host name and pid)")
	cmd.Flags().StringVar(&logFormat, "log-format", "text", "text or json")
	return cmd
}

func runAgent(ctx context.Context, addr, name string, log *slog.Logger) error {
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return usageError(fmt.Errorf("--controller: %w", err), "give it as HOST:PORT")
	}
	defer conn.Close()
	if name == "" {
		host, _ := os.Hostname()
		name = fmt.Sprintf("%s-%d", host, os.Getpid())
	}
	a, err := agent.New(agent.Config{Conn: conn, Name: name, Logger: log, Version: versionString()})
	if err != nil {
		return err
	}
	log.Info("agent starting", "name", name, "controller", addr)
	if err := a.Run(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

func newLog(io streams, format string) (*slog.Logger, error) {
	if err := checkFormat(format, "text", "json"); err != nil {
		return nil, usageError(fmt.Errorf("--log-format: must be text or json, got %q", format), "")
	}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(io.err, nil)), nil
	}
	return slog.New(slog.NewTextHandler(io.err, nil)), nil
}
