//go:build !linux

package target

func newNetwork(cl *Client) (network, error) { return newPortable(cl), nil }
