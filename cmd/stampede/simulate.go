package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/stampede-bench/stampede/internal/procs"
	"github.com/stampede-bench/stampede/simulate"
)

func newSimulateCommand(io streams) *cobra.Command {
	cfg := simulate.Config{}
	transport := simulatorTLS{}
	cmd := &cobra.Command{
		Use:   "simulate",
		Short: "Serve a simulated OpenAI-style model with known timing",
		Long: `Simulate serves chat and completions with the timing it is given, misbehaves
when asked to, and keeps its own account of what it served. Over TLS it speaks
HTTP/1.1, and HTTP/2 when asked to.`,
		Example: `  stampede simulate --addr 127.0.0.1:8001 --ttft 50ms --itl 10ms --tokens 64
  stampede simulate --slots 8 --ttft normal:80ms:20ms --account account.jsonl
  stampede simulate --tls-ca-out ca.pem --http2 only   # then: SSL_CERT_FILE=ca.pem stampede run --url https://…`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			// A thread of the simulator sits in system calls; without a processor to
			// spare, the runtime's monitor polls for it.
			cfg.Dedicated = true
			procs.Spare(1)
			procs.Defer() // what it stands for runs elsewhere
			var err error
			if cfg.TLS, err = transport.read(cfg.Addr); err != nil {
				return err
			}
			server, err := simulate.New(cfg)
			if err != nil {
				return usageError(err, "")
			}
			fmt.Fprintf(io.out, "simulator listening on %s\n", server.Addr())
			ctx, stop := untilSignal(cmd.Context())
			defer stop()
			return server.Run(ctx)
		},
	}
	addSimulatorFlags(cmd.Flags(), &cfg)
	transport.addFlags(cmd.Flags())
	return cmd
}
