//go:build unix

package main

import (
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// fileLimit is how many files a process started from here may have open: Go raises
// the soft limit to the hard one. 0 where the system doesn't say.
func fileLimit() uint64 {
	var r unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &r); err != nil {
		return 0
	}
	return uint64(r.Max) //nolint:unconvert // it is signed on some systems
}

// maxRSS is in bytes; only Darwin counts so itself.
func maxRSS(u *syscall.Rusage) int64 {
	most := int64(u.Maxrss) //nolint:unconvert // it is an int32 on 32-bit systems
	if runtime.GOOS == "darwin" {
		return most
	}
	return most << 10
}
