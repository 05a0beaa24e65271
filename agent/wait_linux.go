package agent

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// cpuWait is for how long the process's threads were ready to run but had no
// processor, in sum, in seconds. Threads that have ended are not in it.
//
// Many agents in one process share a reading of it, which is the longer the more
// threads there are.
func cpuWait() float64 {
	waited.Lock()
	defer waited.Unlock()
	if now := time.Now(); waited.at.IsZero() || now.Sub(waited.at) >= waitGrain || now.Before(waited.at) {
		waited.seconds, waited.at = readWait(), time.Now()
	}
	return waited.seconds
}

// waitGrain is how old a reading may be: far less than what is measured with it.
const waitGrain = 50 * time.Millisecond

// waited is the last reading.
var waited struct {
	sync.Mutex
	at      time.Time
	seconds float64
}

func readWait() float64 {
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
