package procs

import (
	"os"
	"os/exec"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// TestSchedule runs in processes of its own, whose threads nobody else needs.
func TestSchedule(t *testing.T) {
	const asked = "PROCS_TEST_SCHEDULE"
	change := map[string]func(){"prompt": Prompt, "defer": Defer}
	if what := os.Getenv(asked); what != "" {
		before, err := unix.SchedGetAttr(0, 0)
		if err != nil {
			t.Fatal(err)
		}
		change[what]()
		threads, err := os.ReadDir("/proc/self/task")
		if err != nil || len(threads) < 2 {
			t.Fatalf("%d threads: %v", len(threads), err)
		}
		want := map[string]uint32{"prompt": unix.SCHED_NORMAL, "defer": unix.SCHED_BATCH}[what]
		for _, thread := range threads {
			id, _ := strconv.Atoi(thread.Name())
			got, err := unix.SchedGetAttr(id, 0)
			if err != nil {
				t.Fatal(err)
			}
			if got.Policy != want || got.Nice != before.Nice {
				t.Errorf("thread %d has policy %d and niceness %d, want %d and %d", id, got.Policy, got.Nice, want, before.Nice)
			}
			// Kernels before 6.12 grant no turns of one's own, and say 0.
			if what == "prompt" && got.Runtime != shortest && got.Runtime != before.Runtime {
				t.Errorf("thread %d has turns of %d ns, want %d", id, got.Runtime, shortest)
			}
		}
		return
	}
	for what := range change {
		t.Run(what, func(t *testing.T) {
			cmd := exec.Command(os.Args[0], "-test.run=^TestSchedule$")
			cmd.Env = append(os.Environ(), asked+"="+what)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
