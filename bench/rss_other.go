//go:build !unix

package main

import "syscall"

// maxRSS is not known here.
func maxRSS(*syscall.Rusage) int64 { return 0 }

// fileLimit is 0: the system has none that is told.
func fileLimit() uint64 { return 0 }
