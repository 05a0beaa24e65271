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
//	result, err := c.Run(ctx, &workload.Spec{
//		Endpoint: workload.Endpoint{URL: "http://127.0.0.1:8001/v1"},
//		Load:     workload.Load{Stages: []workload.Stage{{Rate: new(workload.Rate(10)), Duration: workload.Duration(time.Minute)}}},
//	}, nil)
//
// A spec may as well be read from YAML or JSON, by workload.Parse.
//
// # Step by step
//
// A test is a registered spec and never changes; a run is one execution of it.
// [Client.Register] keeps a spec and names the test, [Client.Start] begins a run,
// [Client.Watch] follows it to its end, [Client.Cancel] stops it, [Client.Report]
// has its figures and [Client.Samples] what they were made of, a sample a request.
// [Client.List], [Client.Test] and [Client.Agents] look around, [Client.Delete]
// tidies up.
//
// Wherever a call takes an id, a test's id means its latest run; a run's id,
// <test>.<k> with k from 1, means that run.
//
// # What is the caller's
//
// Environment variables and files that a spec names are those of the calling
// process: Register uploads the file of dataset.path and reads the key that
// endpoint.api_key_env names, the latter only with [WithLookupEnv]. What is not
// found here is left to the controller, which reads only what it was allowed to.
//
// # Protected controllers
//
// [WithToken] sends a client token, [WithTokenFrom] one that may be rotated;
// [WithTLS] encrypts, and shows a certificate when the controller asks for one.
//
// # Errors
//
// Errors work with errors.Is ([ErrNotFound], [ErrRunning], [ErrUnauthenticated] and
// the others), and with errors.As: to workload.Errors for all that is wrong with a
// spec, path by path, and to *[Error] for the controller's sentence and its hint.
// The end of a call's context is context.Canceled or context.DeadlineExceeded.
//
// # Concurrency and time
//
// A [Client] is safe for concurrent use. Every call ends when its context does;
// there are no other timeouts. [Client.Watch] outlives a broken connection and a
// restart of the controller; the other calls are tried once. [RegisterOptions]
// and [Client.StartOnce] make those that create something safe to repeat.
package client
