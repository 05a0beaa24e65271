package doctor

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// What a load generator needs.
const (
	manyConnections = 10_000
	mostConnections = 50_000
	spareFiles      = 200 // beside connections

	fewestFiles    = 256
	clockTick      = time.Microsecond
	clockMoved     = time.Millisecond
	lateGood       = time.Millisecond
	lateLimit      = 10 * time.Millisecond // default of limits.lateness_p99
	stampDelayGood = time.Millisecond
	busyShare      = 0.5 // of the CPUs
	throttledShare = 0.01
	littleMemory   = 512 << 20
	leastMemory    = 128 << 20
)

// Judge turns facts into findings, always in the same order.
func Judge(f Facts) []Finding {
	all := []Finding{f.wallClock(), f.monotonicClock(), f.timers(), f.stamps(), f.files()}
	all = append(all, f.ports()...)
	all = append(all, f.cpu(), f.governor(), f.load(), f.memory())
	return slices.DeleteFunc(all, func(x Finding) bool { return x.Check == "" })
}

func finding(check string, level Level, fix, format string, args ...any) Finding {
	return Finding{Check: check, Level: level, Message: fmt.Sprintf(format, args...), Fix: fix}
}

func (f *Facts) wallClock() Finding {
	const check = "wall clock"
	if moved := f.Clock.Step.Abs(); moved > clockMoved {
		return finding(check, Warn, "let chrony slew instead of step: remove makestep from chrony.conf, or wait until it has settled",
			"CLOCK_REALTIME moved by %s while it was watched; stamps then fall back to the process's time", short(moved))
	}
	switch {
	case !f.Clock.Known:
		return finding(check, OK, "", "steady while it was watched; whether it is synchronised is not known here")
	case !f.Clock.Synchronized:
		return finding(check, Warn, "systemctl enable --now chronyd, or timedatectl set-ntp true",
			"not synchronised by NTP: latencies don't depend on it, but curves of several hosts may be shifted")
	}
	return finding(check, OK, "", "steady while it was watched, and synchronised, to ±%s by the kernel's bound", short(f.Clock.MaxError))
}

// goodSources are clock sources that are read without a system call, or nearly so.
var goodSources = []string{"tsc", "kvm-clock", "arch_sys_counter", "hyperv_clocksource_tsc_page", "timebase", "tod"}

func (f *Facts) monotonicClock() Finding {
	const check = "monotonic clock"
	from := ""
	if f.ClockSource != "" {
		from = ", from " + f.ClockSource
		if !slices.Contains(goodSources, f.ClockSource) {
			return finding(check, Warn, "echo tsc > /sys/devices/system/clocksource/clocksource0/current_clocksource, if available_clocksource beside it lists tsc",
				"the clock source %s is slow to read; each request reads it several times", f.ClockSource)
		}
	}
	if f.Clock.Resolution > clockTick {
		return finding(check, Warn, "", "it ticks in steps of %s%s; latencies are no finer than that", short(f.Clock.Resolution), from)
	}
	return finding(check, OK, "", "ticks in steps of %s or less%s", short(f.Clock.Resolution), from)
}

func (f *Facts) timers() Finding {
	const check = "timers"
	if len(f.Wakes) == 0 {
		return finding(check, Warn, "", "no deadline was kept while they were watched")
	}
	p50, p99, worst := quantile(f.Wakes, 0.5), quantile(f.Wakes, 0.99), f.Wakes[len(f.Wakes)-1]
	text := fmt.Sprintf("a thread wakes %s after its deadline (p50), %s (p99), %s at worst", short(p50), short(p99), short(worst))
	const quieter = "stop other programs on this host, give it CPUs of its own (taskset -c 2-5 stampede …), or raise its CPU quota"
	switch {
	case p99 > lateLimit:
		return finding(check, Fail, quieter, "%s: open-loop runs would be invalid, their limit is %s", text, short(lateLimit))
	case p99 > lateGood:
		return finding(check, Warn, quieter, "%s", text)
	}
	return finding(check, OK, "", "%s", text)
}

// quantile by nearest rank of ascending values.
func quantile(v []time.Duration, q float64) time.Duration {
	return v[max(int(math.Ceil(q*float64(len(v))))-1, 0)]
}

func (f *Facts) stamps() Finding {
	const check = "kernel stamps"
	switch {
	case !f.Stamps.Supported:
		return finding(check, Warn, "run agents on Linux", "receive stamps of the kernel are had on Linux only; here the process's time is used, and rows say so")
	case f.Stamps.Problem != "":
		return finding(check, Warn, "allow setsockopt(SO_TIMESTAMPING): some sandboxes (gVisor) and seccomp profiles don't",
			"the kernel gives no receive stamps (%s); the process's time is used, and rows say so", f.Stamps.Problem)
	case f.Stamps.Delay > stampDelayGood:
		return finding(check, Warn, "", "they come, but %s after the write on loopback (median)", short(f.Stamps.Delay))
	}
	return finding(check, OK, "", "SO_TIMESTAMPING works: stamped %s after the write on loopback (median)", short(f.Stamps.Delay))
}

func (f *Facts) files() Finding {
	const check = "open files"
	if f.Files == nil {
		return finding(check, OK, "", "no limit is known here")
	}
	n := *f.Files
	const raise = "ulimit -n 65536 (root may raise the hard limit: ulimit -Hn 65536; systemd: LimitNOFILE=65536; docker run --ulimit nofile=65536:65536)"
	text := grouped(n)
	switch {
	case n < fewestFiles:
		return finding(check, Fail, raise, "at most %s: not enough for a run", text)
	case n < manyConnections+spareFiles:
		return finding(check, Warn, raise, "at most %s: enough for %s connections at once", text, grouped(n-spareFiles))
	case n < mostConnections+spareFiles:
		return finding(check, OK, raise, "at most %s: enough for 10,000 connections at once, not for 50,000", text)
	}
	if n > 1<<40 {
		text = "a number without bound"
	}
	return finding(check, OK, "", "at most %s: enough for 50,000 connections at once", text)
}

func (f *Facts) ports() []Finding {
	var all []Finding
	if r := f.Ports; r != nil {
		const check, widen = "local ports", `sysctl -w net.ipv4.ip_local_port_range="1024 65535"`
		text := fmt.Sprintf("%s from %d to %d", grouped(uint64(r.Count())), r.Low, r.High)
		switch n := r.Count(); {
		case n < manyConnections+spareFiles:
			all = append(all, finding(check, Warn, widen, "%s: fewer than 10,000 connections to one address", text))
		case n < mostConnections:
			all = append(all, finding(check, OK, widen, "%s: enough for 10,000 connections to one address, not for 50,000", text))
		default:
			all = append(all, finding(check, OK, "", "%s: enough for 50,000 connections to one address", text))
		}
	}
	if f.TWReuse != nil {
		const check = "time-wait ports"
		switch *f.TWReuse {
		case 0:
			all = append(all, finding(check, Warn, "sysctl -w net.ipv4.tcp_tw_reuse=1",
				"tcp_tw_reuse is 0: a server that closes each connection uses up the local ports for a minute each"))
		case 2:
			all = append(all, finding(check, OK, "", "tcp_tw_reuse is 2, on loopback only: enough unless the server closes each connection (then: sysctl -w net.ipv4.tcp_tw_reuse=1)"))
		default:
			all = append(all, finding(check, OK, "", "tcp_tw_reuse is %d", *f.TWReuse))
		}
	}
	return all
}

// usable is how many CPUs the process may use.
func (f *Facts) usable() float64 {
	n := float64(max(min(f.CPUs, f.Procs), 1))
	if f.Quota != nil {
		n = min(n, *f.Quota)
	}
	return n
}

func (f *Facts) cpu() Finding {
	const check, raise = "cpu", "raise the quota (docker run --cpus 4; Kubernetes: resources.limits.cpu), or give none"
	has := fmt.Sprintf("%s CPUs", grouped(uint64(f.CPUs)))
	if f.CPUs == 1 {
		has = "1 CPU"
	}
	if f.Procs < f.CPUs {
		has += fmt.Sprintf(", GOMAXPROCS is %d", f.Procs)
	}
	if q := f.Quota; q != nil && *q < float64(f.CPUs) {
		has += fmt.Sprintf(", a quota of %.3g", *q)
		switch {
		case *q < 0.5:
			return finding(check, Fail, raise, "%s: it stands still for most of each 100 ms, requests would leave late", has)
		case f.Throttled != nil && *f.Throttled > throttledShare:
			return finding(check, Warn, raise, "%s, which ran out in %.3g %% of the periods so far: everything stands still then", has, 100**f.Throttled)
		case *q < 2:
			return finding(check, Warn, raise, "%s: the process may stand still when it is used up", has)
		}
		return finding(check, OK, "", "%s", has)
	}
	if f.usable() < 2 {
		return finding(check, Warn, "give it 2 CPUs or more", "%s: sending and receiving take turns", has)
	}
	return finding(check, OK, "", "%s, no quota below that", has)
}

func (f *Facts) governor() Finding {
	const check = "cpu governor"
	if f.OS != "linux" {
		return Finding{}
	}
	switch {
	case len(f.Governors) == 0:
		return finding(check, OK, "", "not visible here, as in most virtual machines")
	case slices.Equal(f.Governors, []string{"performance"}):
		return finding(check, OK, "", "performance")
	}
	return finding(check, Warn, "cpupower frequency-set -g performance",
		"%s: a CPU that slows down between requests is slow when one is due", strings.Join(f.Governors, ", "))
}

func (f *Facts) load() Finding {
	const check = "load"
	if f.Load == nil {
		return Finding{}
	}
	text := fmt.Sprintf("%.2f over the last minute, on %.3g usable CPUs", *f.Load, f.usable())
	if *f.Load > busyShare*f.usable() {
		return finding(check, Warn, "see top; stop what else runs here, or load the endpoint from another host", "%s: other programs take part of them", text)
	}
	return finding(check, OK, "", "%s", text)
}

func (f *Facts) memory() Finding {
	const check = "memory"
	if f.Memory == nil {
		return Finding{}
	}
	text := fmt.Sprintf("%s MiB available", grouped(uint64(*f.Memory>>20)))
	const more = "stop what else runs here, or raise the container's limit"
	switch {
	case *f.Memory < leastMemory:
		return finding(check, Fail, more, "%s: less than a run needs", text)
	case *f.Memory < littleMemory:
		return finding(check, Warn, more, "%s: enough for small runs", text)
	}
	return finding(check, OK, "", "%s", text)
}

// short shows a duration with three digits.
func short(d time.Duration) string {
	switch a := d.Abs(); {
	case a < time.Microsecond:
		return fmt.Sprintf("%d ns", d)
	case a < time.Millisecond:
		return fmt.Sprintf("%.3g µs", float64(d)/1e3)
	case a < time.Second:
		return fmt.Sprintf("%.3g ms", float64(d)/1e6)
	}
	return fmt.Sprintf("%.3g s", d.Seconds())
}

// grouped shows a count with commas between thousands.
func grouped(n uint64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
