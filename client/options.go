package client

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"os"
	"time"

	"github.com/stampede-bench/stampede/internal/secret"
)

// Option configures [Dial].
type Option func(*options)

type options struct {
	tls       *tls.Config
	token     func() (string, error)
	dialer    func(context.Context, string) (net.Conn, error)
	lookupEnv func(string) (string, bool)
	openFile  func(string) (io.ReadCloser, error)
	progress  func(file string, done, total int64)
	notice    func(text string)
	patience  time.Duration
}

func defaults() options {
	return options{
		openFile: func(path string) (io.ReadCloser, error) { return os.Open(path) },
		patience: time.Minute,
	}
}

// WithTLS connects over TLS; the configuration says whom to trust and which
// certificate to show. The default, as with nil, is plain text, which a controller
// offers on loopback only, unless it was told otherwise.
func WithTLS(config *tls.Config) Option {
	return func(o *options) { o.tls = config }
}

// WithToken sends a client token with every call. The default is none, as with an
// empty one.
func WithToken(token string) Option {
	s := secret.New(token)
	return WithTokenFrom(func() (string, error) { return s.Reveal(), nil })
}

// WithTokenFrom asks read for the token at every call, also when Watch connects
// anew, so that one that was rotated meanwhile is taken up. An empty token is not
// sent; an error of read is that of the call. It must be safe for concurrent use.
func WithTokenFrom(read func() (token string, err error)) Option {
	return func(o *options) { o.token = read }
}

// WithDialer opens connections with dial instead of TCP.
func WithDialer(dial func(ctx context.Context, addr string) (net.Conn, error)) Option {
	return func(o *options) { o.dialer = dial }
}

// WithLookupEnv resolves endpoint.api_key_env when a spec is registered,
// usually with os.LookupEnv. Without it, and for names it does not know, the
// name is left to the controller, which reads only names it was allowed to. The
// settings of the dataset hub (HF_HOME, HF_TOKEN and so on) are looked up by it,
// too; without it in this process's environment.
func WithLookupEnv(lookup func(name string) (string, bool)) Option {
	return func(o *options) { o.lookupEnv = lookup }
}

// WithOpenFile opens dataset.path when a spec is registered. The default opens
// files of this process. A path that is not there (fs.ErrNotExist) is left to
// the controller, which looks under its dataset folder.
func WithOpenFile(open func(path string) (io.ReadCloser, error)) Option {
	return func(o *options) { o.openFile = open }
}

// WithProgress is told how far a file is that is fetched from the hub for a
// spec's dataset; total is 0 when nobody knows. The default tells nobody.
func WithProgress(show func(file string, done, total int64)) Option {
	return func(o *options) { o.progress = show }
}

// WithNotice is told what a person should know of a dataset while it is fetched,
// such as that the cache was used because the hub can't be reached. The default
// tells nobody.
func WithNotice(say func(text string)) Option {
	return func(o *options) { o.notice = say }
}

// WithPatience bounds how long Watch tries to reach a controller that has gone
// away before it gives up with ErrUnavailable. Default one minute.
func WithPatience(d time.Duration) Option {
	return func(o *options) { o.patience = d }
}
