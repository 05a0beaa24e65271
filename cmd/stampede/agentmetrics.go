package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/stampede-bench/stampede/agent"
	"github.com/stampede-bench/stampede/internal/guard"
)

// agentPages are what --metrics-addr serves: figures of the process, none of a
// request, so that it asks for no token.
func agentPages(name string, status func() agent.Status) http.Handler {
	registry := prometheus.NewRegistry()
	gauge := func(name, help string, value func(agent.Status) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "stampede_agent_" + name, Help: help}, func() float64 { return value(status()) })
	}
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "stampede_agent_build_info", Help: "The agent's version and name; always 1.",
			ConstLabels: prometheus.Labels{"version": versionString(), "name": name},
		}, func() float64 { return 1 }),
		gauge("connected", "Whether a session with the controller is open.", func(s agent.Status) float64 { return oneIf(s.Connected) }),
		gauge("runs", "Runs it works on.", func(s agent.Status) float64 { return float64(s.Runs) }),
		gauge("sent_requests", "Requests sent of the runs it works on.", func(s agent.Status) float64 { return float64(s.Sent) }),
		gauge("in_flight_requests", "Requests sent that have no outcome.", func(s agent.Status) float64 { return float64(s.InFlight) }),
		gauge("outbox_batches", "Batches of outcomes that the controller has not acknowledged.", func(s agent.Status) float64 { return float64(s.OutboxBatches) }),
		gauge("outbox_bytes", "Bytes of those batches.", func(s agent.Status) float64 { return float64(s.OutboxBytes) }),
	)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answer(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		switch s := status(); {
		case s.Leaving:
			answer(w, http.StatusServiceUnavailable, "leaving")
		case !s.Connected:
			answer(w, http.StatusServiceUnavailable, "not connected to the controller")
		default:
			answer(w, http.StatusOK, "ok")
		}
	})
	return mux
}

func oneIf(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func answer(w http.ResponseWriter, code int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	_, _ = io.WriteString(w, text+"\n") // a client that has gone needs no answer
}

// servePages serves them until ctx ends, with the checks and limits that every
// HTTP port has.
func servePages(ctx context.Context, l net.Listener, pages *guard.Handler, log *slog.Logger) error {
	s := guard.Server(pages)
	s.ErrorLog = slog.NewLogLogger(log.Handler(), slog.LevelDebug)
	stop := context.AfterFunc(ctx, func() { _ = s.Close() })
	defer stop()
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("--metrics-addr: %w", err)
	}
	return nil
}
