// Package auth decides who may call what on a controller's two ports: by bearer
// tokens with roles, and by TLS certificates. It does not say from which pages and
// under which host names a browser may call; package guard does.
//
// A token is presented in the clear, so it is only as safe as the connection;
// what is kept of it in memory is its hash.
package auth
