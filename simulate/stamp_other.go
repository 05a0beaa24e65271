//go:build !linux

package simulate

import (
	"errors"
	"net"
	"syscall"
)

func prepareSockets(_, _ string, _ syscall.RawConn) error { return nil }

func prepareShared(_, _ string, _ syscall.RawConn) error {
	return errors.New("a port can be shared on Linux alone")
}

func awaitStamps() {}

// socket stamps with process time, and its writes may block.
type socket struct{ net.Conn }

func newSocket(nc net.Conn) (*socket, error) { return &socket{nc}, nil }

// read is Read with the instant at which it returned.
func (s *socket) read(p []byte) (int, instant, error) {
	n, err := s.Conn.Read(p)
	return n, instantOf(0, readPair()), err
}

// writeNow writes all of p. Only the owner of the reply calls it.
func (s *socket) writeNow(p []byte) (n int, again bool, err error) {
	n, err = s.Conn.Write(p)
	return n, false, err
}
