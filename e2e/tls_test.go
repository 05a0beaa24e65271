package e2e

import (
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/e2e/harness"
	"github.com/stampede-bench/stampede/simulate"
)

// TestOverTLS loads a simulator over TLS and holds the rows against its account: with
// a certificate made at start or from files, over HTTP/1.1 with the kernel's stamps,
// and over HTTP/2 where nothing else is spoken.
func TestOverTLS(t *testing.T) {
	ours := newAuthority(t)
	ours.server("server")
	files := []string{"--tls-cert", ours.file("server.pem"), "--tls-key", ours.file("server.key")}
	for name, tt := range map[string]struct {
		flags []string
		ca    string // empty: made at start
		http2 bool
	}{
		"made at start":   {nil, "", false},
		"files":           {files, ours.file("ca.pem"), false},
		"http2 beside":    {[]string{"--http2", "also"}, "", false},
		"http2 and files": {append([]string{"--http2", "only"}, files...), ours.file("ca.pem"), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			ca, flags := tt.ca, tt.flags
			if ca == "" {
				ca = filepath.Join(dir, "ca.pem")
				flags = append([]string{"--tls-ca-out", ca}, flags...)
			}
			account := filepath.Join(dir, "account.jsonl")
			sim := harness.StartSimulator(t, append(flags, "--account", account, "--ttft", "30ms", "--itl", "5ms", "--token-times")...)
			out := filepath.Join(dir, "out")
			harness.Command(t, "", "env", "SSL_CERT_FILE="+ca, harness.Binary(), "run", "--url", "https://"+sim.Addr+"/v1",
				"--rate", "40", "--duration", "2s", "--input-tokens", "64", "--output-tokens", "12", "--out", out).Judged(t)
			sim.Signal(syscall.SIGTERM)
			sim.Wait(10 * time.Second)
			a := harness.ReadArtefacts(t, out)
			served := harness.AccountFile(t, account)
			harness.AddsUp(t, a.Report)
			harness.MatchAccount(t, a.Rows, served)
			if len(a.Rows) == 0 || int(a.Report.Accounting.Succeeded) != len(a.Rows) {
				t.Fatalf("%d rows, %+v", len(a.Rows), a.Report.Accounting)
			}
			for _, row := range a.Rows {
				rec := served[row.ID][0]
				if rec.TLS == "" || rec.HTTP2 != tt.http2 || rec.OutputTokens != 12 || *row.OutputTokens != 12 {
					t.Errorf("%+v", rec)
				}
				if kernel := runtime.GOOS == "linux" && !tt.http2; (*row.Stamp == "kernel") != kernel {
					t.Errorf("%s is stamped by the %s", row.ID, *row.Stamp)
				}
				holdTimes(t, row.ID, *row.SentUnixNS, *row.FirstTokenUnixNS, *row.LastTokenUnixNS, rec)
			}
		})
	}
}

// holdTimes: the client saw nothing before it was written, and how much later is a
// busy machine's affair, up to a bound.
func holdTimes(t *testing.T, id string, sent, first, last int64, rec simulate.Record) {
	t.Helper()
	const mapping, busy = int64(time.Millisecond), int64(time.Second)
	for what, late := range map[string]int64{"arrival": rec.Arrival - sent, "first token": first - rec.FirstToken, "last token": last - rec.LastToken} {
		if late < -mapping || late > busy {
			t.Errorf("%s: %s is %v after the client's", id, what, time.Duration(late))
		}
	}
}
