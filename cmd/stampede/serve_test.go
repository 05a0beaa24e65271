package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stampede-bench/stampede/report"
	"github.com/stampede-bench/stampede/simulate"
)

// simulated serves a model for a test and returns its base URL.
func simulated(t *testing.T, cfg simulate.Config) (*simulate.Server, string) {
	t.Helper()
	cfg.Addr = "127.0.0.1:0"
	server, err := simulate.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("simulator: %v", err)
		}
	})
	return server, "http://" + server.Addr() + "/v1"
}

// cli runs a command line inside this process.
func cli(args ...string) (code int, out, errs string) {
	var stdout, stderr bytes.Buffer
	code = run(args, strings.NewReader(""), &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

// bench runs a load into a folder of its own and returns the report. A machine
// that is busy may disturb the generator, which status 3 says; the counts are the
// same.
func bench(t *testing.T, args ...string) (*report.Report, string) {
	t.Helper()
	dir := t.TempDir()
	code, out, errs := cli(append([]string{"run", "--no-progress", "--out", dir}, args...)...)
	if code != exitOK && code != exitUntrusted {
		t.Fatalf("exit status %d\n%s%s", code, out, errs)
	}
	files, err := filepath.Glob(filepath.Join(dir, "report_*.1.json"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%d reports: %v", len(files), err)
	}
	data, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	rep, err := report.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return rep, dir
}

func noticed(rep *report.Report, text string) bool {
	return strings.Contains(strings.Join(rep.Verdict.Notices, "\n"), text)
}

// rows of a run, as the file has them.
func rows(t *testing.T, dir string, rep *report.Report) []map[string]any {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "requests_"+rep.ID+".jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	var all []map[string]any
	for line := range bytes.Lines(data) {
		var row map[string]any
		if err := json.Unmarshal(line, &row); err != nil {
			t.Fatal(err)
		}
		all = append(all, row)
	}
	return all
}
