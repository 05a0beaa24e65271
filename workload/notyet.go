package workload

import (
	"slices"
)

// engine is one thing that a spec can say. A row is deleted when what does it
// exists.
type engine struct {
	what string
	// where returns the paths in a spec that ask for it.
	where func(s *Spec) []string
}

// missingEngines is the whole list of what parses but can't run yet.
var missingEngines = []engine{
	{"this endpoint type", when("endpoint.type", func(s *Spec) bool {
		return slices.Contains([]string{TypeTriton, TypeBedrock}, CanonicalType(s.Endpoint.Type))
	})},
}

func when(path string, asked func(*Spec) bool) func(*Spec) []string {
	return func(s *Spec) []string {
		if asked(s) {
			return []string{path}
		}
		return nil
	}
}

// NotYet reports, as Errors, everything in s that is part of the contract but
// that this version can't do, so that nothing is ignored in silence.
func (s *Spec) NotYet() error {
	var errs Errors
	for _, e := range missingEngines {
		for _, path := range e.where(s) {
			errs.add(FieldError{Path: path, Message: e.what + " is not yet supported", Type: typeNotYet})
		}
	}
	return errs.orNil()
}
