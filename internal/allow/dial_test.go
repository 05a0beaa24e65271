package allow

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

func TestIsMetadata(t *testing.T) {
	for addr, want := range map[string]bool{
		"169.254.169.254": true, "::ffff:169.254.169.254": true, "64:ff9b::a9fe:a9fe": true, "fe80::a9fe:a9fe%eth0": true,
		"100.100.100.200": true, "fd00:ec2::254": true, "168.63.129.16": true,
		"169.254.1.1": false, "127.0.0.1": false, "64:ff9b::7f00:1": false, "10.0.0.1": false,
	} {
		if got := IsMetadata(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: %v, want %v", addr, got, want)
		}
	}
}

// What is dialled is the resolved address, by the address that it resolves to.
func TestDialContext(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	addr := strings.TrimPrefix(server.URL, "http://")
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		patterns []string
		address  string
		want     string // part of the error; empty: connects
	}{
		{nil, addr, ""},
		{nil, "localhost:" + port, ""},
		{[]string{"127.0.0.0/8"}, "localhost:" + port, ""},
		{[]string{"localhost"}, "localhost:" + port, ""},
		{[]string{"10.0.0.0/8"}, "localhost:" + port, "not among the addresses"},
		{[]string{"localhost"}, addr, "not among the addresses"},
		{nil, "169.254.169.254:80", "metadata address"},
		{[]string{"169.254.0.0/16"}, "169.254.169.254:80", "metadata address"},
		{nil, "[::ffff:169.254.169.254]:80", "metadata address"},
		{nil, "no-port", "missing port"},
	} {
		list, err := Parse(tt.patterns)
		if err != nil {
			t.Fatal(err)
		}
		conn, err := list.DialContext(t.Context(), "tcp4", tt.address)
		if err == nil {
			conn.Close()
		}
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s with %v: %v, want %q", tt.address, tt.patterns, err, tt.want)
		}
	}
	client := http.Client{Transport: &http.Transport{DialContext: (*List)(nil).DialContext}}
	if resp, err := client.Get("http://169.254.169.254/latest/meta-data/"); err == nil || !strings.Contains(err.Error(), "never dialled") {
		t.Errorf("%v, %v", resp, err)
	}
	if resp, err := client.Get(server.URL); err != nil {
		t.Error(err)
	} else {
		resp.Body.Close()
	}
}
