// Package simulate is a model server with scripted timing and faults that keeps
// its own account of every request: the yardstick against which a load generator
// is tested. It speaks the OpenAI HTTP API (chat and text completions, streamed
// or not) and vLLM's metric names. It runs no model, and its words mean nothing.
//
// # How it works
//
// Each connection has one goroutine, which reads and parses requests. All
// replies are written by one scheduler, locked to a thread of its own, which
// keeps the tokens that are due in a heap, sleeps to an absolute deadline and
// writes each event with one non-blocking write. So no goroutine wakes for a
// token, and nothing but the kernel's TCP stack stands between a deadline and
// the wire. A client that reads too slowly is handed to a goroutine until it has
// caught up; the others don't wait for it.
//
// Under TLS the same goroutine and the same scheduler decrypt and encrypt; an event
// is encrypted before its instant is taken, so that the write call alone follows it,
// as without. Over HTTP/2 framing, flow control and writing are net/http's: the
// scheduler hands what is due to the request's goroutine, which takes the instant
// and writes.
//
// # Per request
//
// Headers override the configuration for one request: X-Sim-TTFT and X-Sim-ITL
// (distributions as in Config), X-Sim-Tokens (the reply's exact length) and
// X-Sim-Fault (as ParseFault reads it; "none" for none). X-Request-Id and
// X-Request-Attempt go into the account, which GET /account returns as JSONL and
// GET /account/summary in numbers.
//
// # What is exact
//
//   - The arrival of a request is the kernel's receive stamp of its last byte
//     (Linux; SO_TIMESTAMPING, software). Where there is none the instant at
//     which the process had read it is used, and the record says "process".
//   - Written instants are taken immediately before the write call that carries
//     the token. The write itself delivers the bytes on loopback, so a client's
//     kernel can see them only later than that; Record.FirstWriteNanos is how
//     long the first token's write call took, and so bounds by how much.
//   - All instants of a record are on CLOCK_REALTIME by one mapping from the
//     monotonic clock, taken when the request was read: differences within a
//     record don't feel a clock that is stepped.
//   - A token's deadline is counted from the arrival by one running sum, never
//     from the write before, so lateness doesn't accumulate. What was drawn and
//     what was written differ by the machine's own scheduling delays; the record
//     holds what was written.
//   - All that holds under TLS, too. The arrival is the stamp of the bytes that
//     completed the record; bytes of a record count before encryption.
//   - Counts of tokens, bytes, requests and repeated ids are exact.
//
// # What is not
//
//   - A scripted duration is a wish: on a starved machine tokens are written
//     late, and those that are overdue together share one write and one instant.
//   - A token of a prompt is a word times Config.TokensPerWord; no tokenizer is
//     involved.
//   - Over HTTP/2 (Record.HTTP2) several goroutines lie between the instant that is
//     booked and the write, and Record.FirstWriteNanos is how long they took. The
//     arrival is that of the last bytes that the connection had read when the
//     request was whole: no earlier than the truth, and later by what others sent
//     meanwhile. Bytes are those of bodies. A fault that ends the connection resets
//     the stream instead, and close_after_reply has nothing to end.
//   - Bytes that a fault dribbles out carry the instant of their first byte.
//   - Elsewhere than on Linux arrivals are process time, deadlines are kept by
//     Go's timers, and writes may block the scheduler for as long as a client
//     doesn't read.
package simulate
