// Package target sends one request to one kind of endpoint and records what came
// back and when. It computes nothing: figures are package measure's. It keeps
// its own HTTP/1.1 loop, because net/http writes and reads on goroutines of its
// own and so cannot say when a byte left or arrived.
package target
