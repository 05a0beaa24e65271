package client

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/stampede-bench/stampede/internal/wire"
	"github.com/stampede-bench/stampede/workload"
)

// What calls fail with, for errors.Is. The error itself is an *[Error], with the
// controller's sentence.
var (
	// ErrNotFound: there is no such test or run.
	ErrNotFound = errors.New("not found")
	// ErrExists: the id is taken.
	ErrExists = errors.New("already exists")
	// ErrInvalidSpec: the spec breaks a rule; errors.As to a
	// workload.Errors gives every violation with its path.
	ErrInvalidSpec = errors.New("invalid spec")
	// ErrInvalid: another argument is not valid.
	ErrInvalid = errors.New("invalid argument")
	// ErrState: the test is not in a state that allows the call: it was not started,
	// has no report, or runs.
	ErrState = errors.New("not possible in its present state")
	// ErrRunning: a run of the test is under way, and has to end first. Such an error
	// is ErrState, too.
	ErrRunning = errors.New("a run is under way")
	// ErrUnavailable: the controller can't be reached.
	ErrUnavailable = errors.New("controller unavailable")
	// ErrUnauthenticated: the token is missing or wrong.
	ErrUnauthenticated = errors.New("not authenticated")
	// ErrForbidden: the token does not allow the call.
	ErrForbidden = errors.New("not allowed")
	// ErrUnsupported: the controller does not know the call or a key of the spec.
	ErrUnsupported = errors.New("not supported by this controller")
	// ErrTooLarge: a limit of the controller was exceeded.
	ErrTooLarge = errors.New("too large or too many")
)

// Error is what the controller answered, or why it could not be asked.
type Error struct {
	// Op names the call, such as "start test 3f2c…".
	Op string
	// Message is the controller's sentence.
	Message string
	// Hint says what to do about it; may be empty.
	Hint  string
	kinds []error
}

// Error implements error.
func (e *Error) Error() string { return e.Op + ": " + e.Message }

// Unwrap lets errors.Is and errors.As find the sentinel, a context's error and
// the spec's violations.
func (e *Error) Unwrap() []error { return e.kinds }

var sentinels = map[codes.Code]error{
	codes.NotFound:           ErrNotFound,
	codes.AlreadyExists:      ErrExists,
	codes.InvalidArgument:    ErrInvalid,
	codes.FailedPrecondition: ErrState,
	codes.Aborted:            ErrState,
	codes.Unavailable:        ErrUnavailable,
	codes.Unauthenticated:    ErrUnauthenticated,
	codes.PermissionDenied:   ErrForbidden,
	codes.Unimplemented:      ErrUnsupported,
	codes.ResourceExhausted:  ErrTooLarge,
	codes.Canceled:           context.Canceled,
	codes.DeadlineExceeded:   context.DeadlineExceeded,
}

// fail turns the error of a call into one of this package. Nil stays nil.
func fail(err error, op string, args ...any) error {
	if err == nil {
		return nil
	}
	op = fmt.Sprintf(op, args...)
	st, ok := status.FromError(err)
	if !ok {
		return fmt.Errorf("%s: %w", op, err)
	}
	e := &Error{Op: op, Message: wire.PlainMessage(st)}
	if kind := sentinels[st.Code()]; kind != nil {
		e.kinds = append(e.kinds, kind)
	}
	if len(e.kinds) == 0 || e.Message == "" {
		e.Message = strings.TrimSuffix(strings.ToLower(st.Code().String())+": "+e.Message, ": ")
	}
	for _, detail := range st.Details() {
		e.detail(detail)
	}
	if e.Hint == "" && st.Code() == codes.Unavailable {
		e.Hint = connectHint(st.Message())
	}
	return e
}

// connectHints are what a failure to connect mostly means, by what gRPC and TLS
// say of it.
var connectHints = []struct{ part, hint string }{
	{"first record does not look like a TLS handshake", "this controller does not speak TLS: connect in plain text"},
	{"error reading server preface", "the controller may ask for TLS: give the CA that signed its certificate"},
	{"certificate signed by unknown authority", "give the CA that signed the controller's certificate"},
	{"certificate is valid for", "use a name that stands in the controller's certificate"},
	{"certificate required", "this controller asks for a client certificate"},
	{"connection refused", "is a controller running there? stampede controller starts one"},
	{"broken pipe", closedHint}, {"connection reset by peer", closedHint}, {"EOF", closedHint},
}

const closedHint = "the controller closed the connection: it may ask for TLS, or for a client certificate"

func connectHint(message string) string {
	for _, h := range connectHints {
		if strings.Contains(message, h.part) {
			return h.hint
		}
	}
	return ""
}

func (e *Error) detail(detail any) {
	switch d := detail.(type) {
	case *errdetails.BadRequest:
		if violations := violationsFrom(d); len(violations) > 0 {
			e.kinds = append(e.kinds, ErrInvalidSpec, violations)
			e.Message = violations.Error()
		}
	case *errdetails.ErrorInfo:
		if d.GetReason() == "RUNNING" {
			e.kinds = append(e.kinds, ErrRunning)
		}
	case *errdetails.LocalizedMessage:
		e.Hint = d.GetMessage()
	}
}

// violationsFrom rebuilds what Validate said on the controller.
func violationsFrom(b *errdetails.BadRequest) workload.Errors {
	var violations workload.Errors
	for _, v := range b.GetFieldViolations() {
		violations = append(violations, workload.FieldError{
			Path: v.GetField(), Message: v.GetDescription(), Hint: v.GetLocalizedMessage().GetMessage(),
		})
	}
	return violations
}
