package auth

import (
	"crypto/x509"
	"encoding/pem"
	"net"
	"os"
	"path/filepath"
	"testing"
)

func TestFreshTLS(t *testing.T) {
	own, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for addr, names := range map[string]map[string]bool{
		"127.0.0.1:0":         {"localhost": true, "127.0.0.1": true, "[::1]": true, "bench-0.internal": false, "10.0.0.9": false},
		"bench-0.internal:80": {"localhost": true, "bench-0.internal": true, "other.internal": false},
		"10.0.0.9:80":         {"10.0.0.9": true, "127.0.0.1": true, "10.0.0.8": false},
		"0.0.0.0:80":          {"127.0.0.1": true, own: true},
		":80":                 {"127.0.0.1": true, own: true},
		"nonsense":            {"localhost": true},
	} {
		path := filepath.Join(t.TempDir(), "ca.pem")
		config, err := FreshTLS(addr, path)
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		block, rest := pem.Decode(text)
		if block == nil || block.Type != "CERTIFICATE" || len(rest) != 0 {
			t.Fatalf("%s: %q", addr, text)
		}
		client, err := ClientTLS(path, "", "")
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := x509.ParseCertificate(config.Certificates[0].Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		if leaf.IsCA {
			t.Errorf("%s: the certificate is a CA's", addr)
		}
		for name, want := range names {
			_, err := leaf.Verify(x509.VerifyOptions{DNSName: name, Roots: client.RootCAs})
			if (err == nil) != want {
				t.Errorf("%s as %s: %v, want %v", addr, name, err, want)
			}
		}
	}
	if _, err := FreshTLS("127.0.0.1:0", t.TempDir()); err == nil {
		t.Error("a folder takes the CA")
	}
}

func TestNamesOfEveryInterface(t *testing.T) {
	_, ips := namesOf("[::]:443")
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	if len(ips) < len(all) {
		t.Errorf("%v are named of %v", ips, all)
	}
}
