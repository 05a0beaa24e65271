package target

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"
)

// testCertificate is for 127.0.0.1 and signs itself.
func testCertificate(t testing.TB) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}

// tlsServer is serveRaw under TLS, with a Config that trusts it.
func tlsServer(t testing.TB, handle func(int, net.Conn, *bufio.Reader)) (*rawServer, Config) {
	cert, roots := testCertificate(t)
	server := &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2", "http/1.1"}}
	s := serveRaw(t, func(n int, c *net.TCPConn, _ *bufio.Reader) {
		tc := tls.Server(c, server)
		if tc.Handshake() == nil {
			handle(n, tc, bufio.NewReader(tc))
		}
	})
	cfg := configFor(strings.Replace(s.url(), "http:", "https:", 1))
	cfg.TLS = &tls.Config{RootCAs: roots}
	return s, cfg
}

func TestTLSExchange(t *testing.T) {
	for _, portable := range []bool{false, true} {
		s, cfg := tlsServer(t, func(_ int, c net.Conn, r *bufio.Reader) {
			for readRequest(r) != nil {
				say(c, answer())
			}
		})
		cfg.portable = portable
		cl := newClient(t, cfg)
		for range 5 {
			x, err := ask(t, cl)
			if err != nil {
				t.Fatal(err)
			}
			if string(x.Answer) != "Hello, world" {
				t.Errorf("answer is %q", x.Answer)
			}
			checkInstants(t, x, 3)
		}
		if n := s.accepted(); n != 1 {
			t.Errorf("portable %v: %d connections, want 1", portable, n)
		}
	}
}

// TestTLSPieces has records cut and joined by the transport at will.
func TestTLSPieces(t *testing.T) {
	_, cfg := tlsServer(t, func(_ int, c net.Conn, r *bufio.Reader) {
		raw := c.(*tls.Conn).NetConn().(*net.TCPConn)
		_ = raw.SetNoDelay(true)
		for readRequest(r) != nil {
			for _, b := range []byte(answer()) {
				say(c, string(b))
			}
		}
	})
	cl := newClient(t, cfg)
	for range 3 {
		x, err := ask(t, cl)
		if err != nil {
			t.Fatal(err)
		}
		if string(x.Answer) != "Hello, world" || len(x.Chunks) != 3 {
			t.Errorf("answer is %q in %d chunks", x.Answer, len(x.Chunks))
		}
	}
}

func TestTLSRequestSizes(t *testing.T) {
	for _, portable := range []bool{false, true} {
		got := make(chan int, 1)
		_, cfg := tlsServer(t, func(_ int, c net.Conn, r *bufio.Reader) {
			time.Sleep(20 * time.Millisecond) // let the socket fill up
			for req := readRequest(r); req != nil; req = readRequest(r) {
				var b bytes.Buffer
				_, _ = b.ReadFrom(req.Body)
				got <- b.Len()
				say(c, answer())
			}
		})
		cfg.portable = portable
		cl := newClient(t, cfg)
		for _, words := range []int{1, 2500, 2800, 5200, 5600, 2 << 20} { // about a record, about what is encrypted ahead, much more
			in := hello()
			in.Messages[0].Content = strings.Repeat("large ", words)
			if _, err := cl.Do(t.Context(), in); err != nil {
				t.Fatal(err)
			}
			if n := <-got; n < 6*words || n > 6*words+200 {
				t.Errorf("the server got %d bytes of %d words", n, words)
			}
		}
	}
}

func TestTLSErrors(t *testing.T) {
	transports(t, func(t *testing.T, cfg func(string) Config) {
		_, trusted := tlsServer(t, func(int, net.Conn, *bufio.Reader) {})
		untrusted := cfg(trusted.Endpoint.URL)
		_, err := ask(t, newClient(t, untrusted))
		wantKind(t, err, KindTLS, "not trusted")

		plain := serveRaw(t, func(_ int, c *net.TCPConn, _ *bufio.Reader) { say(c, "HTTP/1.1 400 Bad Request\r\n\r\n") })
		_, err = ask(t, newClient(t, cfg(strings.Replace(plain.url(), "http:", "https:", 1))))
		wantKind(t, err, KindTLS, "does not speak TLS")

		hangsUp := serveRaw(t, func(int, *net.TCPConn, *bufio.Reader) {})
		_, err = ask(t, newClient(t, cfg(strings.Replace(hangsUp.url(), "http:", "https:", 1))))
		wantKind(t, err, KindTLS, "closed the connection")
	})
}

// TestTLSGarbage breaks a record in the middle of a stream.
func TestTLSGarbage(t *testing.T) {
	_, cfg := tlsServer(t, func(_ int, c net.Conn, r *bufio.Reader) {
		if readRequest(r) == nil {
			return
		}
		say(c, streamHead+chunk(token("x")))
		say(c.(*tls.Conn).NetConn(), "\x17\x03\x03\x00\x20"+strings.Repeat("z", 32))
		_ = readRequest(r)
	})
	x, err := ask(t, newClient(t, cfg))
	wantKind(t, err, KindTLS, "")
	if len(x.Chunks) != 1 {
		t.Errorf("%d chunks had come, want 1", len(x.Chunks))
	}
}
