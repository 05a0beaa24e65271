package doctor

import (
	"io/fs"
	"path"
	"strings"
	"time"

	"github.com/stampede-bench/stampede/internal/clock"
)

// Facts is all that a host is judged by. A nil pointer is a fact that could not
// be had.
type Facts struct {
	OS          string
	CPUs, Procs int
	Files       *uint64 // most open files
	Clock       Clock
	Stamps      Stamps
	// Wakes are how late a thread woke after its deadlines, ascending.
	Wakes []time.Duration

	ClockSource string
	Ports       *PortRange
	TWReuse     *int // net.ipv4.tcp_tw_reuse
	Quota       *float64
	Throttled   *float64 // share of periods in which the quota ran out
	Governors   []string // in use, each once
	Load        *float64 // of the last minute
	// Memory that is available, in bytes, of the host or of the cgroup.
	Memory *int64
}

// Clock is what is known of the clocks.
type Clock struct {
	Known        bool // whether the kernel told
	Synchronized bool
	// MaxError is the kernel's bound on the wall clock's error.
	MaxError time.Duration
	// Resolution is the smallest step of the monotonic clock that was seen.
	Resolution time.Duration
	// Step is how far the wall clock moved against the monotonic one while it was
	// watched.
	Step time.Duration
}

// Stamps is what came of asking the kernel for receive stamps.
type Stamps struct {
	Supported bool          // by this program on this system
	Problem   string        // why there were none; empty: they came
	Delay     time.Duration // from the write to the stamp, median
}

// PortRange are the local ports of outgoing connections, both ends included.
type PortRange struct{ Low, High int }

// Count is how many there are.
func (r PortRange) Count() int { return r.High - r.Low + 1 }

// readFiles reads what Linux tells in files.
func (f *Facts) readFiles(root fs.FS) {
	read := func(name string) (string, bool) {
		data, err := fs.ReadFile(root, name)
		return strings.TrimSpace(string(data)), err == nil
	}
	f.ClockSource, _ = read("sys/devices/system/clocksource/clocksource0/current_clocksource")
	if text, ok := read("proc/sys/net/ipv4/ip_local_port_range"); ok {
		f.Ports = parsePorts(text)
	}
	if text, ok := read("proc/sys/net/ipv4/tcp_tw_reuse"); ok {
		f.TWReuse = parseInt(text)
	}
	if text, ok := read("proc/loadavg"); ok {
		f.Load = parseLoad(text)
	}
	f.Governors = governors(root)
	if text, ok := read("proc/meminfo"); ok {
		f.Memory = parseMemAvailable(text)
	}
	if text, ok := read("proc/self/cgroup"); ok {
		f.readCgroup(parseCgroup(text), read)
	}
}

// readCgroup takes the tightest limits of the process's cgroups and of those
// above them.
func (f *Facts) readCgroup(g cgroups, read func(string) (string, bool)) {
	for dir := range upward("sys/fs/cgroup", g.unified) {
		if text, ok := read(path.Join(dir, "cpu.max")); ok {
			f.Quota = least(f.Quota, parseCPUMax(text))
		}
		if text, ok := read(path.Join(dir, "cpu.stat")); ok {
			f.Throttled = most(f.Throttled, parseThrottled(text))
		}
		limit, limited := read(path.Join(dir, "memory.max"))
		used, known := read(path.Join(dir, "memory.current"))
		if limited && known {
			f.Memory = least(f.Memory, freeMemory(limit, used))
		}
	}
	for dir := range upward("sys/fs/cgroup/cpu,cpuacct", g.cpu) {
		quota, ok := read(path.Join(dir, "cpu.cfs_quota_us"))
		period, known := read(path.Join(dir, "cpu.cfs_period_us"))
		if ok && known {
			f.Quota = least(f.Quota, parseCPUMax(quota+" "+period))
		}
		if text, ok := read(path.Join(dir, "cpu.stat")); ok {
			f.Throttled = most(f.Throttled, parseThrottled(text))
		}
	}
	for dir := range upward("sys/fs/cgroup/memory", g.memory) {
		limit, limited := read(path.Join(dir, "memory.limit_in_bytes"))
		used, known := read(path.Join(dir, "memory.usage_in_bytes"))
		if limited && known {
			f.Memory = least(f.Memory, freeMemory(limit, used))
		}
	}
}

// upward yields the folder of a cgroup and those above it, up to the mount.
func upward(mount, group string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		if group == "" {
			return
		}
		for p := path.Clean("/" + group); ; p = path.Dir(p) {
			if !yield(path.Join(mount, p)) || p == "/" {
				return
			}
		}
	}
}

func least[T int64 | float64](a, b *T) *T {
	if a == nil || b != nil && *b < *a {
		return b
	}
	return a
}

func most[T int64 | float64](a, b *T) *T {
	if a == nil || b != nil && *b > *a {
		return b
	}
	return a
}

// governors of the CPUs, each once, in the order in which they are met.
func governors(root fs.FS) []string {
	files, err := fs.Glob(root, "sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor")
	if err != nil {
		return nil
	}
	seen := map[string]bool{}
	var all []string
	for _, file := range files {
		data, err := fs.ReadFile(root, file)
		if name := strings.TrimSpace(string(data)); err == nil && name != "" && !seen[name] {
			seen[name] = true
			all = append(all, name)
		}
	}
	return all
}

// resolution is the smallest step of the monotonic clock in many readings.
func resolution() time.Duration {
	smallest := int64(time.Second)
	last := clock.Now()
	for range 20_000 {
		now := clock.Now()
		if now > last {
			smallest = min(smallest, now-last)
		}
		last = now
	}
	return time.Duration(smallest)
}
