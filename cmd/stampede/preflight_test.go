package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stampede-bench/stampede/internal/secret"
	"github.com/stampede-bench/stampede/simulate"
)

// Each way in which an endpoint is not what was meant ends before the load, with
// status 1, one error and a hint.
func TestPreflightFailures(t *testing.T) {
	t.Setenv("STAMPEDE_WRONG_KEY", "open-barley")
	t.Setenv("STAMPEDE_RIGHT_KEY", "open-sesame")
	t.Setenv("STAMPEDE_EMPTY_KEY", "")
	_, locked := simulated(t, simulate.Config{APIKey: secret.New("open-sesame")})
	_, two := simulated(t, simulate.Config{Models: []string{"big", "small"}})
	stub := func(status int, contentType, body string) string {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/models") {
				fmt.Fprint(w, `{"data":[{"id":"m"}]}`)
				return
			}
			w.Header().Set("Content-Type", contentType)
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		}))
		t.Cleanup(server.Close)
		return server.URL + "/v1"
	}
	for _, tt := range []struct {
		name  string
		flags []string
		code  int
		err   string
		hint  string
	}{
		{"no key", []string{"--url", locked, "--model", "stampede-sim"}, exitFailed, "HTTP 401", "--api-key-env NAME takes it"},
		{"no key and no model", []string{"--url", locked}, exitFailed, "HTTP 401", "--api-key-env NAME takes it"},
		{"a wrong key", []string{"--url", locked, "--api-key-env", "STAMPEDE_WRONG_KEY"}, exitFailed, "HTTP 401", "the key in STAMPEDE_WRONG_KEY was refused"},
		{"an empty key", []string{"--url", locked, "--api-key-env", "STAMPEDE_EMPTY_KEY"}, exitUsage, "STAMPEDE_EMPTY_KEY is not set, or empty", "export STAMPEDE_EMPTY_KEY="},
		{"a variable that is not set", []string{"--url", locked, "--api-key-env", "STAMPEDE_NO_KEY"}, exitUsage, "the environment variable STAMPEDE_NO_KEY is not set", "export STAMPEDE_NO_KEY="},
		{"a wrong model", []string{"--url", two, "--model", "huge"}, exitFailed, "HTTP 404", "the endpoint lists these models: big, small"},
		{"no /v1", []string{"--url", strings.TrimSuffix(two, "/v1")}, exitFailed, "HTTP 404", "did you mean " + two + "?"},
		{"another path", []string{"--url", two + "x", "--model", "big"}, exitFailed, "HTTP 404", "usually ends in /v1"},
		{"no streaming", []string{"--url", stub(200, "application/json", `{"choices":[{"message":{"content":"Hi"}}],"usage":{"prompt_tokens":3,"completion_tokens":1}}`)}, exitFailed, "", "--stream=false measures without TTFT"},
		{"a page", []string{"--url", stub(200, "text/html", "<!DOCTYPE html><html></html>")}, exitFailed, "", "is the path right?"},
		{"nobody listens", []string{"--url", "http://127.0.0.1:1/v1", "--model", "m"}, exitFailed, "127.0.0.1:1", "is the server up at http://127.0.0.1:1/v1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			code, out, errs := cli(append([]string{"run", "--no-progress", "--out", "", "--concurrency", "1", "--requests", "2"}, tt.flags...)...)
			if code != tt.code || out != "" {
				t.Errorf("status %d, want %d; it prints %q", code, tt.code, out)
			}
			message, hint := "", ""
			for line := range strings.Lines(errs) {
				if rest, ok := strings.CutPrefix(line, "stampede: error: "); ok {
					message += rest
				}
				if rest, ok := strings.CutPrefix(line, "hint: "); ok {
					hint += rest
				}
			}
			if message == "" || !strings.Contains(message, tt.err) || !strings.Contains(hint, tt.hint) {
				t.Errorf("got %s", errs)
			}
			if strings.Contains(errs, "open-") {
				t.Errorf("a key is told: %s", errs)
			}
		})
	}
	if code, _, errs := cli("run", "--no-progress", "--out", "", "--concurrency", "1", "--requests", "2", "--url", locked, "--api-key-env", "STAMPEDE_RIGHT_KEY"); code != exitOK && code != exitUntrusted {
		t.Errorf("with the right key: %d %s", code, errs)
	}
}

// An endpoint that is busy now and then is asked again, one that stays so ends the
// run with how often that was.
func TestPreflightOfABusyEndpoint(t *testing.T) {
	stub := func(status int, header string) string {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/models") {
				fmt.Fprint(w, `{"data":[{"id":"m"}]}`)
				return
			}
			if header != "" {
				w.Header().Set("Retry-After", header)
			}
			w.WriteHeader(status)
			fmt.Fprint(w, `{"error":{"message":"loading"}}`)
		}))
		t.Cleanup(server.Close)
		return server.URL + "/v1"
	}
	// With one preflight and 20 requests a trial, the second trial's preflight is struck.
	faulty := func(fault string) string {
		_, url := simulated(t, simulate.Config{Faults: []string{fault}})
		return url
	}
	for _, tt := range []struct {
		name, url, err, hint string
		runs                 bool
	}{
		{"503 for good", stub(503, ""), "preflight: asked 6 times within ", "--wait-ready 120s waits for it", false},
		{"429 for good", stub(429, ""), "the last answer was HTTP 429: loading", "limits the rate of this key", false},
		{"429 for an hour", stub(429, "3600"), "preflight: asked once and is to wait 1h0m0s (Retry-After)", "limits the rate of this key", false},
		{"429 now and then", faulty("status=429@1/2"), "", "", true},
		{"503 now and then", faulty("status=503@1/2"), "", "", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel() // they mostly wait
			code, _, errs := cli("run", "--no-progress", "--out", "", "--concurrency", "1", "--requests", "20", "--trials", "3", "--url", tt.url)
			if ran := code == exitOK || code == exitUntrusted; ran != tt.runs || !ran && code != exitFailed {
				t.Errorf("status %d: %s", code, errs)
			}
			if !strings.Contains(errs, tt.err) || !strings.Contains(errs, tt.hint) {
				t.Errorf("got %s", errs)
			}
		})
	}
}

// An endpoint that drops connections and answers 503 while it starts is waited
// for.
func TestWaitReady(t *testing.T) {
	sim, _ := simulated(t, simulate.Config{})
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch asked.Add(1) {
		case 1:
			panic(http.ErrAbortHandler)
		case 2:
			w.WriteHeader(http.StatusServiceUnavailable)
		default:
			http.Redirect(w, r, "/", http.StatusTeapot)
		}
	}))
	defer server.Close()
	ready := []string{"run", "--no-progress", "--out", "", "--concurrency", "1", "--requests", "2", "--model", "stampede-sim"}
	if code, _, errs := cli(append(ready, "--url", server.URL+"/v1", "--wait-ready", "10s", "--no-preflight")...); code == exitUsage || asked.Load() < 3 {
		t.Errorf("asked %d times: %d %s", asked.Load(), code, errs)
	}
	code, _, errs := cli(append(ready, "--url", "http://127.0.0.1:1/v1", "--wait-ready", "100ms")...)
	if code != exitFailed || !strings.Contains(errs, "not ready within 100ms") || strings.Contains(errs, "--wait-ready 120s") {
		t.Errorf("%d %s", code, errs)
	}
	if code, _, errs := cli(append(ready, "--url", "http://"+sim.Addr()+"/v1", "--wait-ready", "10s")...); code != exitOK && code != exitUntrusted {
		t.Errorf("%d %s", code, errs)
	}
}
