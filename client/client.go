package client

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/stampede-bench/stampede/internal/secret"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
)

// maxMessageBytes bounds one answer: a report of a long run with many stages.
const maxMessageBytes = 256 << 20

// Client is a connection to a controller.
type Client struct {
	options
	rpc   stampedev1.TestServiceClient
	close func() error
}

// Dial prepares a client for the controller at addr, HOST:PORT. It connects with
// the first call; an unreachable controller is that call's error.
func Dial(addr string, opts ...Option) (*Client, error) {
	c := &Client{options: defaults(), close: func() error { return nil }}
	for _, opt := range opts {
		opt(&c.options)
	}
	if c.conn != nil {
		c.rpc = stampedev1.NewTestServiceClient(c.conn)
		return c, nil
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
	if c.token != nil && !c.token.Empty() {
		opts = append(opts, grpc.WithPerRPCCredentials(bearer{*c.token}))
	}
	if c.dialer != nil {
		opts = append(opts, grpc.WithContextDialer(c.dialer))
	}
	return opts
}

// Close releases the connection. Calls under way end with an error.
func (c *Client) Close() error { return c.close() }

// bearer is a client token as call credentials.
type bearer struct{ token secret.String }

// GetRequestMetadata implements credentials.PerRPCCredentials.
func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + b.token.Reveal()}, nil
}

// RequireTransportSecurity implements credentials.PerRPCCredentials. A
// controller on loopback may ask for tokens without TLS.
func (b bearer) RequireTransportSecurity() bool { return false }
