package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/stampede-bench/stampede/internal/wire"
)

type healthFlags struct {
	addr, url string
	trust     trust
	timeout   time.Duration
}

// newHealthCommand asks, for images and service managers that have no other tool
// than this binary.
func newHealthCommand(io streams) *cobra.Command {
	f := &healthFlags{}
	cmd := &cobra.Command{
		Use:   "health",
		Short: "Ask a controller, an agent or a simulator whether it is well",
		Long: `Health asks a controller's gRPC port for its health, or with --url anything that
answers HTTP: an agent's /readyz (--metrics-addr), a simulator's /health. It is
what container images and service managers call.

Exit status: 0 when the answer is good, else 1.`,
		Example: `  stampede health
  stampede health --controller 127.0.0.1:50051 --tls-ca ca.pem --token-file client.tokens
  stampede health --url http://127.0.0.1:9090/readyz`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.ask(cmd.Context()); err != nil {
				return err
			}
			_, err := fmt.Fprintln(io.out, "ok")
			return err
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&f.addr, "controller", defaultController, "gRPC `ADDR` of a controller")
	fl.StringVar(&f.url, "url", "", "ask `URL` instead, which must answer 200")
	f.trust.add(fl, "STAMPEDE_TOKEN")
	fl.DurationVar(&f.timeout, "timeout", 3*time.Second, "how long to wait for the answer")
	return cmd
}

func (f *healthFlags) ask(ctx context.Context) error {
	source, config, err := f.trust.read()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	if f.url != "" {
		token, err := source.Read()
		if err != nil {
			return usageError(fmt.Errorf("--token-file: %w", err), "")
		}
		return askURL(ctx, f.url, token.Reveal(), config)
	}
	transport := insecure.NewCredentials()
	if config != nil {
		transport = credentials.NewTLS(config)
	}
	opts := []grpc.DialOption{grpc.WithTransportCredentials(transport)}
	if source.Given() {
		opts = append(opts, grpc.WithPerRPCCredentials(source))
	}
	if err := checkController(f.addr); err != nil {
		return err
	}
	conn, err := grpc.NewClient(f.addr, opts...)
	if err != nil {
		return usageError(fmt.Errorf("--controller: %w", err), "give it as HOST:PORT")
	}
	defer conn.Close()
	answer, err := healthv1.NewHealthClient(conn).Check(ctx, &healthv1.HealthCheckRequest{})
	if err != nil {
		return withHint(fmt.Errorf("the controller at %s does not answer: %s", f.addr, wire.PlainMessage(status.Convert(err))), "")
	}
	if s := answer.GetStatus(); s != healthv1.HealthCheckResponse_SERVING {
		return fmt.Errorf("the controller at %s says %s", f.addr, s)
	}
	return nil
}

func askURL(ctx context.Context, url, token string, config *tls.Config) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil || req.URL.Host == "" {
		return usageError(fmt.Errorf("--url %q: must be http://HOST:PORT/PATH or https://…", url), "")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	client := &http.Client{
		Transport:     &http.Transport{Proxy: nil, TLSClientConfig: config, DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		var inner interface{ Unwrap() error }
		if errors.As(err, &inner) && inner.Unwrap() != nil {
			err = inner.Unwrap() // without the method and the URL, which follow
		}
		return fmt.Errorf("%s does not answer: %w", url, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers HTTP %d", url, resp.StatusCode)
	}
	return nil
}
