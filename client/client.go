package client

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
)

// maxMessageBytes bounds one answer: a report of a long run with many stages.
const maxMessageBytes = 256 << 20

// Client is a connection to a controller. It is safe for concurrent use.
type Client struct {
	options
	rpc   stampedev1.TestServiceClient
	close func() error
}

// Dial prepares a client for the controller at addr, HOST:PORT, whose gRPC port
// that is. It connects with the first call; an unreachable controller is that
// call's error, [ErrUnavailable].
func Dial(addr string, opts ...Option) (*Client, error) {
	c := &Client{options: defaults()}
	for _, opt := range opts {
		opt(&c.options)
	}
	if addr == "" {
		return nil, errors.New("dial controller: the address is empty, want HOST:PORT")
	}
	target := addr
	if c.dialer != nil {
		target = "passthrough:///" + addr // the dialer resolves
	}
	conn, err := grpc.NewClient(target, c.dialOptions()...)
	if err != nil {
		return nil, fmt.Errorf("dial controller %q: %w", addr, err)
	}
	c.rpc, c.close = stampedev1.NewTestServiceClient(conn), conn.Close
	return c, nil
}

func (c *Client) dialOptions() []grpc.DialOption {
	transport := insecure.NewCredentials()
	if c.tls != nil {
		transport = credentials.NewTLS(c.tls)
	}
	opts := []grpc.DialOption{
		grpc.WithTransportCredentials(transport),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessageBytes)),
	}
	if c.token != nil {
		opts = append(opts, grpc.WithPerRPCCredentials(bearer{c.token}))
	}
	if c.dialer != nil {
		opts = append(opts, grpc.WithContextDialer(c.dialer))
	}
	return opts
}

// Close releases the connection. Calls under way end with an error.
func (c *Client) Close() error { return c.close() }

// bearer sends a client token as call credentials.
type bearer struct{ read func() (string, error) }

// GetRequestMetadata implements credentials.PerRPCCredentials.
func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	token, err := b.read()
	if err != nil || token == "" {
		return nil, err
	}
	return map[string]string{"authorization": "Bearer " + token}, nil
}

// RequireTransportSecurity implements credentials.PerRPCCredentials. A
// controller on loopback may ask for tokens without TLS.
func (b bearer) RequireTransportSecurity() bool { return false }
