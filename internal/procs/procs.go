// Package procs keeps Go processors to spare for threads that mostly sit in
// system calls, has garbage collected seldom while there is memory, and tells the
// kernel how to schedule the process. It pins nothing, and is for commands: a library
// leaves its process alone.
//
// While every processor is taken, be it by a thread that sleeps in the kernel, the
// runtime's monitor looks for one to take away every 20 µs, on a laptop's two cores
// for a fifth of the process's time. With one to spare it rests.
package procs

import (
	"os"
	"runtime"
	"sync"
)

var state struct {
	sync.Mutex
	cores int // as many processors as there were before
	spare int
}

// Spare adds n processors for threads that sleep in system calls. A number that
// the environment sets (GOMAXPROCS) stays. It is for commands: a library leaves its
// process's processors alone.
func Spare(n int) {
	if os.Getenv("GOMAXPROCS") != "" {
		return
	}
	state.Lock()
	defer state.Unlock()
	if state.cores == 0 {
		state.cores = runtime.GOMAXPROCS(0)
	}
	state.spare += n
	runtime.GOMAXPROCS(state.cores + state.spare)
}

// Cores is how many processors can be busy at once: GOMAXPROCS less what Spare
// added.
func Cores() int {
	state.Lock()
	defer state.Unlock()
	if state.cores != 0 {
		return state.cores
	}
	return runtime.GOMAXPROCS(0)
}
