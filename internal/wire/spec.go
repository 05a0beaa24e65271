package wire

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protojson"

	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/workload"
)

// SpecToProto returns s as a message, with its secrets: what is made of it must
// not be logged or stored in the clear.
func SpecToProto(s *workload.Spec) (*stampedev1.Spec, error) {
	data, err := s.Reveal()
	if err != nil {
		return nil, err
	}
	m := &stampedev1.Spec{}
	if err := protojson.Unmarshal(data, m); err != nil {
		// protojson quotes what it stumbles over, which may be a secret.
		return nil, fmt.Errorf("spec to message: %s", workload.Redact(err.Error(), workload.Secrets(s)))
	}
	return m, nil
}

// SpecFromProto reads a message as a spec and validates it. The error, of type
// workload.Errors, names every wrong key by its path; notices are as for
// workload.Parse.
func SpecFromProto(m *stampedev1.Spec) (*workload.Spec, []string, error) {
	p, err := ParsedFromProto(m)
	return p.Spec, p.Notices, err
}

// ParsedFromProto is SpecFromProto with all that is known of the spec.
func ParsedFromProto(m *stampedev1.Spec) (workload.Parsed, error) {
	return parsedFrom(m, workload.ParseFull)
}

// SpecShown reads a spec as a controller shows it: with its secrets masked, which
// SpecFromProto refuses.
func SpecShown(m *stampedev1.Spec) (*workload.Spec, error) {
	p, err := parsedFrom(m, workload.ParseDraft)
	return p.Spec, err
}

func parsedFrom(m *stampedev1.Spec, parse func([]byte) (workload.Parsed, error)) (workload.Parsed, error) {
	if m == nil {
		return workload.Parsed{}, workload.Errors{{Path: "spec", Message: "is required", Type: "missing"}}
	}
	data, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil {
		return workload.Parsed{}, workload.Errors{{Message: fmt.Sprintf("the message can't be read: %s", err), Type: "value_error"}}
	}
	return parse(data)
}
