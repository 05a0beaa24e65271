package doctor

import (
	"strings"
	"testing"
	"testing/fstest"
	"time"
)

func ptr[T any](v T) *T { return &v }

// healthy is a host where nothing is to be said.
func healthy() Facts {
	return Facts{
		OS: "linux", CPUs: 8, Procs: 8, Files: ptr(uint64(1 << 20)),
		Clock:       Clock{Known: true, Synchronized: true, MaxError: 3 * time.Millisecond, Resolution: 40},
		Stamps:      Stamps{Supported: true, Delay: 9 * time.Microsecond},
		Wakes:       []time.Duration{50 * time.Microsecond, 60 * time.Microsecond, 90 * time.Microsecond},
		ClockSource: "tsc", Ports: &PortRange{1024, 65535}, TWReuse: ptr(1), Governors: []string{"performance"},
		Load: ptr(0.4), Memory: ptr(int64(16 << 30)),
	}
}

func TestAHealthyHost(t *testing.T) {
	for _, f := range Judge(healthy()) {
		if f.Level != OK || f.Fix != "" {
			t.Errorf("%s is %s: %s (%s)", f.Check, f.Level, f.Message, f.Fix)
		}
	}
	if n := len(Judge(healthy())); n != 11 {
		t.Errorf("%d findings, want 11", n)
	}
}

func TestJudge(t *testing.T) {
	wakes := func(d ...time.Duration) func(*Facts) { return func(f *Facts) { f.Wakes = d } }
	ms := time.Millisecond
	for _, tt := range []struct {
		name    string
		change  func(*Facts)
		check   string
		level   Level
		message string
		fix     string // a part of it; "-": none
	}{
		{"no NTP", func(f *Facts) { f.Clock.Synchronized = false }, "wall clock", Warn, "not synchronised", "set-ntp true"},
		{"a step back", func(f *Facts) { f.Clock.Step = -30 * ms }, "wall clock", Warn, "moved by 30 ms", "chrony"},
		{"a small slew", func(f *Facts) { f.Clock.Step = 20 * time.Microsecond }, "wall clock", OK, "±3 ms", "-"},
		{"not told", func(f *Facts) { f.Clock.Known = false }, "wall clock", OK, "not known here", "-"},
		{"a slow source", func(f *Facts) { f.ClockSource = "acpi_pm" }, "monotonic clock", Warn, "acpi_pm is slow to read", "current_clocksource"},
		{"a coarse clock", func(f *Facts) { f.Clock.Resolution = ms; f.ClockSource = "" }, "monotonic clock", Warn, "steps of 1 ms", "-"},
		{"a good clock", func(*Facts) {}, "monotonic clock", OK, "40 ns or less, from tsc", "-"},
		{"late", wakes(ms/10, ms/5, 4*ms), "timers", Warn, "4 ms (p99)", "taskset"},
		{"too late", wakes(ms, 2*ms, 40*ms), "timers", Fail, "would be invalid, their limit is 10 ms", "taskset"},
		{"one outlier in many", wakes(append(make([]time.Duration, 200), 40*ms)...), "timers", OK, "40 ms at worst", "-"},
		{"never woke", wakes(), "timers", Warn, "no deadline", "-"},
		{"no Linux", func(f *Facts) { f.Stamps.Supported = false }, "kernel stamps", Warn, "Linux only", "run agents on Linux"},
		{"refused", func(f *Facts) { f.Stamps.Problem = "operation not permitted" }, "kernel stamps", Warn, "(operation not permitted)", "SO_TIMESTAMPING"},
		{"late stamps", func(f *Facts) { f.Stamps.Delay = 5 * ms }, "kernel stamps", Warn, "5 ms after the write", "-"},
		{"256 files", func(f *Facts) { f.Files = ptr(uint64(255)) }, "open files", Fail, "255: not enough", "ulimit -n 65536"},
		{"1024 files", func(f *Facts) { f.Files = ptr(uint64(1024)) }, "open files", Warn, "1,024: enough for 824 connections", "ulimit -n 65536"},
		{"20,000 files", func(f *Facts) { f.Files = ptr(uint64(20000)) }, "open files", OK, "10,000 connections at once, not for 50,000", "ulimit -n 65536"},
		{"no bound", func(f *Facts) { f.Files = ptr(^uint64(0)) }, "open files", OK, "without bound", "-"},
		{"not limited", func(f *Facts) { f.Files = nil }, "open files", OK, "no limit is known", "-"},
		{"the usual ports", func(f *Facts) { f.Ports = &PortRange{32768, 60999} }, "local ports", OK, "28,232 from 32768 to 60999: enough for 10,000", `ip_local_port_range="1024 65535"`},
		{"few ports", func(f *Facts) { f.Ports = &PortRange{50000, 50999} }, "local ports", Warn, "1,000 from", "sysctl -w"},
		{"all ports", func(*Facts) {}, "local ports", OK, "64,512 from 1024 to 65535: enough for 50,000", "-"},
		{"no reuse", func(f *Facts) { f.TWReuse = ptr(0) }, "time-wait ports", Warn, "tcp_tw_reuse is 0", "sysctl -w net.ipv4.tcp_tw_reuse=1"},
		{"reuse on loopback", func(f *Facts) { f.TWReuse = ptr(2) }, "time-wait ports", OK, "on loopback only", "-"},
		{"one CPU", func(f *Facts) { f.CPUs, f.Procs = 1, 1 }, "cpu", Warn, "1 CPU: sending and receiving take turns", "2 CPUs"},
		{"GOMAXPROCS", func(f *Facts) { f.Procs = 1 }, "cpu", Warn, "8 CPUs, GOMAXPROCS is 1", "2 CPUs"},
		{"a tiny quota", func(f *Facts) { f.Quota = ptr(0.2) }, "cpu", Fail, "a quota of 0.2: it stands still", "--cpus"},
		{"a small quota", func(f *Facts) { f.Quota = ptr(1.5) }, "cpu", Warn, "a quota of 1.5: the process may", "--cpus"},
		{"a quota that runs out", func(f *Facts) { f.Quota, f.Throttled = ptr(4.0), ptr(0.25) }, "cpu", Warn, "in 25 % of the periods", "--cpus"},
		{"a fair quota", func(f *Facts) { f.Quota = ptr(4.0) }, "cpu", OK, "a quota of 4", "-"},
		{"a quota above the CPUs", func(f *Facts) { f.Quota = ptr(64.0) }, "cpu", OK, "no quota below", "-"},
		{"powersave", func(f *Facts) { f.Governors = []string{"performance", "powersave"} }, "cpu governor", Warn, "performance, powersave", "cpupower frequency-set -g performance"},
		{"no governor", func(f *Facts) { f.Governors = nil }, "cpu governor", OK, "not visible", "-"},
		{"busy", func(f *Facts) { f.Load = ptr(5.0) }, "load", Warn, "5.00 over the last minute, on 8", "top"},
		{"busy within a quota", func(f *Facts) { f.Load, f.Quota = ptr(1.5), ptr(2.0) }, "load", Warn, "on 2 usable CPUs", "top"},
		{"little memory", func(f *Facts) { f.Memory = ptr(int64(400 << 20)) }, "memory", Warn, "400 MiB available: enough for small", "limit"},
		{"no memory", func(f *Facts) { f.Memory = ptr(int64(0)) }, "memory", Fail, "0 MiB available: less than", "limit"},
	} {
		f := healthy()
		tt.change(&f)
		found := false
		for _, x := range Judge(f) {
			if x.Check != tt.check {
				continue
			}
			found = true
			if x.Level != tt.level || !strings.Contains(x.Message, tt.message) {
				t.Errorf("%s: got %s: %s, want %s: … %s …", tt.name, x.Level, x.Message, tt.level, tt.message)
			}
			if tt.fix == "-" && x.Fix != "" || tt.fix != "-" && !strings.Contains(x.Fix, tt.fix) {
				t.Errorf("%s: the fix is %q, want %q in it", tt.name, x.Fix, tt.fix)
			}
			if strings.Contains(x.Message, "\n") || x.Level != OK && tt.fix != "-" && x.Fix == "" {
				t.Errorf("%s: %+v", tt.name, x)
			}
		}
		if !found {
			t.Errorf("%s: no finding about %s", tt.name, tt.check)
		}
	}
}

// What a system does not tell is left out, and nothing fails for it.
func TestJudgeWithoutFacts(t *testing.T) {
	for _, f := range Judge(Facts{OS: "plan9", CPUs: 4, Procs: 4}) {
		if f.Level == Fail {
			t.Errorf("%+v", f)
		}
	}
}

func files(pairs ...string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		fsys[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return fsys
}

func TestReadFiles(t *testing.T) {
	for _, tt := range []struct {
		name  string
		files fstest.MapFS
		check func(f Facts) bool
	}{
		{"nothing", files(), func(f Facts) bool {
			return f.Ports == nil && f.TWReuse == nil && f.Quota == nil && f.Load == nil && f.Memory == nil && f.Governors == nil && f.ClockSource == ""
		}},
		{"ports and load", files("proc/sys/net/ipv4/ip_local_port_range", "32768\t60999\n", "proc/sys/net/ipv4/tcp_tw_reuse", "2\n", "proc/loadavg", "0.42 0.33 0.30 1/234 5678\n",
			"sys/devices/system/clocksource/clocksource0/current_clocksource", "kvm-clock\n"), func(f Facts) bool {
			return *f.Ports == PortRange{32768, 60999} && f.Ports.Count() == 28232 && *f.TWReuse == 2 && *f.Load == 0.42 && f.ClockSource == "kvm-clock"
		}},
		{"memory", files("proc/meminfo", "MemTotal:       16384 kB\nMemFree:  1 kB\nMemAvailable:    8192 kB\n"), func(f Facts) bool { return *f.Memory == 8<<20 }},
		{"governors", files("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave\n", "sys/devices/system/cpu/cpu1/cpufreq/scaling_governor", "powersave\n",
			"sys/devices/system/cpu/cpu10/cpufreq/scaling_governor", "performance\n"), func(f Facts) bool { return strings.Join(f.Governors, " ") == "powersave performance" }},
		{"cgroup v2, the limit is above", files("proc/self/cgroup", "0::/a/b\n", "sys/fs/cgroup/a/b/cpu.max", "max 100000\n", "sys/fs/cgroup/a/cpu.max", "150000 100000\n",
			"sys/fs/cgroup/a/cpu.stat", "usage_usec 5\nnr_periods 200\nnr_throttled 50\n"), func(f Facts) bool { return *f.Quota == 1.5 && *f.Throttled == 0.25 }},
		{"cgroup v2 in a container", files("proc/self/cgroup", "0::/\n", "sys/fs/cgroup/cpu.max", "200000 100000\n", "proc/meminfo", "MemAvailable: 8388608 kB\n",
			"sys/fs/cgroup/memory.max", "1073741824\n", "sys/fs/cgroup/memory.current", "73741824\n"), func(f Facts) bool { return *f.Quota == 2 && *f.Memory == 1000000000 }},
		{"cgroup v2 without a memory limit", files("proc/self/cgroup", "0::/\n", "proc/meminfo", "MemAvailable: 1024 kB\n", "sys/fs/cgroup/memory.max", "max\n", "sys/fs/cgroup/memory.current", "5\n"),
			func(f Facts) bool { return *f.Memory == 1<<20 && f.Quota == nil }},
		{"cgroup v1", files("proc/self/cgroup", "12:memory:/x\n4:cpu,cpuacct:/docker/1f\n1:name=systemd:/\n", "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n", "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n",
			"sys/fs/cgroup/cpu,cpuacct/docker/1f/cpu.cfs_quota_us", "50000\n", "sys/fs/cgroup/cpu,cpuacct/docker/1f/cpu.cfs_period_us", "100000\n",
			"sys/fs/cgroup/memory/x/memory.limit_in_bytes", "9223372036854771712\n", "sys/fs/cgroup/memory/x/memory.usage_in_bytes", "5\n"), func(f Facts) bool { return *f.Quota == 0.5 && f.Memory == nil }},
		{"nonsense", files("proc/sys/net/ipv4/ip_local_port_range", "a lot", "proc/sys/net/ipv4/tcp_tw_reuse", "?", "proc/loadavg", "NaN", "proc/meminfo", "MemAvailable: -5 kB", "proc/self/cgroup", "0\n::\n0::../..\n", "sys/fs/cgroup/cpu.max", "0 0"),
			func(f Facts) bool {
				return f.Ports == nil && f.TWReuse == nil && f.Load == nil && f.Memory == nil && f.Quota == nil
			}},
	} {
		var f Facts
		f.readFiles(tt.files)
		if !tt.check(f) {
			t.Errorf("%s: got %+v", tt.name, f)
		}
	}
}

func FuzzParsers(f *testing.F) {
	for _, s := range []string{"32768\t60999", "0::/a\n4:cpu:/b\n", "nr_periods 5\nnr_throttled 2\n", "MemAvailable: 5 kB", "max 100000", "0.1 0.2 0.3 1/2 3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if r := parsePorts(s); r != nil && (r.Count() < 1 || r.Count() > 65536) {
			t.Errorf("%d ports", r.Count())
		}
		if v := parseCPUMax(s); v != nil && !(*v > 0) {
			t.Errorf("a quota of %v", *v)
		}
		if v := parseThrottled(s); v != nil && !(*v >= 0) {
			t.Errorf("throttled %v", *v)
		}
		if v := parseMemAvailable(s); v != nil && *v < 0 {
			t.Errorf("%d bytes", *v)
		}
		if v := freeMemory(s, s); v != nil && *v < 0 {
			t.Errorf("%d bytes", *v)
		}
		parseLoad(s)
		parseInt(s)
		g := parseCgroup(s)
		for dir := range upward("sys/fs/cgroup", g.unified) {
			if !strings.HasPrefix(dir, "sys/fs/cgroup") {
				t.Errorf("%q leaves the mount", dir)
			}
		}
	})
}
