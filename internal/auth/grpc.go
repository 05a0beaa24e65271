package auth

import (
	"context"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/tap"
)

// Tap makes a gRPC server ask for tokens, as its InTapHandle: once the headers of
// a call are there and before its message is read, which an interceptor would be
// too late for.
func (g *Guard) Tap(ctx context.Context, info *tap.Info) (context.Context, error) {
	if r := g.Check(MethodRole(info.FullMethodName), bearer(info.Header.Get("authorization"))); r != nil {
		return ctx, r.status()
	}
	return ctx, nil
}

// bearer returns the token of an Authorization header. Two headers are none:
// a proxy and the controller must not see different ones.
func bearer(headers []string) string {
	if len(headers) != 1 {
		return ""
	}
	scheme, token, _ := strings.Cut(headers[0], " ")
	if !strings.EqualFold(scheme, "bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

func (r *Refusal) status() error {
	code := codes.Unauthenticated
	if r.Known {
		code = codes.PermissionDenied
	}
	st := status.New(code, r.Message)
	if with, err := st.WithDetails(&errdetails.LocalizedMessage{Locale: "en", Message: r.Hint}); err == nil {
		st = with
	}
	return st.Err()
}
