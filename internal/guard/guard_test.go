package guard

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// echo answers with the body it was given.
var echo = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusTeapot)
		return
	}
	_, _ = w.Write(body)
})

func newGuard(t testing.TB, cfg Config) *Handler {
	t.Helper()
	h, err := New(cfg, echo)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func request(method, host string, header ...string) *http.Request {
	r := httptest.NewRequest(method, "/start_test/x", nil)
	r.Host = host
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	return r
}

func TestHosts(t *testing.T) {
	for _, tt := range []struct {
		name   string
		cfg    Config
		local  string // the address that the connection came in by
		accept []string
		refuse []string
	}{
		{
			name:   "loopback alone",
			accept: []string{"localhost", "localhost:8000", "LOCALHOST:1", "127.0.0.1:8000", "127.9.9.9", "[::1]:8000", "[::1]", "bench.localhost:8000", "localhost.:8000", "[::ffff:127.0.0.1]:80"},
			refuse: []string{"", "evil.example", "localhost.evil.example", "evil.example:8000", "10.0.0.1:8000", "127.0.0.1.evil.example", "0.0.0.0:8000", "localhost:evil", "notlocalhost", "[::]:8000", "169.254.169.254"},
		},
		{
			name: "an address", cfg: Config{Listen: "10.0.0.1:8000"},
			accept: []string{"10.0.0.1:8000", "10.0.0.1", "localhost:8000"},
			refuse: []string{"10.0.0.2:8000", "bench"},
		},
		{
			name: "a name", cfg: Config{Listen: "bench-01:8000"},
			accept: []string{"bench-01:8000", "BENCH-01"},
			refuse: []string{"bench-02"},
		},
		{
			name: "all addresses", cfg: Config{Listen: "0.0.0.0:8000"}, local: "10.0.0.1:8000",
			accept: []string{"10.0.0.1:8000", "10.0.0.1:31000", "localhost"},
			refuse: []string{"10.0.0.2:8000", "0.0.0.0:8000", "evil.example", ""},
		},
		{
			name: "all addresses, told by nothing", cfg: Config{Listen: ":8000"}, local: "[2001:db8::1]:8000",
			accept: []string{"[2001:db8::1]:8000"},
			refuse: []string{"[2001:db8::2]:8000"},
		},
		{
			name: "allowed names", cfg: Config{AllowHosts: []string{"bench.example.org", "*.dash.example", "proxy:9000", "10.1.1.1"}},
			accept: []string{"bench.example.org:8000", "Bench.Example.Org", "a.dash.example", "a.b.dash.example:1", "proxy:9000", "10.1.1.1:5"},
			refuse: []string{"dash.example", "example.org", "xdash.example", "proxy:9001", "10.1.1.2"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newGuard(t, tt.cfg)
			ask := func(host string) int {
				r := request(http.MethodGet, host)
				if tt.local != "" {
					addr, err := net.ResolveTCPAddr("tcp", tt.local)
					if err != nil {
						t.Fatal(err)
					}
					r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, addr))
				}
				w := httptest.NewRecorder()
				g.ServeHTTP(w, r)
				return w.Code
			}
			for _, host := range tt.accept {
				if code := ask(host); code != http.StatusOK {
					t.Errorf("Host %q: %d, want it answered", host, code)
				}
			}
			for _, host := range tt.refuse {
				if code := ask(host); code != http.StatusForbidden {
					t.Errorf("Host %q: %d, want 403", host, code)
				}
			}
		})
	}
}

func TestOrigins(t *testing.T) {
	const own = "localhost:8000"
	g := newGuard(t, Config{AllowOrigins: []string{"https://dash.example.org"}})
	for _, tt := range []struct {
		name   string
		header []string
		want   int
	}{
		{"a program", nil, 200},
		{"its own page", []string{"Origin", "http://localhost:8000", "Sec-Fetch-Site", "same-origin"}, 200},
		{"typed into the address bar", []string{"Sec-Fetch-Site", "none"}, 200},
		{"another site's page", []string{"Origin", "https://evil.example"}, 403},
		{"a page of another port", []string{"Origin", "http://localhost:3000", "Sec-Fetch-Site", "same-site"}, 403},
		{"an image in another site's page", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors"}, 403},
		{"an image in a page of another port", []string{"Sec-Fetch-Site", "same-site"}, 403},
		{"a link in another site's page", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate"}, 403},
		{"a sandboxed page", []string{"Origin", "null"}, 403},
		{"an empty origin", []string{"Origin", ""}, 403},
		{"two origins", []string{"Origin", "http://localhost:8000", "Origin", "https://evil.example"}, 403},
		{"its own origin in another site's fetch", []string{"Origin", "http://localhost:8000", "Sec-Fetch-Site", "cross-site"}, 403},
		{"an origin that only begins like it", []string{"Origin", "http://localhost:8000.evil.example"}, 403},
		{"an allowed origin", []string{"Origin", "https://dash.example.org", "Sec-Fetch-Site", "cross-site"}, 200},
		{"an allowed host by another scheme", []string{"Origin", "http://dash.example.org"}, 403},
		{"nonsense", []string{"Origin", "::%%"}, 403},
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodDelete, http.MethodOptions} {
			w := httptest.NewRecorder()
			g.ServeHTTP(w, request(method, own, tt.header...))
			if w.Code != tt.want {
				t.Errorf("%s, %s: %d, want %d", tt.name, method, w.Code, tt.want)
			}
		}
	}
}

func TestPreflight(t *testing.T) {
	g := newGuard(t, Config{AllowOrigins: []string{"https://dash.example.org"}})
	for origin, allowed := range map[string]bool{"https://dash.example.org": true, "http://localhost": false} {
		w := httptest.NewRecorder()
		g.ServeHTTP(w, request(http.MethodOptions, "localhost", "Origin", origin, "Access-Control-Request-Method", "POST"))
		if w.Code != http.StatusNoContent || (w.Header().Get("Access-Control-Allow-Methods") != "") != allowed || (w.Header().Get("Access-Control-Allow-Origin") == origin) != allowed {
			t.Errorf("%s: %d with %v", origin, w.Code, w.Header())
		}
		if w.Header().Get("Access-Control-Allow-Credentials") != "" {
			t.Error("cookies are allowed across origins")
		}
	}
}

func TestCORSIsOffByDefault(t *testing.T) {
	w := httptest.NewRecorder()
	newGuard(t, Config{}).ServeHTTP(w, request(http.MethodGet, "localhost", "Origin", "http://localhost"))
	if w.Code != 200 || w.Header().Get("Access-Control-Allow-Origin") != "" || w.Header().Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%d with %v", w.Code, w.Header())
	}
}

func TestForeignBodyIsNotRead(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "/register_test", untouchable{t})
	r.Host = "evil.example"
	w := httptest.NewRecorder()
	newGuard(t, Config{}).ServeHTTP(w, r)
	if w.Code != http.StatusForbidden {
		t.Errorf("%d, want 403", w.Code)
	}
}

type untouchable struct{ t *testing.T }

func (u untouchable) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, io.EOF
}

func TestConfigIsChecked(t *testing.T) {
	for _, cfg := range []Config{
		{Listen: "nonsense"},
		{AllowHosts: []string{"*"}}, {AllowHosts: []string{"*."}}, {AllowHosts: []string{"a*b"}}, {AllowHosts: []string{"http://x"}}, {AllowHosts: []string{""}},
		{AllowOrigins: []string{"*"}}, {AllowOrigins: []string{"null"}}, {AllowOrigins: []string{"https://x/"}}, {AllowOrigins: []string{"ftp://x"}}, {AllowOrigins: []string{"x.example"}},
	} {
		if _, err := New(cfg, echo); err == nil {
			t.Errorf("%+v is taken", cfg)
		}
	}
}

func FuzzGuard(f *testing.F) {
	f.Add("localhost:8000", "http://localhost:8000", "same-origin")
	f.Add("[::1]:8000", "", "")
	f.Add("evil.example", "null", "cross-site")
	g := newGuard(f, Config{Listen: "0.0.0.0:8000", AllowHosts: []string{"*.example.org"}})
	f.Fuzz(func(t *testing.T, host, origin, site string) {
		r := request(http.MethodGet, host)
		if origin != "" {
			r.Header["Origin"] = []string{origin}
		}
		if site != "" {
			r.Header["Sec-Fetch-Site"] = []string{site}
		}
		w := httptest.NewRecorder()
		g.ServeHTTP(w, r)
		foreign := site != "" && site != "same-origin" && site != "none" || strings.Contains(strings.ToLower(host), "evil")
		if foreign && !strings.Contains(strings.ToLower(host), "localhost") && !strings.HasSuffix(strings.ToLower(host), "example.org") && w.Code != http.StatusForbidden {
			t.Errorf("host %q, origin %q, site %q: %d", host, origin, site, w.Code)
		}
	})
}
