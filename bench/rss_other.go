//go:build !unix

package main

import "syscall"

// maxRSS is not known here.
func maxRSS(*syscall.Rusage) int64 { return 0 }
