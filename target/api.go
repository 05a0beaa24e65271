package target

import (
	"context"
	"crypto/tls"
	"net/netip"
	"time"

	"github.com/stampede-bench/stampede/measure"
	"github.com/stampede-bench/stampede/workload"
	"github.com/stampede-bench/stampede/workload/dataset"
)

// Config configures a Client.
type Config struct {
	// Endpoint, with its key already resolved.
	Endpoint workload.Endpoint
	// Sampling goes into every body.
	Sampling workload.Sampling
	// Tools, a JSON list, and ToolChoice go into every body of the chat API. Nil:
	// none.
	Tools, ToolChoice []byte
	// Timeout bounds one request from sent to end. 0 means none.
	Timeout time.Duration
	// AllowAddr is asked for every address before it is dialled, after names were
	// resolved. Nil allows all but metadata addresses.
	AllowAddr func(host string, addr netip.AddrPort) error
	// TLS overrides the defaults of TLS connections; for tests and private CAs.
	TLS *tls.Config
	// Reserve is how many idle connections to keep ready: when Start leaves fewer,
	// more are dialled in the background. Default 0, dial only on demand.
	Reserve int
	// MaxIdle bounds how many idle connections are kept. Default: no bound.
	MaxIdle int
	// Pollers is how many threads read replies on Linux. Default: half of
	// the cores, from 1 to 8. Elsewhere each connection has a goroutine.
	Pollers int
	// Relaxed says that nothing waits for the end of a reply. Those that arrive in quick
	// succession may then be read up to 0.3 ms later, many at a time, which takes far
	// less CPU; their instants are the kernel's, as always. Without kernel stamps it has
	// no effect.
	Relaxed bool

	portable bool // read by goroutines on Linux, too; for tests
}

// Input is what one request asks for.
type Input struct {
	// ID is sent as X-Request-Id.
	ID string
	// Attempt is sent as X-Request-Attempt, from 2 on.
	Attempt int
	// Messages is the whole conversation so far.
	Messages []dataset.Message
	// Model to ask. Default the endpoint's.
	Model string
	// OutputTokens asked for, 0 when none were.
	OutputTokens int
	// KeepAnswer keeps the reply's text, for the history of later turns.
	KeepAnswer bool
}

// Call is one request, prepared ahead and used once.
//
// Prepare builds it, Client.Start sends it, and done is called exactly once,
// from a goroutine of the client that reads for others too: it must not block.
// The Exchange belongs to the receiver until it calls Release.
type Call struct {
	call // unexported state
}

// Doer is what package agent needs of a Client.
type Doer interface {
	// Prepare builds the bytes of a request. It may allocate and take long; it
	// is meant to be called well before the deadline.
	Prepare(in Input) (*Call, error)
	// Start writes the request on a ready connection from the calling goroutine
	// and returns without waiting for the reply. When no connection is ready, it
	// is dialled on another goroutine and the request sent as soon as it is
	// there. It never blocks and may be called from a done function.
	Start(c *Call, done func(*Call, *measure.Exchange))
	// Cancel gives up a call that was started; its outcome is then
	// measure.Cancelled unless it is already complete. Safe to call at any time.
	Cancel(c *Call)
	// Warm opens connections until n are ready. It returns the first error and
	// how many are ready.
	Warm(ctx context.Context, n int) (int, error)
}
