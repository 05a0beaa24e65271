package auth

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"time"
)

// freshFor is how long a certificate holds that is made at start.
const freshFor = 365 * 24 * time.Hour

// FreshTLS returns the configuration of a server with a certificate that is made
// now for addr's host, localhost and this host's own names and addresses, and writes
// the CA that signed it to a file for clients to trust. The CA's key is kept nowhere.
func FreshTLS(addr, caFile string) (*tls.Config, error) {
	names, ips := namesOf(addr)
	ca := &x509.Certificate{
		Subject: pkix.Name{CommonName: "made at start"}, IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign,
	}
	caDER, caKey, err := issue(ca, nil, nil)
	if err != nil {
		return nil, err
	}
	leaf := &x509.Certificate{
		Subject: pkix.Name{CommonName: names[0]}, DNSNames: names, IPAddresses: ips,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, key, err := issue(leaf, ca, caKey)
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(caFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER}), 0o644); err != nil {
		return nil, fmt.Errorf("write the CA: %w", err)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, nil
}

// issue completes a certificate and signs it, by itself without a parent.
func issue(c, parent *x509.Certificate, signer *ecdsa.PrivateKey) (der []byte, key *ecdsa.PrivateKey, err error) {
	if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, nil, fmt.Errorf("make a key: %w", err)
	}
	if c.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127)); err != nil {
		return nil, nil, fmt.Errorf("make a serial number: %w", err)
	}
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(freshFor)
	if parent == nil {
		parent, signer = c, key
	}
	if der, err = x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer); err != nil {
		return nil, nil, fmt.Errorf("make a certificate: %w", err)
	}
	return der, key, nil
}

// namesOf are what clients on this host and others may call a server at addr. The
// first is its host, or localhost.
func namesOf(addr string) (names []string, ips []net.IP) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		host = "" // the listener says what is wrong with it
	}
	ip := net.ParseIP(host)
	if host != "" && ip == nil && host != "localhost" {
		names = append(names, host)
	}
	names = append(names, "localhost")
	ips = append(ips, net.IPv4(127, 0, 0, 1), net.IPv6loopback)
	switch {
	case ip != nil && !ip.IsUnspecified():
		return names, append(ips, ip)
	case ip == nil && host != "":
		return names, ips
	}
	if own, err := os.Hostname(); err == nil {
		names = append(names, own)
	}
	if all, err := net.InterfaceAddrs(); err == nil {
		for _, a := range all {
			if n, ok := a.(*net.IPNet); ok {
				ips = append(ips, n.IP)
			}
		}
	}
	return names, ips
}
