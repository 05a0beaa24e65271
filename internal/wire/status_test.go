package wire

import (
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestPlainMessage(t *testing.T) {
	for text, want := range map[string]string{
		"":                    "",
		`test "x": not found`: `test "x": not found`,
		`connection error: desc = "transport: Error while dialing: dial tcp 127.0.0.1:1: connect: connection refused"`:                                          "no connection to 127.0.0.1:1: connection refused",
		`connection error: desc = "transport: Error while dialing: dial tcp 10.0.0.1:1: i/o timeout"`:                                                           "no connection to 10.0.0.1:1: i/o timeout",
		`connection error: desc = "transport: Error while dialing: dial tcp: lookup nowhere on 10.0.0.1:53: no such host"`:                                      "no connection to nowhere on 10.0.0.1:53: no such host",
		`connection error: desc = "transport: authentication handshake failed: tls: failed to verify certificate: x509: certificate is valid for \"a\", not b"`: `tls: failed to verify certificate: x509: certificate is valid for "a", not b`,
		`connection error: desc = "error reading server preface: EOF"`:                                                                                          "error reading server preface: EOF",
		`connection error: desc = not quoted`:          `connection error: desc = not quoted`,
		"name resolver error: produced zero addresses": "no address is known by that name",
	} {
		if got := PlainMessage(status.New(codes.Unavailable, text)); got != want {
			t.Errorf("%s:\n got %s\nwant %s", text, got, want)
		}
	}
}
