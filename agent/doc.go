// Package agent sends the load. An Agent holds one session with a controller,
// prepares the shards it is handed, dispatches their entries on time and ships
// what became of them.
//
// Goroutines live in two places: the session (one that receives and never
// waits, one that sends) and each shard (one builds requests ahead, one sleeps
// to deadlines on a thread of its own, one turns outcomes into samples). Between
// a deadline and the write nothing allocates, logs or waits for any of the
// others.
//
// The package decides neither what is sent (package workload), nor when
// (package schedule), nor how (package target); it computes no figures (package
// measure) and counts nothing for the report (package ledger). It never imports
// package controller.
package agent
