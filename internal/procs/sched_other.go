//go:build !linux

package procs

// Prompt changes nothing here.
func Prompt() {}

// Defer changes nothing here.
func Defer() {}
