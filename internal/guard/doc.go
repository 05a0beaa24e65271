// Package guard stands before every HTTP handler of this program: it refuses
// requests that another site's page made the browser send, names this host does
// not go by, bodies that are too large and peers that are too slow. On the gRPC
// port it ends calls whose message does not come. It knows nothing of tokens or of
// what a request means.
package guard
