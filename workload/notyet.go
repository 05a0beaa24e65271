package workload

import (
	"slices"
	"strings"
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
	{"a dataset fetched by its name", when("dataset.name", func(s *Spec) bool {
		d := s.Dataset
		return strings.HasPrefix(d.Name, "hf://") || slices.Contains(hubDatasets, d.Name) ||
			d.Name == DatasetShareGPT && d.Path == "" && d.CorpusHash == ""
	})},
	{"replay of recorded arrivals", stagesWhere(".replay", func(s *Stage) bool { return s.Replay != nil })},
	{"typing time between turns", when("sessions.human_input_wps", func(s *Spec) bool { return otherThan(s.Sessions.HumanInputWPS, 1) })},
	{"separating turns", when("sessions.separate_turns", func(s *Spec) bool { return s.Sessions.SeparateTurns })},
	{"separating turns", when("sessions.separate_interval", func(s *Spec) bool { return s.Sessions.SeparateInterval != 0 })},
	{"compressing recorded time", when("sessions.compression_ratio", func(s *Spec) bool { return otherThan(s.Sessions.CompressionRatio, 1) })},
	{"a range of sessions", when("sessions.range", func(s *Spec) bool { return s.Sessions.Range != "" && s.Sessions.Range != ":" })},
}

func when(path string, asked func(*Spec) bool) func(*Spec) []string {
	return func(s *Spec) []string {
		if asked(s) {
			return []string{path}
		}
		return nil
	}
}

func stagesWhere(suffix string, asked func(*Stage) bool) func(*Spec) []string {
	return func(s *Spec) []string {
		var paths []string
		for i := range s.Load.Stages {
			if asked(&s.Load.Stages[i]) {
				paths = append(paths, at("load.stages", i)+suffix)
			}
		}
		return paths
	}
}

func otherThan(p *float64, v float64) bool { return p != nil && *p != v }

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
