package simulate

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

func TestPagesOfOtherSitesAreNotAnswered(t *testing.T) {
	holdAgainstPages(t, start(t, Config{}), http.DefaultClient)
	overTLS(t, func(t *testing.T, change func(Config) Config, client *http.Client, _ string) {
		holdAgainstPages(t, start(t, change(Config{})), client)
	})
}

func holdAgainstPages(t *testing.T, s *Server, client *http.Client) {
	t.Helper()
	base := strings.TrimSuffix(s.URL(), "/v1")
	_, port, err := net.SplitHostPort(s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		method, path, host, origin, site string
		status                           int
	}{
		{"GET", "/account", "", "", "", 200},
		{"GET", "/account", "localhost:" + port, "", "", 200},
		{"GET", "/v1/models", "sim", "", "", 200},
		{"GET", "/v1/models", "", base, "same-origin", 200},
		{"GET", "/account", "evil.example:" + port, "", "", 403},
		{"POST", "/reset_prefix_cache", "", "http://evil.example", "", 403},
		{"POST", "/v1/chat/completions", "", "", "cross-site", 403},
		{"POST", "/v1/chat/completions", "evil.example", "http://evil.example", "same-origin", 403},
	} {
		req, err := http.NewRequest(c.method, base+c.path, strings.NewReader(""))
		if err != nil {
			t.Fatal(err)
		}
		req.Host = c.host
		for name, v := range map[string]string{"Origin": c.origin, "Sec-Fetch-Site": c.site} {
			if v != "" {
				req.Header.Set(name, v)
			}
		}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode != c.status {
			t.Errorf("%+v: %d %s", c, resp.StatusCode, body)
		}
	}
	if n := len(s.Account()); n != 0 {
		t.Errorf("%d refused requests are in the account", n)
	}
}

// Beyond loopback a server is called by whatever name it has there.
func TestNamesAreOpenBeyondLoopback(t *testing.T) {
	s := start(t, Config{Addr: "0.0.0.0:0", Insecure: true})
	_, port, err := net.SplitHostPort(s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodGet, "http://127.0.0.1:"+port+"/v1/models", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "model.default.svc.cluster.local"
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if _ = resp.Body.Close(); resp.StatusCode != 200 {
		t.Errorf("got %d", resp.StatusCode)
	}
}
