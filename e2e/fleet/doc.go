// Package fleet holds the test of many agents on one controller, all in one
// process: what it costs, and that no lease is lost. It has no code of its own.
package fleet
