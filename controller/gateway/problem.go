package gateway

import (
	"net/http"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/stampede-bench/stampede/workload"
)

// problem is the body of an error under /v1.
type problem struct {
	Detail     string      `json:"detail"`
	Code       string      `json:"code"` // of gRPC, such as NOT_FOUND
	Hint       string      `json:"hint,omitempty"`
	Violations []violation `json:"violations,omitempty"`
}

// violation is one thing that is wrong with a spec.
type violation struct {
	Field       string `json:"field"`
	Description string `json:"description"`
	Hint        string `json:"hint,omitempty"`
}

func problemOf(s *status.Status) problem {
	p := problem{Detail: s.Message(), Code: code.Code(s.Code()).String()}
	for _, d := range s.Details() {
		switch d := d.(type) {
		case *errdetails.LocalizedMessage:
			p.Hint = d.GetMessage()
		case *errdetails.BadRequest:
			for _, v := range d.GetFieldViolations() {
				p.Violations = append(p.Violations, violation{v.GetField(), v.GetDescription(), v.GetLocalizedMessage().GetMessage()})
			}
		}
	}
	return p
}

func problemOfSpec(errs workload.Errors) problem {
	p := problem{Detail: "spec: " + errs.Error(), Code: code.Code_INVALID_ARGUMENT.String()}
	for _, e := range errs {
		p.Violations = append(p.Violations, violation{e.Path, e.Message, e.Hint})
	}
	return p
}

// statusOf is the HTTP status of a gRPC code.
func statusOf(c codes.Code) int {
	if c == codes.FailedPrecondition {
		return http.StatusConflict
	}
	return runtime.HTTPStatusFromCode(c)
}
