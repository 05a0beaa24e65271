package target

import (
	"testing"

	"github.com/stampede-bench/stampede/workload"
)

// TestTarget holds what stands in the request line and in Host for the URLs that
// people have.
func TestTarget(t *testing.T) {
	for _, tt := range []struct{ url, host, target, root string }{
		{"http://h:8000/v1", "h:8000", "/v1/chat/completions", "/version"},
		{"http://h", "h", "/chat/completions", "/version"},
		{"http://h/", "h", "/chat/completions", "/version"},
		{"HTTP://h:/v1/", "h", "/v1/chat/completions", "/version"},
		{"http://h/v1/chat/completions/", "h", "/v1/chat/completions", "/version"},
		{"http://h/v1#part", "h", "/v1/chat/completions", "/version"},
		{"http://h/openai?api-version=1&a=%20b", "h", "/openai/chat/completions?api-version=1&a=%20b", "/version?api-version=1&a=%20b"},
		{"http://h/v1?name=a b&n=grüße", "h", "/v1/chat/completions?name=a%20b&n=gr%C3%BC%C3%9Fe", "/version?name=a%20b&n=gr%C3%BC%C3%9Fe"},
		{"http://h/models/meta%2Fllama/v1", "h", "/models/meta%2Fllama/v1/chat/completions", "/version"},
		{"http://h/a b/grüße", "h", "/a%20b/gr%C3%BC%C3%9Fe/chat/completions", "/version"},
		{"http://[fe80::1%25eth0]:8000/v1", "[fe80::1]:8000", "/v1/chat/completions", "/version"},
		{"http://[::1]/v1", "[::1]", "/v1/chat/completions", "/version"},
	} {
		req, _ := requestOf(t, Config{Endpoint: workload.Endpoint{URL: tt.url, Model: "m"}}, Input{})
		if req.Host != tt.host || req.RequestURI != tt.target {
			t.Errorf("%s: host %q, target %q; want %q, %q", tt.url, req.Host, req.RequestURI, tt.host, tt.target)
		}
		cl := newClient(t, configFor(tt.url))
		if got := cl.target("/version"); got != tt.root {
			t.Errorf("%s: /version is %q, want %q", tt.url, got, tt.root)
		}
	}
}
