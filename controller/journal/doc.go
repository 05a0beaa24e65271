// Package journal keeps what must survive: one append-only segment file a run,
// with every outcome that was reported; a database of small values, of tests,
// runs, what resumes them and up to where they may have sent; and a vault that
// seals secrets with a key that lies apart. It does not count, decode samples or
// know what a run is; it frames bytes, checks them and says what was damaged.
//
// # Order
//
// Journal, then store, then answer: whatever the controller acknowledges is in
// the journal before the acknowledgement leaves, and a change of state is
// journaled before it is visible in the store and before an rpc answers.
//
// # The database
//
// A bbolt file with a table a kind of value and a format version inside. A file of
// another version, one that is damaged, and one that another process has open are
// errors that say so.
//
// # The segment
//
// A header of 16 bytes ("STAMPSEG", format version and zero as little-endian
// 32-bit integers), then frames: the length of the body and its CRC32C, both
// little-endian 32-bit, then the body, whose first byte is its Kind. A file that
// ends within a frame, or whose last frame fails its sum, was torn by a crash:
// the reader stops before it and says so.
package journal
