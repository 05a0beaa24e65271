package target

// While the process is kept from the processor, it may lose it between reading the
// clock and the write that follows, for many milliseconds. The kernel then stamps
// what is sent, too. That costs two system calls a request, and so is not asked for
// otherwise.
const (
	heldUpBy    = int64(1e6) // ns that a write takes, or bytes lie unread, in a process that is kept waiting
	heldUpFor   = int64(2e9) // ns for which that is taken to go on
	stampedMost = 16 << 10   // bytes; the stamp is that of the last byte, which leaves with the first of so few
)

// keptWaiting notes that something took long.
func (cl *Client) keptWaiting(took, now int64) {
	if took > heldUpBy {
		cl.heldUp.Store(now)
	}
}

// wantsStamp reports whether the kernel is to stamp a request of n bytes.
func (cl *Client) wantsStamp(n int, now int64) bool {
	at := cl.heldUp.Load()
	return at != 0 && now-at < heldUpFor && n <= stampedMost
}
