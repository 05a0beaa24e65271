package agent

import (
	"math"
	"runtime"
	"runtime/metrics"
	"time"

	"github.com/stampede-bench/stampede/internal/clock"
	"github.com/stampede-bench/stampede/internal/procs"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/target"
)

// usage is what the process had used at some moment.
type usage struct {
	cpu        float64 // seconds
	wait       float64 // seconds for which threads had no processor
	pauses     *metrics.Float64Histogram
	latencies  *metrics.Float64Histogram
	gcCycles   uint64
	clockSteps int64
}

const (
	metricPauses    = "/sched/pauses/total/gc:seconds"
	metricLatencies = "/sched/latencies:seconds"
	metricCycles    = "/gc/cycles/total:gc-cycles"
)

// usage reads what the process has used so far.
func (a *Agent) usage() usage {
	samples := []metrics.Sample{{Name: metricPauses}, {Name: metricLatencies}, {Name: metricCycles}}
	metrics.Read(samples)
	u := usage{cpu: cpuSeconds(), wait: cpuWait(), clockSteps: a.clock.stepCount()}
	if samples[0].Value.Kind() == metrics.KindFloat64Histogram {
		u.pauses = samples[0].Value.Float64Histogram()
	}
	if samples[1].Value.Kind() == metrics.KindFloat64Histogram {
		u.latencies = samples[1].Value.Float64Histogram()
	}
	if samples[2].Value.Kind() == metrics.KindUint64 {
		u.gcCycles = samples[2].Value.Uint64()
	}
	return u
}

// selfAudit is the generator's account of itself since the shard was prepared.
func (s *shard) selfAudit() *stampedev1.SelfAudit {
	now := s.run.agent.usage()
	audit := &stampedev1.SelfAudit{
		DetailShedCount: s.shed.Load(), ColdConnectionCount: s.cold.Load(), MemoryMaxBytes: memoryMax(),
		CheckedUsageTokenCount: s.recount.usage.Load(), CheckedTokenizerTokenCount: s.recount.counted.Load(),
	}
	if s.prepared() == nil {
		return audit
	}
	audit.CpuSeconds = now.cpu - s.baseline.cpu
	audit.CpuWaitSeconds = max(0, now.wait-s.baseline.wait)
	audit.CpuUtilizationMax = s.run.cpuMax.load()
	audit.ClockStepCount = now.clockSteps - s.baseline.clockSteps
	audit.GcCount = int64(now.gcCycles - s.baseline.gcCycles)
	audit.GcPauseMaxNanos = nanos(quantile(now.pauses, s.baseline.pauses, 1))
	audit.SchedulerLatencyP99Nanos = nanos(quantile(now.latencies, s.baseline.latencies, 0.99))
	if c, ok := s.run.doer.(interface{ Stats() target.Stats }); ok {
		stats := c.Stats()
		audit.ConnectionCount, audit.StaleConnectionCount = stats.Opened, stats.Stale
		audit.ClockStepCount = max(audit.ClockStepCount, stats.ClockSteps)
	}
	return audit
}

// quantile of what a histogram of the runtime has grown by: the upper bound of
// the bucket it falls into, 0 without growth.
func quantile(now, before *metrics.Float64Histogram, q float64) float64 {
	if now == nil {
		return 0
	}
	grown := func(i int) uint64 {
		if before == nil || len(before.Counts) != len(now.Counts) {
			return now.Counts[i]
		}
		return now.Counts[i] - before.Counts[i]
	}
	total := uint64(0)
	for i := range now.Counts {
		total += grown(i)
	}
	rank := uint64(math.Ceil(q * float64(total)))
	seen := uint64(0)
	for i := range now.Counts {
		if seen += grown(i); seen >= rank && rank > 0 {
			if upper := now.Buckets[i+1]; !math.IsInf(upper, 0) {
				return upper
			}
			return now.Buckets[i]
		}
	}
	return 0
}

func nanos(seconds float64) int64 { return int64(seconds * float64(time.Second)) }

// cpuMeter turns CPU seconds into a share of what the process may use. One
// goroutine owns it.
type cpuMeter struct {
	quota   float64 // CPUs
	lastAt  int64
	lastCPU float64
	share   float64 // of the last whole interval
}

// minCPUInterval is the shortest stretch whose share of the CPU means something;
// heartbeats that ask for permits come in quicker succession.
const minCPUInterval = 0.5 // s

func newCPUMeter() cpuMeter {
	return cpuMeter{quota: cpuQuota(), lastAt: clock.Now(), lastCPU: cpuSeconds()}
}

// read returns CPU seconds used so far and the share of the quota used lately, 0
// to 1.
func (m *cpuMeter) read() (seconds, share float64) {
	at, cpu := clock.Now(), cpuSeconds()
	if elapsed := float64(at-m.lastAt) / float64(time.Second); elapsed >= minCPUInterval {
		m.share = min(max((cpu-m.lastCPU)/(elapsed*m.quota), 0), 1)
		m.lastAt, m.lastCPU = at, cpu
	}
	return cpu, m.share
}

// cpuQuota is how many CPUs the process may use: by its cgroup, or as many as it
// runs on.
func cpuQuota() float64 {
	cores := float64(procs.Cores())
	if quota := cgroupQuota(); quota > 0 && quota < float64(runtime.NumCPU()) {
		return quota
	}
	return min(cores, float64(runtime.NumCPU()))
}
