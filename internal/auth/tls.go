package auth

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// ServerTLS returns the configuration of a server with a certificate; with a
// client CA, clients must show a certificate that it signed. Nil without cert and
// key. A renewed certificate is taken up without a restart.
func ServerTLS(cert, key, clientCA string) (*tls.Config, error) {
	if cert == "" && key == "" {
		if clientCA != "" {
			return nil, errors.New("--tls-client-ca: needs --tls-cert and --tls-key, too")
		}
		return nil, nil
	}
	pair, err := newPair(cert, key)
	if err != nil {
		return nil, err
	}
	config := &tls.Config{
		MinVersion:     tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return pair.current(), nil },
	}
	if clientCA != "" {
		if config.ClientCAs, err = readPool("--tls-client-ca", clientCA); err != nil {
			return nil, err
		}
		config.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return config, nil
}

// SystemRoots in place of a CA file means the certificates that the host trusts.
const SystemRoots = "system"

// ClientTLS returns the configuration of a client that trusts a CA, a file or
// SystemRoots, and shows a certificate when it has one. Nil when all are empty:
// plain text.
func ClientTLS(ca, cert, key string) (*tls.Config, error) {
	if ca == "" && cert == "" && key == "" {
		return nil, nil
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if ca != "" && ca != SystemRoots {
		pool, err := readPool("--tls-ca", ca)
		if err != nil {
			return nil, err
		}
		config.RootCAs = pool
	}
	if cert == "" && key == "" {
		return config, nil
	}
	pair, err := newPair(cert, key)
	if err != nil {
		return nil, err
	}
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return pair.current(), nil }
	return config, nil
}

func readPool(flag, path string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", flag, err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s: %s holds no certificate in PEM form", flag, path)
	}
	return pool, nil
}

// pair is a certificate with its key, read anew when the file has changed.
type pair struct {
	cert, key string

	mu     sync.Mutex
	loaded tls.Certificate
	stamp  stamp
	looked time.Time
}

func newPair(cert, key string) (*pair, error) {
	if cert == "" || key == "" {
		return nil, errors.New("--tls-cert and --tls-key: one needs the other")
	}
	p := &pair{cert: cert, key: key, looked: time.Now()}
	return p, p.load()
}

func (p *pair) load() error {
	info, err := os.Stat(p.cert)
	if err != nil {
		return fmt.Errorf("--tls-cert: %w", err)
	}
	loaded, err := tls.LoadX509KeyPair(p.cert, p.key)
	if err != nil {
		return fmt.Errorf("--tls-cert, --tls-key: %w", err)
	}
	p.loaded, p.stamp = loaded, stamp{info.ModTime(), info.Size()}
	return nil
}

// current returns the certificate; a new one that can't be read leaves the old.
func (p *pair) current() *tls.Certificate {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := time.Now(); now.Sub(p.looked) >= checkEvery {
		p.looked = now
		if info, err := os.Stat(p.cert); err == nil && (stamp{info.ModTime(), info.Size()}) != p.stamp {
			_ = p.load() // half written: the next handshake tries again
		}
	}
	held := p.loaded
	return &held
}
