// Package target sends one request to one kind of endpoint and records what came
// back and when. It computes nothing: figures are package measure's. It keeps
// its own HTTP/1.1 loop, because net/http writes and reads on goroutines of its
// own and so cannot say when a byte left or arrived.
//
// A request is prepared ahead (Client.Prepare) and written by the goroutine that
// calls Client.Start. Replies are read, on Linux, by a few pollers over epoll,
// with the kernel's receive stamps, under TLS too; elsewhere by a goroutine for
// each connection, with the process's time. What arrives is pushed through three
// parsers that take pieces of any size: response (HTTP), sse (events) and a
// driver's scanner (JSON). A byte is looked at only after its read was stamped.
//
// It speaks HTTP/1.1 only, follows no redirects and uses no proxy.
package target
