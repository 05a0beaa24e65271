package auth

import (
	"context"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// ServerOptions makes a gRPC server ask for tokens.
func (g *Guard) ServerOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.ChainUnaryInterceptor(func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
			if err := g.admit(ctx, info.FullMethod); err != nil {
				return nil, err
			}
			return handle(ctx, req)
		}),
		grpc.ChainStreamInterceptor(func(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
			if err := g.admit(stream.Context(), info.FullMethod); err != nil {
				return err
			}
			return handle(srv, stream)
		}),
	}
}

func (g *Guard) admit(ctx context.Context, method string) error {
	md, _ := metadata.FromIncomingContext(ctx)
	if r := g.Check(MethodRole(method), bearer(md.Get("authorization"))); r != nil {
		return r.status()
	}
	return nil
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
