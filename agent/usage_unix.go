//go:build unix

package agent

import (
	"runtime"
	"syscall"
	"time"
)

// cpuSeconds is the CPU time of the process so far, user and system.
func cpuSeconds() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}

// memoryMax is the most memory the process had resident, in bytes.
func memoryMax() int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	most := int64(u.Maxrss) //nolint:unconvert // it is an int32 on 32-bit systems
	if runtime.GOOS == "darwin" {
		return most
	}
	return most << 10 // KiB elsewhere
}
