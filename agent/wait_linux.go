package agent

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// cpuWait is for how long the process's threads were ready to run but had no
// processor, in sum, in seconds. Threads that have ended are not in it.
func cpuWait() float64 {
	files, err := filepath.Glob("/proc/self/task/*/schedstat")
	if err != nil {
		return 0
	}
	sum := time.Duration(0)
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err == nil { // else it has ended meanwhile
			sum += runDelay(string(text))
		}
	}
	return sum.Seconds()
}

// runDelay reads the second of a schedstat file's numbers.
func runDelay(text string) time.Duration {
	fields := strings.Fields(text)
	if len(fields) < 2 {
		return 0
	}
	n, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return 0
	}
	return time.Duration(n)
}
