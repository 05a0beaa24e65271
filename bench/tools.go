package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// tool is one load generator.
type tool struct {
	name string
	// send sends the workload to url and returns the CPU time that took, and the
	// file with Stampede's rows, "" when the tool has none.
	send func(ctx context.Context, o *options, dir, url string) (time.Duration, string, error)
}

func tools(o *options) []tool {
	stampede := tool{"stampede", loadStampede}
	if o.separate {
		stampede.send = loadSeparate
	}
	if o.vegeta == "" {
		return []tool{stampede}
	}
	return []tool{stampede, {"vegeta", loadVegeta}}
}

// measure runs one tool against a fresh simulator.
func measure(ctx context.Context, o *options, dir string, t tool) (*measured, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	account := filepath.Join(dir, "account.jsonl")
	sim, err := begin(ctx, o.stampede, "simulate", "--addr", "127.0.0.1:0", "--account", account,
		"--ttft", o.TTFT.String(), "--itl", o.ITL.String(), "--tokens", strconv.Itoa(o.Tokens))
	if err != nil {
		return nil, err
	}
	addr, err := sim.expect("simulator listening on ")
	m := &measured{Tool: t.name}
	var rows string
	if err == nil {
		var used time.Duration
		used, rows, err = t.send(ctx, o, dir, "http://"+addr+"/v1")
		m.CPU = used.Seconds()
	}
	served, endErr := sim.end()
	m.SimulatorCPU = served.Seconds()
	if err := errors.Join(err, endErr); err != nil {
		return nil, err
	}
	return m, m.compare(account, rows)
}

// spec is the workload in Stampede's words.
func (w *load) spec(url string) ([]byte, error) {
	return json.MarshalIndent(map[string]any{
		"name":      "acceptance workload",
		"endpoint":  map[string]any{"url": url, "model": "stampede-sim"},
		"dataset":   map[string]any{"name": "synthetic", "input_tokens": strconv.Itoa(w.Prompt), "output_tokens": strconv.Itoa(w.Tokens)},
		"load":      map[string]any{"stages": []any{map[string]any{"rate": w.Rate, "arrival": w.Arrival, "duration": w.Duration.String()}}},
		"preflight": false,
	}, "", "  ")
}

// lawful are the exit codes of runs that have a report: a verdict other than
// valid is for the table to show.
var lawful = []int{0, 3}

func writeSpec(o *options, dir, url string) (string, error) {
	spec, err := o.spec(url)
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "spec.json")
	return path, os.WriteFile(path, spec, 0o644)
}

// loadStampede runs all of Stampede in one process.
func loadStampede(ctx context.Context, o *options, dir, url string) (time.Duration, string, error) {
	spec, err := writeSpec(o, dir, url)
	if err != nil {
		return 0, "", err
	}
	used, err := finish(ctx, lawful, o.stampede, "run", "-f", spec, "--out", dir, "--no-progress")
	if err != nil {
		return 0, "", err
	}
	rows, err := rowsIn(dir)
	return used, rows, err
}

// loadSeparate runs controller, agent and client apart, and counts the agent.
func loadSeparate(ctx context.Context, o *options, dir, url string) (used time.Duration, rows string, err error) {
	spec, err := writeSpec(o, dir, url)
	if err != nil {
		return 0, "", err
	}
	controller, err := begin(ctx, o.stampede, "controller", "--grpc-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0",
		"--data-dir", filepath.Join(dir, "data"))
	if err != nil {
		return 0, "", err
	}
	defer func() {
		_, endErr := controller.end()
		err = errors.Join(err, endErr)
	}()
	addr, err := controller.expect("grpc listening on ")
	if err != nil {
		return 0, "", err
	}
	agent, err := begin(ctx, o.stampede, "agent", "--controller", addr, "--name", "bench")
	if err != nil {
		return 0, "", err
	}
	_, err = finish(ctx, lawful, o.stampede, "run", "-f", spec, "--controller", addr, "--agents", "1", "--out", dir, "--no-progress")
	used, endErr := agent.end()
	if err := errors.Join(err, endErr); err != nil {
		return 0, "", err
	}
	rows, err = rowsIn(dir)
	return used, rows, err
}

// rowsIn finds the rows of the only run whose artefacts are in dir, by its run id
// or its test id.
func rowsIn(dir string) (string, error) {
	found, err := filepath.Glob(filepath.Join(dir, "requests_*.jsonl"))
	if err != nil {
		return "", err
	}
	if len(found) == 0 {
		return "", fmt.Errorf("no requests_ID.jsonl in %s", dir)
	}
	return found[0], nil
}

// loadVegeta sends requests of the same form and size at the same rate.
func loadVegeta(ctx context.Context, o *options, dir, url string) (time.Duration, string, error) {
	body, err := json.Marshal(map[string]any{
		"model": "stampede-sim", "max_tokens": o.Tokens, "stream": true, "stream_options": map[string]any{"include_usage": true},
		"messages": []any{map[string]any{"role": "user", "content": strings.TrimSpace(strings.Repeat("stream ", o.Prompt))}},
	})
	if err != nil {
		return 0, "", err
	}
	target, err := json.Marshal(map[string]any{
		"method": "POST", "url": url + "/chat/completions", "body": base64.StdEncoding.EncodeToString(body),
		"header": map[string][]string{"Content-Type": {"application/json"}},
	})
	if err != nil {
		return 0, "", err
	}
	targets := filepath.Join(dir, "targets.json")
	if err := os.WriteFile(targets, append(target, '\n'), 0o644); err != nil {
		return 0, "", err
	}
	used, err := finish(ctx, nil, o.vegeta, "attack", "-format=json", "-targets="+targets, "-rate="+strconv.Itoa(o.Rate),
		"-duration="+o.Duration.String(), "-timeout=0", "-output="+filepath.Join(dir, "results.bin"))
	return used, "", err
}
