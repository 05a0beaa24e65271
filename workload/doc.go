// Package workload holds the Spec of a test: what is asked, of whom, and when.
// It parses spec files (YAML, JSON, protojson, the seed's body and reports),
// completes and validates them. It does no I/O, resolves nothing that depends on
// the moment, and does not compute schedules (package schedule) or prompts
// (package dataset).
package workload
