package doctor

import (
	"math"
	"strconv"
	"strings"
)

// parsePorts reads "32768\t60999".
func parsePorts(text string) *PortRange {
	fields := strings.Fields(text)
	if len(fields) != 2 {
		return nil
	}
	low, err1 := strconv.Atoi(fields[0])
	high, err2 := strconv.Atoi(fields[1])
	if err1 != nil || err2 != nil || low < 0 || high < low || high > 65535 {
		return nil
	}
	return &PortRange{Low: low, High: high}
}

func parseInt(text string) *int {
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil {
		return nil
	}
	return &n
}

// parseLoad reads the first figure of "0.42 0.33 0.30 1/234 5678".
func parseLoad(text string) *float64 {
	first, _, _ := strings.Cut(text, " ")
	v, err := strconv.ParseFloat(first, 64)
	if err != nil || v < 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

// parseMemAvailable finds MemAvailable in /proc/meminfo.
func parseMemAvailable(text string) *int64 {
	for line := range strings.Lines(text) {
		rest, found := strings.CutPrefix(line, "MemAvailable:")
		if !found {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
		if err != nil || n < 0 || n > math.MaxInt64>>10 {
			return nil
		}
		n <<= 10
		return &n
	}
	return nil
}

// cgroups are the paths of the process in version 2, and in version 1 by
// controller; empty where there is none.
type cgroups struct{ unified, cpu, memory string }

// parseCgroup reads /proc/self/cgroup.
func parseCgroup(text string) cgroups {
	var g cgroups
	for line := range strings.Lines(text) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		if parts[0] == "0" && parts[1] == "" {
			g.unified = parts[2]
			continue
		}
		for name := range strings.SplitSeq(parts[1], ",") {
			switch name {
			case "cpu":
				g.cpu = parts[2]
			case "memory":
				g.memory = parts[2]
			}
		}
	}
	return g
}

// parseCPUMax reads "200000 100000" as 2 CPUs; "max 100000" and "-1 100000" are no
// limit.
func parseCPUMax(text string) *float64 {
	fields := strings.Fields(text)
	if len(fields) != 2 {
		return nil
	}
	quota, err1 := strconv.ParseFloat(fields[0], 64)
	period, err2 := strconv.ParseFloat(fields[1], 64)
	if err1 != nil || err2 != nil || !(quota > 0) || !(period > 0) || math.IsInf(quota, 0) {
		return nil
	}
	v := quota / period
	return &v
}

// parseThrottled is the share of throttled periods in a cpu.stat.
func parseThrottled(text string) *float64 {
	var periods, throttled float64
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		v, err := strconv.ParseFloat(value, 64)
		if err != nil {
			continue
		}
		switch name {
		case "nr_periods":
			periods = v
		case "nr_throttled":
			throttled = v
		}
	}
	if !(periods > 0) || !(throttled >= 0) {
		return nil
	}
	v := throttled / periods
	return &v
}

// freeMemory is what a cgroup has left; limits beyond any memory are none.
func freeMemory(limit, used string) *int64 {
	l, err1 := strconv.ParseInt(limit, 10, 64)
	u, err2 := strconv.ParseInt(used, 10, 64)
	if err1 != nil || err2 != nil || l <= 0 || l >= 1<<60 {
		return nil
	}
	free := max(l-u, 0)
	return &free
}
