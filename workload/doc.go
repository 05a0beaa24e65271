// Package workload holds the Spec of a test: what is asked, of whom, and when.
//
// Parse reads a spec from YAML, JSON, protojson, the seed's body or a report and
// returns what was said; WithDefaults completes it and says what it assumed;
// Validate and NotYet judge it:
//
//	spec, notices, err := workload.Parse(data)     // what was said
//	spec, assumed := spec.WithDefaults()           // what will be done
//	err = spec.NotYet()                            // what can't be done yet
//
// All errors come at once, as Errors, each with the path of the key it is about
// and often with a hint. Decoding goes by the structs in spec.go alone: a new key
// is a new field there and in stampede.v1.Spec, and Parse, the hints and the wire
// follow.
//
// Secrets are of a type that can't be printed, and Headers and ExtraBody mask the
// values whose names look like secrets, however they are formatted, logged or
// marshalled. Reveal is the one way out, for the wire. Secrets and Redact take
// their values out of texts that come from elsewhere, MaskBody out of documents.
//
// The small notations of flags and keys (durations, rates, length distributions,
// gates, slices) have a type and a parser each; all of them are pure values.
//
// The package does no I/O, reads no environment and no file, and resolves nothing
// that depends on the moment. It does not compute schedules (package schedule) or
// prompts (package dataset), and it has no mutable state: everything in it may be
// called concurrently, as long as a Spec is not changed while it is read.
package workload
