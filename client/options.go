package client

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"os"
	"time"

	"google.golang.org/grpc"

	"github.com/stampede-bench/stampede/internal/secret"
)

// Option configures Dial.
type Option func(*options)

type options struct {
	tls       *tls.Config
	token     *secret.String // behind a pointer, which fmt does not follow
	dialer    func(context.Context, string) (net.Conn, error)
	conn      grpc.ClientConnInterface
	lookupEnv func(string) (string, bool)
	openFile  func(string) (io.ReadCloser, error)
	patience  time.Duration
}

func defaults() options {
	return options{
		openFile: func(path string) (io.ReadCloser, error) { return os.Open(path) },
		patience: time.Minute,
	}
}

// WithTLS connects over TLS. The default is plain text, which a controller
// offers on loopback only, unless it was told otherwise.
func WithTLS(config *tls.Config) Option {
	return func(o *options) { o.tls = config }
}

// WithToken sends a client token with every call.
func WithToken(token string) Option {
	return func(o *options) {
		s := secret.New(token)
		o.token = &s
	}
}

// WithDialer opens connections with dial instead of TCP.
func WithDialer(dial func(ctx context.Context, addr string) (net.Conn, error)) Option {
	return func(o *options) { o.dialer = dial }
}

// WithConn uses a connection that exists already; Dial's address, WithTLS,
// WithToken and WithDialer have no effect then, and Close leaves it open.
func WithConn(conn grpc.ClientConnInterface) Option {
	return func(o *options) { o.conn = conn }
}

// WithLookupEnv resolves endpoint.api_key_env when a spec is registered,
// usually with os.LookupEnv. Without it, and for names it does not know, the
// name is left to the controller, which reads only names it was allowed to.
func WithLookupEnv(lookup func(name string) (string, bool)) Option {
	return func(o *options) { o.lookupEnv = lookup }
}

// WithOpenFile opens dataset.path when a spec is registered. The default opens
// files of this process. A path that is not there (fs.ErrNotExist) is left to
// the controller, which looks under its dataset folder.
func WithOpenFile(open func(path string) (io.ReadCloser, error)) Option {
	return func(o *options) { o.openFile = open }
}

// WithPatience bounds how long Watch tries to reach a controller that has gone
// away before it gives up with ErrUnavailable. Default one minute.
func WithPatience(d time.Duration) Option {
	return func(o *options) { o.patience = d }
}
