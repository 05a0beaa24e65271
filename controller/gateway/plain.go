package gateway

import (
	"fmt"
	"regexp"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/stampede-bench/stampede/workload"
)

// What the transcoder says of a request that is no message of the services.
// Protobuf puts a space of one kind or the other behind its name.
var (
	unknownKey  = regexp.MustCompile(`^proto:.+\(line \d+:\d+\): unknown field "(.*)"$`)
	wrongValue  = regexp.MustCompile(`^proto:.+\(line \d+:\d+\): invalid value for (\w+) field (\w+): (.*)$`)
	wrongQuery  = regexp.MustCompile(`^parsing field "(\w+)": strconv\.Parse(\w+): parsing (".*"): `)
	wrongSyntax = regexp.MustCompile(`^(?:proto:.+syntax error \((line \d+:\d+)\): .*|unexpected EOF|invalid character .*)$`)
)

var kinds = map[string]string{
	"string": "a text", "bool": "true or false", "bytes": "base64", "int32": "a whole number", "int64": "a whole number", "double": "a number",
	"Int": "a whole number", "Bool": "true or false", "Float": "a number",
}

// plainProblem is what is wrong with a request, in the words of the other errors.
func plainProblem(s *status.Status) problem {
	p := problemOf(s)
	if s.Code() != codes.InvalidArgument {
		return p
	}
	text := s.Message()
	if m := unknownKey.FindStringSubmatch(text); m != nil {
		p.Detail = fmt.Sprintf("%q is not a key of the request", m[1])
		if workload.IsSection(m[1]) {
			p.Hint = `a spec stands under the key "spec"`
		}
	}
	if m := wrongValue.FindStringSubmatch(text); m != nil && kinds[m[1]] != "" {
		p.Detail = fmt.Sprintf("%s: must be %s", m[2], kinds[m[1]])
		if !workload.IsSecretName(m[2]) {
			p.Detail += ", got " + m[3]
		}
	}
	if m := wrongQuery.FindStringSubmatch(text); m != nil && kinds[m[2]] != "" {
		p.Detail = fmt.Sprintf("%s: must be %s, got %s", m[1], kinds[m[2]], m[3])
	}
	if m := wrongSyntax.FindStringSubmatch(text); m != nil {
		p.Detail = "the body must be a JSON object"
		if m[1] != "" {
			p.Detail += ", which it is not at " + m[1]
		}
	}
	return p
}
