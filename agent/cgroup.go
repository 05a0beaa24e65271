package agent

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// cgroupQuota is the tightest cpu.max of the process's cgroup (version 2) and
// those above it, in CPUs; 0 when there is none.
func cgroupQuota() float64 {
	data, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(data)) {
		if path, ok := strings.CutPrefix(strings.TrimSpace(line), "0::"); ok {
			return tightestQuota(path, func(p string) (string, error) {
				data, err := os.ReadFile(filepath.Join("/sys/fs/cgroup", p, "cpu.max"))
				return string(data), err
			})
		}
	}
	return 0
}

// tightestQuota looks at a cgroup and those above it.
func tightestQuota(path string, read func(string) (string, error)) (least float64) {
	for p := filepath.Clean("/" + path); ; p = filepath.Dir(p) {
		if text, err := read(p); err == nil {
			if q := parseQuota(text); q > 0 && (least == 0 || q < least) {
				least = q
			}
		}
		if p == "/" {
			return least
		}
	}
}

// parseQuota reads "200000 100000" as 2 CPUs and "max 100000" as no limit, 0.
func parseQuota(text string) float64 {
	fields := strings.Fields(text)
	if len(fields) != 2 {
		return 0
	}
	quota, err1 := strconv.ParseFloat(fields[0], 64)
	period, err2 := strconv.ParseFloat(fields[1], 64)
	if err1 != nil || err2 != nil || quota <= 0 || period <= 0 {
		return 0
	}
	return quota / period
}
