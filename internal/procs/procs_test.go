package procs

import (
	"runtime"
	"testing"
)

func TestSpare(t *testing.T) {
	t.Setenv("GOMAXPROCS", "")
	before := runtime.GOMAXPROCS(0)
	t.Cleanup(func() { runtime.GOMAXPROCS(before) })
	if Cores() != before {
		t.Errorf("%d cores before, want %d", Cores(), before)
	}
	Spare(2)
	Spare(1)
	if got := runtime.GOMAXPROCS(0); got != before+3 || Cores() != before {
		t.Errorf("%d processors and %d cores, want %d and %d", got, Cores(), before+3, before)
	}
	t.Setenv("GOMAXPROCS", "1")
	Spare(1)
	if got := runtime.GOMAXPROCS(0); got != before+3 {
		t.Errorf("a number from the environment was overridden: %d", got)
	}
}
