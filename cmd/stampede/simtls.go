package main

import (
	"crypto/tls"
	"errors"

	"github.com/spf13/pflag"

	"github.com/stampede-bench/stampede/internal/auth"
)

// simulatorTLS says with which certificate a simulator serves.
type simulatorTLS struct{ cert, key, caOut string }

func (t *simulatorTLS) addFlags(f *pflag.FlagSet) {
	f.StringVar(&t.cert, "tls-cert", "", "serve over TLS with the certificate in `FILE`, in PEM form")
	f.StringVar(&t.key, "tls-key", "", "`FILE` of its key")
	f.StringVar(&t.caOut, "tls-ca-out", "", "serve over TLS with a certificate made at start, and write the CA that signed it to `FILE`")
}

// read returns the configuration, nil for plain text.
func (t *simulatorTLS) read(addr string) (*tls.Config, error) {
	if t.caOut == "" {
		config, err := auth.ServerTLS(t.cert, t.key, "")
		if err != nil {
			return nil, usageError(err, "")
		}
		return config, nil
	}
	if t.cert != "" || t.key != "" {
		return nil, usageError(errors.New("--tls-ca-out makes a certificate, --tls-cert and --tls-key name one: give one or the other"), "")
	}
	return auth.FreshTLS(addr, t.caOut)
}
