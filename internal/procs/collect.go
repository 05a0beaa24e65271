package procs

import (
	"os"
	"runtime/debug"
)

// collectPercent is how much garbage, in percent of what lives, may gather before a
// collection. Each one stops all threads twice and competes for the processors with
// what is timed; at 400 there is a quarter of them, for 26 instead of 16 KB a
// stream that is held (docs/performance.md).
const collectPercent = 400

// Collect collects garbage seldom, as long as the process stays under three fifths
// of the memory that it may have. What the environment sets (GOGC, GOMEMLIMIT) stays.
// It is for commands that measure.
func Collect() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectPercent)
	}
	if n := memory(); n > 0 && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(n / 5 * 3)
	}
}
