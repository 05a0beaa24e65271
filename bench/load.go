package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// load is what is sent and how the simulator answers.
type load struct {
	Rate        int           // open loop, constant; or
	Concurrency int           // closed loop
	Requests    int           // bound; 0 none
	Duration    time.Duration // likewise, before --time
	Prompt      int           // words
	Tokens      int
	TTFT, ITL   time.Duration
	Blast       bool // the simulator writes a reply at once
	TokenTimes  bool // and keeps the instant of each token
	TLS         bool // over TLS
	HTTP2       bool // which speaks HTTP/2 alone
	Busy        bool // beside as many busy processes as there are cores
	Agents      int  // processes that send, where they have one of their own; 0 is 1
	Simulators  int  // processes that answer, on one port; 0 is 1
}

// sender sends a load with one tool to url and returns what that cost, and the
// folder with Stampede's artefacts, "" when the tool has none.
type sender func(ctx context.Context, b *bench, l load, dir, url string) (cost, string, error)

// against is a tool that sends l to a fresh simulator.
func against(name string, l load, send sender) tool {
	return tool{name, func(ctx context.Context, b *bench, dir string) (figures, error) {
		l := l
		l.Duration = b.scaled(l.Duration)
		return l.measure(ctx, b, dir, send)
	}}
}

func stampede(l load) tool { return against("stampede", l, sendStampede) }
func vegeta(l load) tool   { return against("vegeta", l, sendVegeta) }
func wrk(l load) tool      { return against("wrk", l, sendWrk) }
func k6(l load) tool       { return against("k6", l, sendK6) }

// caFile is where the simulator of a run writes the CA to trust.
func caFile(dir string) string { return filepath.Join(dir, "ca.pem") }

// measure sends the load to a fresh simulator and holds what the tool reports
// against the simulator's account.
func (l *load) measure(ctx context.Context, b *bench, dir string, send sender) (figures, error) {
	sims, addr, err := l.simulate(ctx, b, dir)
	scheme := "http://"
	if l.TLS {
		scheme = "https://"
	}
	var used cost
	var artefacts string
	if err == nil {
		var stop func()
		if stop, err = l.keepBusy(ctx); err == nil {
			used, artefacts, err = send(ctx, b, *l, dir, scheme+addr+"/v1")
			stop()
		}
	}
	served, endErr := endAll(sims)
	if err := errors.Join(err, endErr); err != nil {
		return nil, err
	}
	f := figures{"cpu_s": used.cpu.Seconds(), "rss_bytes": float64(used.rss),
		"simulator_cpu_s": served.cpu.Seconds(), "simulator_rss_bytes": float64(served.rss)}
	return f, f.compare(l, filepath.Join(dir, accounts), artefacts)
}

// accounts are the files in which the simulators keep what they served.
const accounts = "account*.jsonl"

// simulate starts the simulators and returns the address that they share.
func (l *load) simulate(ctx context.Context, b *bench, dir string) (sims []*process, addr string, err error) {
	addr = "127.0.0.1:0"
	for i := range max(1, l.Simulators) {
		account := filepath.Join(dir, strings.Replace(accounts, "*", strconv.Itoa(i), 1))
		sim, err := begin(ctx, b.stampede, l.simulator(addr, account)...)
		if err != nil {
			return sims, "", err
		}
		sims = append(sims, sim)
		if addr, err = sim.expect("simulator listening on "); err != nil {
			return sims, "", err
		}
	}
	return sims, addr, nil
}

func (l *load) keepBusy(ctx context.Context) (stop func(), err error) {
	if !l.Busy {
		return func() {}, nil
	}
	return keepBusy(ctx)
}

func (l *load) simulator(addr, account string) []string {
	args := []string{"simulate", "--addr", addr, "--account", account,
		"--ttft", l.TTFT.String(), "--itl", l.ITL.String(), "--tokens", strconv.Itoa(l.Tokens)}
	if l.Blast {
		args = append(args, "--blast")
	}
	if l.TLS {
		args = append(args, "--tls-ca-out", caFile(filepath.Dir(account)))
	}
	if l.HTTP2 {
		args = append(args, "--http2", "only")
	}
	if l.TokenTimes {
		args = append(args, "--token-times")
	}
	if l.Simulators > 1 {
		args = append(args, "--share-port")
	}
	return args
}

// spec is the load in Stampede's words.
func (l *load) spec(url string) ([]byte, error) {
	stage := map[string]any{}
	if l.Concurrency > 0 {
		stage["concurrency"] = l.Concurrency
	} else {
		stage["rate"], stage["arrival"] = l.Rate, "constant"
	}
	if l.Duration > 0 {
		stage["duration"] = l.Duration.String()
	}
	if l.Requests > 0 {
		stage["requests"] = l.Requests
	}
	return json.MarshalIndent(map[string]any{
		"name":      "bench",
		"endpoint":  map[string]any{"url": url, "model": "stampede-sim"},
		"dataset":   map[string]any{"name": "synthetic", "input_tokens": strconv.Itoa(l.Prompt), "output_tokens": strconv.Itoa(l.Tokens)},
		"load":      map[string]any{"stages": []any{stage}},
		"preflight": false,
	}, "", "  ")
}

func (l *load) writeSpec(dir, url string) (string, error) {
	spec, err := l.spec(url)
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "spec.json")
	return path, os.WriteFile(path, spec, 0o644)
}

// body is a request of the same form and size as Stampede's.
func (l *load) body() ([]byte, error) {
	return json.Marshal(map[string]any{
		"model": "stampede-sim", "max_tokens": l.Tokens, "stream": true, "stream_options": map[string]any{"include_usage": true},
		"messages": []any{map[string]any{"role": "user", "content": strings.TrimSpace(strings.Repeat("stream ", l.Prompt))}},
	})
}

// artefact finds a file of the only run whose artefacts are in dir, by its run id
// or its test id.
func artefact(dir, prefix, suffix string) (string, error) {
	found, err := filepath.Glob(filepath.Join(dir, prefix+"*"+suffix))
	if err != nil {
		return "", err
	}
	if len(found) == 0 {
		return "", fmt.Errorf("no %sID%s in %s", prefix, suffix, dir)
	}
	return found[0], nil
}
