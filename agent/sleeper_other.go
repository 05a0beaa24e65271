//go:build !linux || !(amd64 || arm64)

package agent

// newSleeper returns the best sleeper there is.
func newSleeper() sleeper { return newTimerSleeper() }
