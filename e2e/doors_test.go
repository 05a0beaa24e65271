package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/e2e/harness"
)

// authority is a CA that signs certificates into a folder.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t, dir: t.TempDir()}
	a.cert, a.key = a.sign("ca", &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

// sign writes NAME.pem and NAME.key, signed by the CA or, before there is one, by
// itself.
func (a *authority) sign(name string, template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template.SerialNumber, template.Subject = big.NewInt(time.Now().UnixNano()), pkix.Name{CommonName: name}
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := template, key
	if a.cert != nil {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	a.write(name+".pem", "CERTIFICATE", der)
	a.write(name+".key", "PRIVATE KEY", raw)
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert, key
}

func (a *authority) write(name, kind string, der []byte) {
	a.t.Helper()
	if err := os.WriteFile(a.file(name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		a.t.Fatal(err)
	}
}

func (a *authority) file(name string) string { return filepath.Join(a.dir, name) }

func (a *authority) server(name string) {
	a.sign(name, &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
}

func (a *authority) client(name string) {
	a.sign(name, &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
}

// show are the flags of a client or an agent with a certificate, or without.
func (a *authority) show(name string) []string {
	flags := []string{"--tls-ca", a.file("ca.pem")}
	if name != "" {
		flags = append(flags, "--tls-cert", a.file(name+".pem"), "--tls-key", a.file(name+".key"))
	}
	return flags
}

func TestCertificatesOnBothPorts(t *testing.T) {
	t.Parallel()
	ours, others := newAuthority(t), newAuthority(t)
	ours.server("server")
	ours.client("client")
	others.client("client")
	c := harness.StartController(t, "--tls-cert", ours.file("server.pem"), "--tls-key", ours.file("server.key"), "--tls-client-ca", ours.file("ca.pem"))
	harness.Start(t, append([]string{"agent", "--controller", c.GRPC, "--name", "a"}, ours.show("client")...)...)
	do := func(flags ...string) func(args ...string) harness.Result {
		return func(args ...string) harness.Result {
			return harness.Stampede(t, append(append(args, "--controller", c.GRPC), flags...)...)
		}
	}
	awaitAgent(t, do(ours.show("client")...))

	for name, flags := range map[string][]string{
		"no certificate":   ours.show(""),
		"another CA's":     {"--tls-ca", ours.file("ca.pem"), "--tls-cert", others.file("client.pem"), "--tls-key", others.file("client.key")},
		"plain text":       nil,
		"trusting another": others.show("client"),
	} {
		if r := do(flags...)("agents"); r.Code != 1 || !strings.Contains(r.Err, "stampede: error: list agents") {
			t.Errorf("%s: exit %d, %s%s", name, r.Code, r.Out, r.Err)
		}
	}
	if err := overTLS(t, c.HTTP, ours, "client"); err != nil {
		t.Errorf("HTTP with the certificate: %v", err)
	}
	if overTLS(t, c.HTTP, ours, "") == nil {
		t.Error("HTTP answered without a certificate")
	}
}

// overTLS asks the HTTP port whether it is there.
func overTLS(t *testing.T, addr string, a *authority, certificate string) error {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	config := &tls.Config{RootCAs: pool}
	if certificate != "" {
		pair, err := tls.LoadX509KeyPair(a.file(certificate+".pem"), a.file(certificate+".key"))
		if err != nil {
			t.Fatal(err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	transport := &http.Transport{TLSClientConfig: config}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport, Timeout: 10 * time.Second}).Get("https://" + addr + "/readyz")
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

func TestTokensAreApart(t *testing.T) {
	t.Parallel()
	const run, look, join, wrong = "run-token-0123456789", "read-token-0123456789", "join-token-0123456789", "wrong-token-0123456789"
	c := harness.StartController(t, "--client-token-file", tokenFile(t, "# two", run, "read "+look), "--agent-token-file", tokenFile(t, join))
	spec := harness.WriteSpec(t, "endpoint: {url: 'http://127.0.0.1:1/v1', model: m}\n")
	for _, tt := range []struct {
		token string
		args  []string
		code  int
		says  string
	}{
		{"", []string{"agents"}, 1, "none was sent"},
		{wrong, []string{"agents"}, 1, "not one of this controller's"},
		{join, []string{"agents"}, 1, "role agent"},
		{join, []string{"register", "-f", spec}, 1, "role agent"},
		{look, []string{"agents"}, 0, ""},
		{look, []string{"register", "-f", spec}, 1, "asks for role run"},
		{run, []string{"register", "-f", spec}, 0, ""},
		{"", []string{"agent"}, 1, "none was sent"},
		{wrong, []string{"agent"}, 1, "not one of this controller's"},
		{run, []string{"agent"}, 1, "asks for role agent"},
	} {
		args := append(tt.args, "--controller", c.GRPC)
		if tt.token != "" {
			args = append(args, "--token-file", tokenFile(t, tt.token))
		}
		r := harness.Stampede(t, args...)
		if r.Code != tt.code || tt.says != "" && (!strings.Contains(r.Err, tt.says) || !strings.Contains(r.Err, "\nhint: ")) {
			t.Errorf("%s with %q: exit %d\n%s", tt.args[0], tt.token, r.Code, r.Err)
		}
	}
	for path, want := range map[string]string{"/id_list": "200", "/start_test/x": "403", "/healthz": "200"} {
		if got := get(t, "http://"+c.HTTP+path, look); !strings.HasPrefix(got, want) {
			t.Errorf("GET %s with a token that may look: %s", path, got)
		}
	}
}

func TestAgentLoadsOnlyWhatItMay(t *testing.T) {
	t.Parallel()
	sim := harness.StartSimulator(t)
	c := harness.StartController(t)
	harness.Start(t, "agent", "--controller", c.GRPC, "--name", "a", "--allow-target", "10.0.0.0/8", "--allow-target", "127.0.0.1:1")
	c.AwaitAgents(t, 1)
	for _, url := range []string{sim.URL(), "http://169.254.169.254/v1", "http://localhost:1/v1"} {
		r := harness.Stampede(t, "run", "--controller", c.GRPC, "--url", url, "--model", "m", "--requests", "2", "--no-progress", "--out", t.TempDir())
		if r.Code != 1 {
			t.Errorf("%s: exit %d\n%s%s", url, r.Code, r.Out, r.Err)
		}
	}
	if len(sim.Account(t)) != 0 {
		t.Error("the simulator was asked, which the agent may not load")
	}
}

func TestBeyondLoopbackNeedsProtection(t *testing.T) {
	t.Parallel()
	for _, flag := range []string{"--grpc-addr", "--http-addr"} {
		for _, addr := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:0"} {
			r := harness.Stampede(t, "controller", "--data-dir", t.TempDir(), flag, addr)
			if r.Code != 2 || !strings.Contains(r.Err, "hint: ") {
				t.Errorf("%s %s: exit %d %s", flag, addr, r.Code, r.Err)
			}
		}
	}
	c := harness.StartController(t, "--insecure")
	if c.GRPC == "" {
		t.Error("no port")
	}
	r := harness.Stampede(t, "controller", "join-command", "--grpc-addr", "bench-0:50051", "--agent-token-file", "agent.tokens").Must(t, 0)
	if !strings.HasSuffix(r.Out, "stampede agent --controller bench-0:50051 --token-file agent.token\n") {
		t.Errorf("join-command printed %q", r.Out)
	}
}
