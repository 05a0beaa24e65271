package controller

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/stampede-bench/stampede/controller/store"
	"github.com/stampede-bench/stampede/internal/wire"
	"github.com/stampede-bench/stampede/workload"
)

// What a call can run into. This file alone turns them into gRPC codes.
var (
	errInvalid  = errors.New("invalid argument")
	errState    = errors.New("failed precondition")
	errRunning  = errors.New("a run is under way") // told apart from errState by its reason
	errRefused  = errors.New("refused")
	errTooLarge = errors.New("too large")
	errTooFast  = errors.New("too much at once")
	errClosed   = errors.New("the controller has ended")
)

// hinted is an error with an advice on a line of its own.
type hinted struct {
	error
	hint string
}

func (e hinted) Unwrap() error { return e.error }

func withHint(err error, hint string) error { return hinted{error: err, hint: hint} }

func hintOf(err error) string {
	var h hinted
	var faults workload.Errors
	switch {
	case errors.As(err, &h):
		return h.hint
	case errors.As(err, &faults) && len(faults) > 0:
		return faults[0].Hint
	}
	return ""
}

func isInvalidSpec(err error) bool {
	var faults workload.Errors
	return errors.As(err, &faults)
}

var codeOf = []struct {
	err  error
	code codes.Code
}{
	{errInvalid, codes.InvalidArgument},
	{store.ErrToken, codes.InvalidArgument},
	{store.ErrExist, codes.AlreadyExists},
	{store.ErrNotExist, codes.NotFound},
	{errRunning, codes.FailedPrecondition},
	{errState, codes.FailedPrecondition},
	{errRefused, codes.PermissionDenied},
	{errTooLarge, codes.ResourceExhausted},
	{errTooFast, codes.ResourceExhausted},
	{errClosed, codes.Unavailable},
	{context.Canceled, codes.Canceled},
	{context.DeadlineExceeded, codes.DeadlineExceeded},
}

// rpcError turns an error into a status for the wire. Violations of a spec become
// BadRequest details; a hint travels as a LocalizedMessage beside its sentence.
func rpcError(err error) error {
	if err == nil {
		return nil
	}
	if _, is := status.FromError(err); is {
		return err
	}
	var violations workload.Errors
	if errors.As(err, &violations) {
		return badRequest(violations)
	}
	for _, c := range codeOf {
		if errors.Is(err, c.err) {
			return hintStatus(status.New(c.code, sentence(err, c.err)), hintOf(err), c.err)
		}
	}
	return status.Error(codes.Internal, err.Error())
}

// sentence is the error's text without the sentinel at its end, which the code
// says already.
func sentence(err, sentinel error) string {
	text, tail := err.Error(), ": "+sentinel.Error()
	if said := []error{errInvalid, errState, errRunning, errRefused, errTooLarge, errTooFast}; !slices.Contains(said, sentinel) {
		return text
	}
	if head, ok := strings.CutSuffix(text, tail); ok && head != "" {
		return head
	}
	return text
}

// reasonRunning is the reason of a call that a run under way is in the way of, for
// programs; package client knows it.
var reasonRunning = &errdetails.ErrorInfo{Reason: "RUNNING", Domain: "stampede"}

func hintStatus(st *status.Status, hint string, sentinel error) error {
	if errors.Is(sentinel, errRunning) {
		if with, err := st.WithDetails(reasonRunning); err == nil {
			st = with
		}
	}
	if hint == "" {
		return st.Err()
	}
	if with, err := st.WithDetails(&errdetails.LocalizedMessage{Locale: "en", Message: hint}); err == nil {
		st = with
	}
	return st.Err()
}

// maxViolations bounds how many violations an answer names one by one.
const maxViolations = 100

func badRequest(violations workload.Errors) error {
	detail := &errdetails.BadRequest{}
	for i, v := range violations {
		if i == maxViolations {
			break
		}
		violation := &errdetails.BadRequest_FieldViolation{Field: v.Path, Description: v.Message}
		if v.Hint != "" {
			violation.LocalizedMessage = &errdetails.LocalizedMessage{Locale: "en", Message: v.Hint}
		}
		detail.FieldViolations = append(detail.FieldViolations, violation)
	}
	text := violations.Error()
	if len(violations) == 0 || violations[0].Path != "spec" {
		text = "spec: " + text
	}
	st := status.New(codes.InvalidArgument, text)
	if with, err := st.WithDetails(detail); err == nil {
		st = with
	}
	return st.Err()
}

func errGone(agent string) error {
	return withHint(fmt.Errorf("agent %s went silent while the run was being prepared", agent), "start the test again")
}

func errGap(ref wire.Ref, want, got int64) error {
	return fmt.Errorf("%v: batch_sequence: must be %d, got %d: %w", ref, want, got, errState)
}
