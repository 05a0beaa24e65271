// Package client talks to a Stampede controller: it registers tests, starts,
// watches and cancels runs, and fetches reports and rows. Specs and reports are
// the types of packages workload and report; nothing of the wire shows.
//
// It is not a load generator: a controller and its agents do the work. To run a
// test inside one process, without a controller, use the module's root package.
//
// # Getting started
//
// [Dial] prepares a connection, [Client.Run] does all of a test in one call:
//
//	c, err := client.Dial("127.0.0.1:50051")
//	if err != nil {
//		return err
//	}
//	defer c.Close()
//	result, err := c.Run(ctx, spec, nil)
//
// Its steps are there one by one: [Client.Register] and [Client.Start],
// [Client.Watch] to follow a run, [Client.Cancel] to stop it, [Client.Report] for
// its figures and [Client.Samples] for what they were made of, a row a request.
//
// Wherever a call takes an id, a test's id means its latest run; a run's id,
// <test>.<k>, means that run.
//
// # Protected controllers
//
// [WithToken] sends a client token, [WithTLS] encrypts, and shows a certificate
// when the controller asks for one. A key that endpoint.api_key_env names is read
// from the environment only with [WithLookupEnv].
//
// # Errors
//
// Errors work with errors.Is ([ErrNotFound], [ErrRunning], [ErrUnauthenticated] and
// the others), and with errors.As: to workload.Errors for all that is wrong with a
// spec, path by path, and to *[Error] for the controller's sentence and its hint.
//
// # Concurrency and time
//
// A [Client] is safe for concurrent use. Every call ends when its context does;
// there are no other timeouts. [Client.Watch] outlives a broken connection and a
// restart of the controller; the other calls are tried once. [RegisterOptions]
// and [Client.StartOnce] make those that create something safe to repeat.
package client
