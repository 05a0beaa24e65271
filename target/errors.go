package target

import (
	"fmt"
	"time"

	"github.com/stampede-bench/stampede/measure"
)

// Kinds of errors, as they stand in rows and in the report's errors[]. A status
// from 400 on has a kind of its own: see HTTPKind.
const (
	// Before a connection was ready. Sent is then absent.
	KindDNS       = "dns"                // the name has no address
	KindForbidden = "forbidden_address"  // refused by AllowAddr, or a metadata address
	KindRefused   = "connection_refused" // nothing listens there
	KindConnect   = "connect"            // unreachable, or another failure to connect
	KindTLS       = "tls"                // handshake, certificate or record broken
	KindLocal     = "local_limit"        // this host ran out of files or ports

	// After the request was sent.
	KindReset      = "connection_reset"  // reset by the peer
	KindClosed     = "connection_closed" // closed before any byte of an answer
	KindTruncated  = "truncated"         // closed inside an answer
	KindMalformed  = "malformed_response"
	KindHeaders    = "header_limit"    // more than 256 KiB of headers
	KindTooLarge   = "response_limit"  // an answer or event beyond 16 MiB, a stream beyond four million chunks
	KindEvent      = "malformed_event" // an event whose data is not what the API says
	KindErrorEvent = "error_event"     // an error told inside a 200
	KindHTML       = "html_response"   // 200 with a page
	KindNoStream   = "not_streamed"    // a stream was asked for, a whole reply came
	KindEmpty      = "empty_response"  // 200 without a single token
	KindRedirect   = "redirect"        // redirects are not followed

	// The timeout passed while the request was in this phase. The outcome is
	// measure.TimedOut.
	KindTimeoutConnect    = "timeout_connect"
	KindTimeoutHeaders    = "timeout_headers"
	KindTimeoutFirstToken = "timeout_first_token"
	KindTimeoutStream     = "timeout_stream" // stalled, or simply too long

	// Given up by Cancel or Close.
	KindCancelled = "cancelled"
)

// HTTPKind is the kind of a status from 400 on: "http_404".
func HTTPKind(status int) string { return fmt.Sprintf("http_%d", status) }

// Error is why a request did not succeed. Its message holds no secrets.
type Error struct {
	Kind    string
	Status  measure.Status
	HTTP    int // status, 0 when none arrived
	Message string
	// RetryAfter is how long the endpoint wants callers to wait before they ask
	// again; 0 when it does not say.
	RetryAfter time.Duration
}

// Error implements error.
func (e *Error) Error() string { return e.Kind + ": " + e.Message }

// fault is an error before secrets were removed from it. It is a value, so that
// passing it costs nothing when there is none.
type fault struct {
	kind    string
	message string
}

func (f fault) is() bool { return f.kind != "" }

func faultf(kind, format string, args ...any) fault {
	return fault{kind, fmt.Sprintf(format, args...)}
}

// statusOf maps a kind to what became of the request.
func statusOf(kind string) measure.Status {
	switch kind {
	case "":
		return measure.Succeeded
	case KindCancelled:
		return measure.Cancelled
	case KindTimeoutConnect, KindTimeoutHeaders, KindTimeoutFirstToken, KindTimeoutStream:
		return measure.TimedOut
	}
	return measure.Failed
}
