// Package store holds the state of a controller that others look at and wait
// for: tests, runs, shards and agents, as rows of an in-memory database whose
// reads can be watched. It is the only importer of go-memdb.
//
// It holds no samples and no histograms, is not durable (package journal is),
// and decides nothing: rows change on transitions, and progress at most a few
// times a second a run.
//
// # Rows are never changed
//
// A row that was inserted or read is shared by all readers and must not be
// changed. To change one, an Update function edits a shallow copy, and replaces
// rather than changes what the copy points to.
//
// # Reads and watches
//
// Every read takes a WatchSet and adds the channels that close when its answer
// changes; a nil WatchSet watches nothing. A wake-up is a hint: the reader reads
// again and compares revisions. All methods are safe for concurrent use.
package store
