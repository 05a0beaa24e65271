package procs

import (
	"math"
	"runtime/debug"
	"testing"
)

func TestCollect(t *testing.T) {
	percent, limit := debug.SetGCPercent(100), debug.SetMemoryLimit(-1)
	t.Cleanup(func() { debug.SetGCPercent(percent); debug.SetMemoryLimit(limit) })
	t.Setenv("GOGC", "50")
	t.Setenv("GOMEMLIMIT", "1GiB")
	Collect()
	if got := debug.SetGCPercent(100); got != 100 || debug.SetMemoryLimit(-1) != limit {
		t.Errorf("what the environment sets was overridden: GOGC %d, limit %d", got, debug.SetMemoryLimit(-1))
	}
	t.Setenv("GOGC", "")
	t.Setenv("GOMEMLIMIT", "")
	Collect()
	if got := debug.SetGCPercent(100); got != collectPercent {
		t.Errorf("GOGC is %d, want %d", got, collectPercent)
	}
	if got := debug.SetMemoryLimit(-1); got <= 0 || got == math.MaxInt64 || got != memory()/5*3 {
		t.Errorf("the limit is %d of %d", got, memory())
	}
}

func TestTotalMemory(t *testing.T) {
	for info, want := range map[string]int64{
		"MemTotal:       24565124 kB\nMemFree: 1 kB\n": 24565124 << 10,
		"": 0, "MemTotal: much kB\n": 0, "MemTotal: -5 kB\n": 0,
	} {
		if got := totalMemory(info); got != want {
			t.Errorf("%q: %d, want %d", info, got, want)
		}
	}
}
