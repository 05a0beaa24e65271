// Package client talks to a Stampede controller: it registers tests, starts,
// watches and cancels runs, and fetches reports and rows. Specs and reports are
// the types of packages workload and report; nothing of the wire shows.
//
// It is not a load generator: a controller and its agents do the work. To run a
// test inside one process, without a controller, use the module's root package.
//
// A Client is safe for concurrent use. Every call ends when its context does.
// Errors work with errors.Is (ErrNotFound, ErrRunning, …), errors.As (workload.Errors
// for a bad spec, *Error for the sentence and its hint).
//
// Wherever a call takes an id, a test's id means its latest run; a run's id,
// <test>.<k>, means that run.
package client
