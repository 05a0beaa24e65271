package doctor

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/internal/secret"
)

func last(findings []Finding) Finding { return findings[len(findings)-1] }

func TestReachURL(t *testing.T) {
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.URL.Path != "/v1/models":
				http.NotFound(w, r)
			case status == http.StatusUnauthorized && r.Header.Get("Authorization") == "Bearer right":
				_, _ = w.Write([]byte(body))
			default:
				w.WriteHeader(status)
				_, _ = w.Write([]byte(body))
			}
		}
	}
	const two = `{"data":[{"id":"big"},{"id":"small"}]}`
	for _, tt := range []struct {
		name    string
		serve   http.HandlerFunc
		path    string
		key     string
		keyEnv  string
		level   Level
		message string
		fix     string
	}{
		{"all is well", answer(200, two), "/v1", "", "", OK, "serves big, small, in ", ""},
		{"a key", answer(401, two), "/v1/", "right", "KEY", OK, "serves big, small", ""},
		{"no key", answer(401, two), "/v1", "", "", Fail, "HTTP 401: the endpoint wants a key", "--api-key-env NAME"},
		{"an empty key", answer(401, two), "/v1", "", "KEY", Fail, "wants a key", "export KEY="},
		{"a wrong key", answer(401, two), "/v1", "wr0ng-key", "KEY", Fail, "HTTP 401: the endpoint refused the key", "check the key in KEY"},
		{"no /v1", answer(200, two), "", "", "", Warn, "HTTP 404", "usually ends in /v1"},
		{"a redirect", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/login", http.StatusFound) }, "/v1", "", "", Warn, "HTTP 302", "usually ends in /v1"},
		{"it starts", answer(503, ""), "/v1", "", "", Fail, "HTTP 503", "--wait-ready"},
		{"a page", answer(200, "<html>"), "/v1", "", "", Warn, "no list of models", "usually ends in /v1"},
		{"no model", answer(200, `{"data":[]}`), "/v1", "", "", Warn, "lists no model", "--model"},
		{"many models", answer(200, `{"data":[{"id":"a"},{"id":"b"},{"id":"c"},{"id":"d"},{"id":"e"},{"id":"f"},{"id":""}]}`), "/v1", "", "", OK, "a, b, c, d, e and 1 more", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(tt.serve)
			defer server.Close()
			o := Options{URL: server.URL + tt.path, Key: secret.New(tt.key), KeyEnv: tt.keyEnv}.withDefaults()
			all := reachURL(context.Background(), o)
			if len(all) != 2 || all[0].Check != "url: tcp" || all[0].Level != OK {
				t.Fatalf("got %+v", all)
			}
			got := last(all)
			if got.Level != tt.level || !strings.Contains(got.Message, tt.message) || !strings.Contains(got.Fix, tt.fix) {
				t.Errorf("got %+v", got)
			}
			if tt.key != "" && strings.Contains(got.Message+got.Fix, tt.key+"\x00") || strings.Contains(got.Message+got.Fix, "wr0ng") {
				t.Errorf("the key is told: %+v", got)
			}
		})
	}
}

func TestReachURLStopsWhereTheWayEnds(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	_ = l.Close()
	tlsServer := httptest.NewTLSServer(http.NotFoundHandler())
	defer tlsServer.Close()
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	for _, tt := range []struct{ name, url, check, message string }{
		{"nobody listens", "http://" + closed + "/v1", "url: tcp", "no connection"},
		{"no such host", "http://no-such-host.invalid/v1", "url: dns", "no-such-host.invalid can't be resolved"},
		{"an unknown authority", tlsServer.URL, "url: tls", "no handshake"},
		{"no TLS there", strings.Replace(plain.URL, "http:", "https:", 1), "url: tls", "no handshake"},
		{"no scheme", "localhost:8000", "url", "no address of an endpoint"},
		{"no host", "http:///v1", "url", "no address of an endpoint"},
		{"another scheme", "ftp://h/v1", "url", "no address of an endpoint"},
		{"no URL at all", "http://[::1", "url", "no address of an endpoint"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := last(reachURL(context.Background(), Options{URL: tt.url, Timeout: 5 * time.Second}.withDefaults()))
			if got.Check != tt.check || got.Level != Fail || !strings.Contains(got.Message, tt.message) || got.Fix == "" {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestURLsSecretsAreNotTold(t *testing.T) {
	all := reachURL(context.Background(), Options{URL: "ftp://user:pa55@h/v1?key=s3cret"}.withDefaults())
	if text := last(all).Message; strings.Contains(text, "pa55") || strings.Contains(text, "s3cret") {
		t.Errorf("got %q", text)
	}
}

func TestReachController(t *testing.T) {
	for _, tt := range []struct {
		agents int
		err    error
		level  Level
		text   string
	}{{2, nil, OK, "agents connected: 2"}, {0, nil, Warn, "no agent is connected"}, {0, errors.New("connection refused"), Fail, "does not answer: connection refused"}} {
		o := Options{Controller: "h:1", AskController: func(context.Context) (int, error) { return tt.agents, tt.err }}.withDefaults()
		if got := reachController(context.Background(), o); got.Level != tt.level || !strings.Contains(got.Message, tt.text) {
			t.Errorf("got %+v", got)
		}
	}
}

// The real host: whatever it is like, every check answers.
func TestExamine(t *testing.T) {
	all := Examine(context.Background(), Options{
		Probe: 20 * time.Millisecond, URL: "http://127.0.0.1:1/v1",
		AskController: func(context.Context) (int, error) { return 1, nil },
	})
	seen := map[string]Finding{}
	for _, f := range all {
		if f.Check == "" || f.Message == "" || f.Level != OK && f.Level != Warn && f.Level != Fail {
			t.Errorf("%+v", f)
		}
		seen[f.Check] = f
	}
	for _, check := range []string{"wall clock", "monotonic clock", "timers", "kernel stamps", "open files", "cpu", "url: tcp", "controller"} {
		if seen[check].Check == "" {
			t.Errorf("no finding about %s", check)
		}
	}
	if seen["url: tcp"].Level != Fail {
		t.Errorf("%+v", seen["url: tcp"])
	}
}
