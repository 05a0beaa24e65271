//go:build unix

package doctor

import "golang.org/x/sys/unix"

// openFiles is the limit that a run would have: Go raises the soft limit to the
// hard one when a process starts.
func openFiles() *uint64 {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
		return nil
	}
	n := uint64(r.Cur) //nolint:unconvert // it is signed on some systems
	return &n
}
