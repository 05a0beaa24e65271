package guard

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/test/bufconn"
)

const http2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00" // with empty settings

// Connections that say half of something over HTTP/2 are ended, whatever they say
// besides.
func TestSlowHTTP2(t *testing.T) {
	for name, tt := range map[string]struct {
		sent    string
		dribble bool // a byte now and then
	}{
		"nothing after the handshake":  {"", false},
		"half a preface":               {http2Preface[:20], true},
		"a preface alone":              {http2Preface, false},
		"half a frame, and more of it": {http2Preface + "\x00\x40\x00\x01\x00\x00\x00\x00\x01", true},
		"headers that go on":           {http2Preface + "\x00\x00\x01\x01\x00\x00\x00\x00\x01\x82", false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				if took := heldFor(t, tt.sent, tt.dribble); took > 3*time.Minute {
					t.Errorf("the connection was held for %v", took)
				}
			})
		})
	}
}

// heldFor is how long the server keeps a connection.
func heldFor(t *testing.T, sent string, dribble bool) time.Duration {
	t.Helper()
	listener := bufconn.Listen(1 << 16)
	server := Server(newGuard(t, Config{}))
	server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}}
	served := make(chan struct{})
	go func() { _ = server.ServeTLS(listener, "", ""); close(served) }()
	defer func() { _ = server.Close(); <-served }()
	raw, err := listener.DialContext(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	conn := tls.Client(raw, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err := conn.Handshake(); err != nil || conn.ConnectionState().NegotiatedProtocol != "h2" {
		t.Fatalf("%v, %q", err, conn.ConnectionState().NegotiatedProtocol)
	}
	begun := time.Now()
	ended := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, conn)
		close(ended)
		_ = conn.Close()
	}()
	_, _ = io.WriteString(conn, sent)
	for dribble {
		select {
		case <-ended:
			dribble = false
		case <-time.After(5 * time.Second):
			if _, err := io.WriteString(conn, "\x00"); err != nil || time.Since(begun) > time.Hour {
				dribble = false
			}
		}
	}
	<-ended
	return time.Since(begun)
}

func selfSigned(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
