//go:build unix

package main

import (
	"runtime"
	"syscall"
)

// maxRSS is in bytes; only Darwin counts so itself.
func maxRSS(u *syscall.Rusage) int64 {
	most := int64(u.Maxrss) //nolint:unconvert // it is an int32 on 32-bit systems
	if runtime.GOOS == "darwin" {
		return most
	}
	return most << 10
}
