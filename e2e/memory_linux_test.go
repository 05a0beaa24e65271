package e2e

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stampede-bench/stampede/e2e/harness"
)

// writeConversations writes rows until the file has so many bytes.
func writeConversations(t *testing.T, size int64) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "large.jsonl")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	r := rand.New(rand.NewPCG(1, 2))
	words := strings.Fields("river mountain about seven orange quickly under the lake because never cloud paper engine small window")
	text := func(n int) string {
		var b strings.Builder
		for range n {
			b.WriteString(words[r.IntN(len(words))])
			fmt.Fprintf(&b, "%d ", r.IntN(1000))
		}
		return b.String()
	}
	for written := int64(0); written < size; {
		n, err := fmt.Fprintf(w, `{"conversations": [{"from": "human", "value": "%s"}, {"from": "gpt", "value": "%s"}]}`+"\n", text(80), text(120))
		if err != nil {
			t.Fatal(err)
		}
		written += int64(n)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return path
}

// peakMemory runs the binary and returns the most memory that it had, in bytes.
func peakMemory(t *testing.T, args ...string) int64 {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), harness.Binary(), args...)
	cmd.Env = append(os.Environ(), "GOGC=100") // what lives is looked at, not how much garbage may gather
	out, err := cmd.CombinedOutput()
	// The verdict of so short a run on a busy machine is not what is looked at.
	if code := cmd.ProcessState.ExitCode(); code != 0 && code != 3 {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		t.Fatal("the system does not say how much memory a process had")
	}
	return usage.Maxrss << 10
}

// streamed holds what a run of a large file takes: as little as one of a small file
// and a few bytes a row, in one process that converts it, keeps it and sends it.
func streamed(t *testing.T, size int64) {
	sim := harness.StartSimulator(t, "--ttft", "1ms", "--itl", "1ms", "--tokens", "3")
	run := func(file string) int64 {
		return peakMemory(t, "run", "--url", sim.URL(), "--dataset", file, "--concurrency", "2", "--requests", "200",
			"--max-tokens", "3", "--out", "", "--no-progress")
	}
	small, large := run(writeConversations(t, 1<<16)), run(writeConversations(t, size))
	t.Logf("%d MB of rows took %d MiB, a few of them %d MiB", size>>20, large>>20, small>>20)
	rows := size / 1500
	if most := small + 48<<20 + rows*40; large > most {
		t.Errorf("%d MB of rows took %d MiB, at most %d MiB are allowed", size>>20, large>>20, most>>20)
	}
}

func TestLargeFilesAreStreamed(t *testing.T) { streamed(t, 100<<20) }

// TestHugeFilesAreStreamed is the same with more than a process may hold; make
// large runs it.
func TestHugeFilesAreStreamed(t *testing.T) {
	if os.Getenv("STAMPEDE_LARGE") == "" {
		t.Skip("2 GB were not streamed: make large does it, which takes some minutes and 4 GB of disk")
	}
	streamed(t, 2<<30)
}
