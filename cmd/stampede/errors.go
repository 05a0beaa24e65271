package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/stampede-bench/stampede/client"
	"github.com/stampede-bench/stampede/internal/hub"
	"github.com/stampede-bench/stampede/workload"
)

// Exit codes of contract §2; the first that applies counts.
const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitUntrusted   = 3
	exitGate        = 4
	exitInterrupted = 130
)

// exitError is an error with its exit code and a hint.
type exitError struct {
	code int
	err  error
	hint string
}

func (e *exitError) Error() string {
	if e.err == nil {
		return ""
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

func usageError(err error, hint string) error {
	return &exitError{code: exitUsage, err: err, hint: hint}
}

func withHint(err error, hint string) error {
	return &exitError{code: exitFailed, err: err, hint: hint}
}

// silently ends with a code and no message, when the report has said it all.
func silently(code int) error {
	if code == exitOK {
		return nil
	}
	return &exitError{code: code}
}

func exitCode(err error) int {
	var exit *exitError
	var spec workload.Errors
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &exit):
		return exit.code
	case errors.As(err, &spec):
		return exitUsage
	}
	return exitFailed
}

func printError(w io.Writer, err error) {
	var exit *exitError
	if err == nil || errors.As(err, &exit) && exit.err == nil {
		return
	}
	var spec workload.Errors
	if errors.As(err, &spec) {
		for _, e := range spec {
			printLine(w, e.Error(), e.Hint)
		}
		return
	}
	hint := ""
	if exit != nil {
		hint = exit.hint
	}
	var remote *client.Error
	if hint == "" && errors.As(err, &remote) {
		hint = remote.Hint
	}
	if hint == "" {
		hint = hub.Hint(err)
	}
	printLine(w, err.Error(), hint)
}

func printLine(w io.Writer, message, hint string) {
	fmt.Fprintf(w, "stampede: error: %s\n", message)
	if hint != "" {
		fmt.Fprintf(w, "hint: %s\n", hint)
	}
}

// reasonError is why a run ended without a report, with its hint apart.
func reasonError(t client.Test) error {
	e := &exitError{code: exitFailed}
	if t.InvalidSpec {
		e.code = exitUsage
	}
	head, hint, _ := strings.Cut(t.Reason, " (hint: ")
	e.err, e.hint = errors.New(head), strings.TrimSuffix(hint, ")")
	return e
}
