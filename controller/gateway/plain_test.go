package gateway

import (
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func TestPlainProblem(t *testing.T) {
	for text, want := range map[string][2]string{
		`proto: (line 1:2): unknown field "foo"`:                                              {`"foo" is not a key of the request`, ""},
		"proto:\u00a0(line 1:2): unknown field \"endpoint\"":                                  {`"endpoint" is not a key of the request`, `a spec stands under the key "spec"`},
		`proto: (line 1:63): invalid value for string field testId: 5`:                        {"testId: must be a text, got 5", ""},
		`proto: (line 1:15): invalid value for bool field immediate: "x"`:                     {`immediate: must be true or false, got "x"`, ""},
		`proto: (line 1:15): invalid value for string field apiKey: 5`:                        {"apiKey: must be a text", ""},
		`proto: syntax error (line 1:1): unexpected token [`:                                  {"the body must be a JSON object, which it is not at line 1:1", ""},
		`invalid character 'o' in literal false (expecting 'a')`:                              {"the body must be a JSON object", ""},
		`parsing field "page_size": strconv.ParseInt: parsing "x": invalid syntax`:            {`page_size: must be a whole number, got "x"`, ""},
		`parsing field "after_revision": strconv.ParseInt: parsing "9e9": value out of range`: {`after_revision: must be a whole number, got "9e9"`, ""},
		`test_id: must be 1 to 64 letters, digits, _ or -, got "a b"`:                         {`test_id: must be 1 to 64 letters, digits, _ or -, got "a b"`, ""},
	} {
		if p := plainProblem(status.New(codes.InvalidArgument, text)); p.Detail != want[0] || p.Hint != want[1] {
			t.Errorf("%s: got %q, %q, want %q", text, p.Detail, p.Hint, want)
		}
	}
	if p := plainProblem(status.New(codes.NotFound, "unexpected EOF")); p.Detail != "unexpected EOF" {
		t.Errorf("another code: %q", p.Detail)
	}
}
