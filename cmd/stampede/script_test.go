package main

import (
	"net"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"stampede": main})
}

// Scripts find a free loopback address in $ADDR and a key in $SESAME.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/script", Setup: func(env *testscript.Env) error {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		env.Setenv("ADDR", l.Addr().String())
		env.Setenv("SESAME", "open-sesame")
		return l.Close()
	}})
}
