package simulate

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// certificate is for 127.0.0.1; trusted trusts it.
var certificate, trusted = func() (*tls.Config, *x509.CertPool) {
	s := httptest.NewUnstartedServer(nil)
	defer s.Close()
	s.StartTLS()
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	return &tls.Config{Certificates: s.TLS.Certificates}, pool
}()

// modes are the ways to speak TLS: how the server is told, and what clients that
// like HTTP/2 then speak.
var modes = map[string]struct{ http2, proto string }{
	"http1": {"", "HTTP/1.1"}, "also": {HTTP2Also, "HTTP/2.0"}, "only": {HTTP2Only, "HTTP/2.0"},
}

// overTLS runs a test in each mode.
func overTLS(t *testing.T, test func(t *testing.T, change func(Config) Config, client *http.Client, proto string)) {
	for name, mode := range modes {
		t.Run(name, func(t *testing.T) {
			client := clientOf("h2", "http/1.1")
			defer client.CloseIdleConnections()
			test(t, func(c Config) Config {
				c.TLS, c.HTTP2 = certificate, mode.http2
				return c
			}, client, mode.proto)
		})
	}
}

// clientOf trusts the certificate and offers protocols.
func clientOf(protos ...string) *http.Client {
	t := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted}, Protocols: new(http.Protocols), MaxIdleConnsPerHost: 100}
	for _, p := range protos {
		if p == "h2" {
			t.Protocols.SetHTTP2(true)
		} else {
			t.Protocols.SetHTTP1(true)
		}
	}
	return &http.Client{Transport: t}
}

func TestTLSTimingIsAsScripted(t *testing.T) {
	overTLS(t, func(t *testing.T, change func(Config) Config, client *http.Client, proto string) {
		s := start(t, change(Config{Seed: 7, TTFT: "40ms", ITL: "5ms", TokenTimes: true}))
		for _, id := range []string{"cold", "warm"} {
			r := ask(client, s, "/v1/chat/completions", chatBody(20), "X-Request-Id: "+id)
			if want := plainText(seedFor(7, id, 0), 0, 20); r.err != nil || !r.done || r.text != want || r.usage.Completion != 20 {
				t.Fatalf("%s: error %v, done %v, text %q", id, r.err, r.done, r.text)
			}
			rec := recordOf(t, s, id)
			if rec.TLS != "TLS 1.3" || rec.HTTP2 != (proto == "HTTP/2.0") || runtime.GOOS == "linux" && rec.Stamp != stampKernel {
				t.Errorf("%s", lines(t, rec))
			}
			if rec.Status != StatusServed || rec.OutputTokens != 20 || rec.HTTPStatus != 200 || rec.FirstWriteNanos <= 0 || rec.FirstDue-rec.Arrival != 40e6 {
				t.Errorf("%s", lines(t, rec))
			}
			for i, at := range rec.TokenOffsets {
				due := 40*time.Millisecond + time.Duration(i)*5*time.Millisecond
				if late := time.Duration(at) - due; late < 0 || late > slackOfBusyMachine {
					t.Errorf("token %d written %v late", i, late)
				}
			}
			if seen := r.events[1].at.UnixNano(); rec.Arrival < r.sent.UnixNano() || seen < rec.FirstToken {
				t.Errorf("sent %d ns after it arrived, first token seen %d ns before it was written", r.sent.UnixNano()-rec.Arrival, rec.FirstToken-seen)
			}
		}
		if sum := s.Summary(); sum.Connections != 1 || sum.Served != 2 {
			t.Errorf("%+v", sum)
		}
	})
}

func TestTLSRoutes(t *testing.T) {
	overTLS(t, func(t *testing.T, change func(Config) Config, client *http.Client, proto string) {
		s := start(t, change(Config{MaxBodyBytes: 1 << 20}))
		base := strings.TrimSuffix(s.URL(), "/v1")
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			req, err := http.NewRequest(method, base+"/v1/models?x=y", nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if resp.Proto != proto || resp.StatusCode != 200 || resp.ContentLength <= 0 || (len(b) > 0) != (method == http.MethodGet) || err != nil {
				t.Errorf("%s: %s %d, %d bytes of %d, %v", method, resp.Proto, resp.StatusCode, len(b), resp.ContentLength, err)
			}
		}
		for body, want := range map[string]int{
			`{"messages":[`: 400, `{"messages":[{"role":"user","content":"` + strings.Repeat("long ", 1<<17) + `"}]}`: 400, strings.Repeat(" ", 1<<20+1): 413,
		} {
			if r := ask(client, s, "/v1/chat/completions", body); r.status != want || !strings.Contains(r.body, "error") {
				t.Errorf("%d bytes: status %d, %.80s, %v", len(body), r.status, r.body, r.err)
			}
		}
		r := ask(client, s, "/v1/chat/completions", `{"messages":[{"role":"user","content":"hi"}],"max_tokens":3000}`)
		if r.status != 200 || r.header.Get("Content-Type") != "application/json" || !strings.Contains(r.body, `"completion_tokens":3000`) {
			t.Errorf("%d %v %.80s", r.status, r.header, r.body)
		}
	})
}

func TestTLSFaults(t *testing.T) {
	overTLS(t, func(t *testing.T, change func(Config) Config, _ *http.Client, proto string) {
		s := start(t, change(Config{ITL: "1ms"}))
		for _, tc := range faultsOfStreams() {
			if tc.err != nil {
				tc.err = errAny // TLS and HTTP/2 have words of their own for it
			}
			tc.client = clientOf("h2", "http/1.1")
			t.Run(tc.fault, func(t *testing.T) { tc.run(t, s, chatBody(5)) })
		}
		// What breaks a stream of HTTP/2 leaves the others of its connection alone.
		if proto != "HTTP/2.0" {
			return
		}
		client := clientOf("h2")
		defer client.CloseIdleConnections()
		before := s.Summary().Connections
		var wg sync.WaitGroup
		for i := range 12 {
			wg.Go(func() {
				fault := []string{"none", "reset=2", "truncate=1", "garbage"}[i%4]
				r := ask(client, s, "/v1/chat/completions", chatBody(50), "X-Sim-Fault: "+fault)
				if r.done != (fault == "none") || (r.err == nil) != r.done {
					t.Errorf("%s: done %v, %v", fault, r.done, r.err)
				}
			})
		}
		wg.Wait()
		if n := s.Summary().Connections - before; n > 12 || n < 1 {
			t.Errorf("%d connections", n)
		}
	})
}

// A client that reads nothing for a while holds up no other.
func TestTLSSlowReader(t *testing.T) {
	overTLS(t, func(t *testing.T, change func(Config) Config, client *http.Client, proto string) {
		s := start(t, change(Config{Blast: true}))
		const tokens = 60_000
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL()+"/chat/completions", strings.NewReader(chatBody(tokens)))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Request-Id", "slow")
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		other := clientOf("h2", "http/1.1")
		defer other.CloseIdleConnections()
		for range 3 {
			if r := ask(other, s, "/v1/chat/completions", chatBody(3)); !r.done {
				t.Fatalf("%+v", r)
			}
		}
		sum := s.Summary()
		for end := time.Now().Add(10 * time.Second); sum.Served < 3 && time.Now().Before(end); sum = s.Summary() {
			time.Sleep(time.Millisecond) // a client has the end before the account does
		}
		if sum.InFlight != 1 || sum.Served != 3 {
			t.Errorf("the slow one is not under way any more: %+v", sum)
		}
		text, err := io.ReadAll(resp.Body)
		if err != nil || !strings.HasSuffix(string(text), "data: [DONE]\n\n") || !strings.Contains(string(text[len(text)-400:]), fmt.Sprintf(`"completion_tokens":%d`, tokens)) {
			t.Errorf("%d bytes, %v", len(text), err)
		}
		if rec := recordOf(t, s, "slow"); rec.Status != StatusServed || rec.OutputTokens != tokens || (rec.Blocked == 0) != (proto == "HTTP/2.0") {
			t.Errorf("%s", lines(t, rec))
		}
	})
}

func TestTLSManyAtOnce(t *testing.T) {
	overTLS(t, func(t *testing.T, change func(Config) Config, client *http.Client, _ string) {
		s := start(t, change(Config{TTFT: "20ms", ITL: "2ms"}))
		const requests = 300 // more than the streams that servers of net/http allow unasked
		ask(client, s, "/v1/chat/completions", chatBody(1))
		var wg sync.WaitGroup
		for i := range requests {
			wg.Go(func() {
				if r := ask(client, s, "/v1/chat/completions", chatBody(10), fmt.Sprintf("X-Request-Id: %d", i)); !r.done || r.tokens != 10 {
					t.Errorf("%d: %v, %d tokens", i, r.err, r.tokens)
				}
			})
		}
		wg.Wait()
		waitFor(t, "end", func() bool { return s.Summary().InFlight == 0 })
		if sum := s.Summary(); sum.Served != requests+1 || sum.IDs != requests {
			t.Errorf("%+v", sum)
		}
	})
}

func TestTLSRunEndsInTheMiddle(t *testing.T) {
	overTLS(t, func(t *testing.T, change func(Config) Config, client *http.Client, _ string) {
		s, err := New(change(Config{Addr: "127.0.0.1:0", TTFT: "1ms", ITL: "1h"}))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended, asked := make(chan error), make(chan result)
		go func() { ended <- s.Run(ctx) }()
		go func() { asked <- ask(client, s, "/v1/chat/completions", chatBody(5), "X-Request-Id: e") }()
		waitFor(t, "running reply", func() bool { return s.meter.generated.Load() == 1 })
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		if r := <-asked; r.err == nil || r.done {
			t.Errorf("the client saw a whole reply: %+v", r)
		}
		if rec := recordOf(t, s, "e"); rec.Status != StatusAborted || rec.OutputTokens != 1 {
			t.Errorf("%s", lines(t, rec))
		}
	})
}

func TestTLSClientLeaves(t *testing.T) {
	overTLS(t, func(t *testing.T, change func(Config) Config, client *http.Client, _ string) {
		s := start(t, change(Config{Slots: 1}))
		client.Timeout = 300 * time.Millisecond
		if r := ask(client, s, "/v1/chat/completions", chatBody(5), "X-Request-Id: s", "X-Sim-Fault: stall=2"); r.err == nil || r.tokens != 2 {
			t.Errorf("%d tokens, error %v", r.tokens, r.err)
		}
		if rec := recordOf(t, s, "s"); rec.Status != StatusDisconnected || rec.OutputTokens != 2 {
			t.Errorf("%s", lines(t, rec))
		}
		client.Timeout = 0
		if r := ask(client, s, "/v1/chat/completions", chatBody(5)); !r.done {
			t.Errorf("the only slot is not free again: %+v", r)
		}
	})
}

// What is not TLS, or agrees to nothing, is told so or hung up on, and noted.
func TestTLSRefuses(t *testing.T) {
	s := start(t, Config{TLS: certificate, HTTP2: HTTP2Only, RequestTimeout: 100 * time.Millisecond})
	resp, err := http.Get("http://" + s.Addr() + "/v1/models")
	if err != nil {
		t.Fatal(err)
	}
	b, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	if resp.StatusCode != 400 || !strings.Contains(string(b), "https://") {
		t.Errorf("%d %s", resp.StatusCode, b)
	}
	for name, protos := range map[string][]string{"http1 offered": {"http/1.1"}, "another": {"spdy/3"}, "none offered": nil} {
		c, err := tls.Dial("tcp", s.Addr(), &tls.Config{RootCAs: trusted, NextProtos: protos})
		if err != nil {
			continue // the alert
		}
		fmt.Fprint(c, "GET /v1/models HTTP/1.1\r\nHost: a\r\n\r\n")
		if resp, err := http.ReadResponse(bufio.NewReader(c), nil); err == nil {
			t.Errorf("%s: answered %d", name, resp.StatusCode)
		}
		c.Close()
	}
	for name, sent := range map[string]string{"garbage": "\x16\x03\x01\x00\x05hello", "half a hello": "\x16\x03\x01\x02\x00", "silence": ""} {
		c, err := net.Dial("tcp", s.Addr())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(c, sent)
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
		if _, err := io.Copy(io.Discard, c); err != nil && strings.Contains(err.Error(), "timeout") {
			t.Errorf("%s: the connection is held", name)
		}
		c.Close()
	}
	if sum := s.Summary(); sum.BadRequests < 4 || sum.Requests != 0 {
		t.Errorf("%+v", sum)
	}
}

func TestTLSConfigErrors(t *testing.T) {
	for want, cfg := range map[string]Config{
		`must be also or only, got "yes"`: {HTTP2: "yes", TLS: certificate},
		"which needs a certificate":       {HTTP2: HTTP2Only},
	} {
		if s, err := New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, %v; want %s", s, err, want)
		}
	}
}
