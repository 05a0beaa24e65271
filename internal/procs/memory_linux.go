package procs

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// memory is what the process may have in bytes: the host's, or less where its
// control group (version 2) says so; 0 when nobody tells.
func memory() int64 {
	info, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	least := totalMemory(string(info))
	group := "/"
	if data, err := os.ReadFile("/proc/self/cgroup"); err == nil {
		if path, ok := strings.CutPrefix(strings.TrimSpace(string(data)), "0::"); ok {
			group = filepath.Clean("/" + path)
		}
	}
	for ; ; group = filepath.Dir(group) {
		if text, err := os.ReadFile(filepath.Join("/sys/fs/cgroup", group, "memory.max")); err == nil {
			n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64) // "max" is no number
			if err == nil && n > 0 && (least == 0 || n < least) {
				least = n
			}
		}
		if group == "/" {
			return least
		}
	}
}

// totalMemory reads MemTotal, 0 when it is not there.
func totalMemory(info string) int64 {
	for line := range strings.Lines(info) {
		if rest, ok := strings.CutPrefix(line, "MemTotal:"); ok {
			kib, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return max(0, kib) << 10
		}
	}
	return 0
}
