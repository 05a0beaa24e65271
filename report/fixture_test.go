package report

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/ledger"
	"github.com/stampede-bench/stampede/measure"
	"github.com/stampede-bench/stampede/workload"
)

// fixture is a run that was made up: its samples by agent, and what Build needs.
type fixture struct {
	in      Input
	samples map[string][]measure.Sample
}

const ms = int64(time.Millisecond)

// steady is an open-loop run of 200 requests at 10/s after a warmup of 10, by two
// agents, in which all went well.
func steady() *fixture {
	return makeFixture(fixtureSpec(`
name: chat, steady
labels: {gpu: H100}
endpoint: {type: vllm, url: "http://10.0.0.42:8000/v1", model: mistralai/Mistral-7B-Instruct-v0.1}
load:
  warmup: {requests: 10}
  stages: [{rate: 10, arrival: constant, duration: 20s}]
slo: {ttft: 300ms, tpot: 12ms}
`), nil)
}

func fixtureSpec(text string) *workload.Spec {
	spec, _, err := workload.Parse([]byte(text))
	if err != nil {
		panic(err)
	}
	spec, _ = spec.WithDefaults()
	return spec
}

// makeFixture plays a run of constant or closed-loop stages of 20 s each; edit
// may change samples before they are folded.
func makeFixture(spec *workload.Spec, edit func(i int, s *measure.Sample)) *fixture {
	rng := rand.New(rand.NewPCG(1, 2))
	f := &fixture{samples: map[string][]measure.Sample{}}
	set := measure.Config{SLO: objectives(spec.SLO), TimeTolerance: 100 * ms, Streaming: spec.Streaming()}
	l := ledger.New()
	var base, index int64
	phase := func(name string, warmup, closed bool, n int64, gap int64) {
		p := int32(len(f.in.Phases))
		set.Phases = append(set.Phases, measure.PhaseInfo{Name: name, Warmup: warmup, Closed: closed, Judged: !closed})
		must(l.Plan(p, index, index+n))
		for i := range n {
			s := makeSample(rng, index+i, p, base+i*gap, closed)
			if edit != nil {
				edit(int(index+i), &s)
			}
			agent := fmt.Sprintf("agent-%d", (index+i)%2+1)
			if s.Status != measure.Lost {
				f.samples[agent] = append(f.samples[agent], s)
			}
			l.Settle(s.Index, s.Status)
		}
		index += n
		end := base + n*gap
		f.in.Phases = append(f.in.Phases, Phase{Name: name, Warmup: warmup, Closed: closed, Judged: !closed, Begin: base, End: end})
		base = end
	}
	if n := spec.Load.Warmup.Requests; n > 0 {
		phase("warmup", true, false, n, 100*ms)
	}
	for i := range spec.Load.Stages {
		s := &spec.Load.Stages[i]
		if s.Rate != nil {
			phase(fmt.Sprintf("rate %g", float64(*s.Rate)), false, false, int64(20*float64(*s.Rate)), int64(1e9/float64(*s.Rate)))
		} else {
			phase(fmt.Sprintf("concurrency %d", *s.Concurrency), false, true, int64(20*(*s.Concurrency)), 1000*ms/int64(*s.Concurrency))
		}
	}
	f.finish(spec, set, l)
	return f
}

func (f *fixture) finish(spec *workload.Spec, cfg measure.Config, l *ledger.Ledger) {
	set := measure.NewSet(cfg)
	for i := range f.in.Phases {
		p := &f.in.Phases[i]
		p.Accounting = l.Phase(int32(i))
		set.Window(int32(i), p.Begin, p.End)
	}
	for _, agent := range slices.Sorted(maps.Keys(f.samples)) { // sums depend on the order in their last digits
		for i := range f.samples[agent] {
			set.Fold(agent, &f.samples[agent][i])
		}
	}
	f.in.Intervals = f.intervals(set, spec)
	anchor := time.Date(2026, 11, 23, 18, 0, 0, 123456789, time.UTC)
	bound, offset := int64(45_000), int64(1_200_000)
	f.in.RunID, f.in.TestID, f.in.State, f.in.Spec = "9f2c6a1e-7b0d-4c55-9d3e-1f2a3b4c5d6e.1", "9f2c6a1e-7b0d-4c55-9d3e-1f2a3b4c5d6e", "SUCCEEDED", spec
	f.in.WorkloadHash, f.in.Version, f.in.Set = "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8", "v0.1.0", set
	f.in.Anchor, f.in.Ended = anchor, anchor.Add(23*time.Second)
	f.in.Server = Server{Engine: "vllm", Version: "0.12.0"}
	for i := range 2 {
		f.in.Agents = append(f.in.Agents, Agent{
			Name: fmt.Sprintf("agent-%d", i+1), ID: fmt.Sprintf("id-%d", i+1), Host: "host", Version: "v0.1.0", Platform: "linux/amd64", CPUs: 8,
			ClockOffset: &offset, ClockBound: &bound,
			Audit: &Audit{CPUSeconds: 3.5, CPUMax: 0.34, GCPauseMax: 180_000, GCCount: 7, SchedulerP99: 40_000, Connections: 12, MemoryMax: 64 << 20},
		})
	}
}

// intervals are those of each stage, and of the run when it has one stage.
func (f *fixture) intervals(set *measure.Set, spec *workload.Spec) *measure.Intervals {
	var spans []measure.Span
	first := int64(0)
	for i := range f.in.Phases {
		p := &f.in.Phases[i]
		if !p.Warmup {
			spans = append(spans, measure.Span{Scope: measure.Scope(i), First: first, End: first + p.Accounting.Planned})
		}
		first += p.Accounting.Planned
	}
	if len(spec.Load.Stages) == 1 {
		spans = append(spans, measure.Span{Scope: measure.Measured, First: spans[0].First, End: first})
	}
	intervals := set.Intervals(spans)
	for _, samples := range f.samples {
		for i := range samples {
			intervals.Fold(&samples[i])
		}
	}
	return intervals
}

// makeSample is a request of 20 tokens, 10 ms apart, behind a TTFT of 200 ms.
func makeSample(rng *rand.Rand, index int64, phase int32, intended int64, closed bool) measure.Sample {
	s := measure.Sample{
		Index: index, Session: index, Phase: phase, Attempt: 1, Status: measure.Succeeded,
		ScheduleOffset: intended, Intended: intended, Sent: intended + 40_000 + rng.Int64N(300_000),
		TokenSource: measure.SourceUsage, InputTokens: 250 + rng.Int32N(20), OutputTokens: 20, ReasoningTokens: -1, CachedTokens: 0,
		OutputTokensAsked: 20, FinishReason: "length", KernelStamped: true, ReadDelayMax: rng.Int64N(400_000), Reused: true, HTTPStatus: 200,
	}
	if closed {
		s.ScheduleOffset = measure.Absent
	}
	at := 180*ms + rng.Int64N(60*ms)
	s.Headers = s.Sent + at - 2*ms
	for range 19 {
		s.ChunkOffsets = append(s.ChunkOffsets, at)
		s.ChunkTokens = append(s.ChunkTokens, 1)
		at += 9*ms + rng.Int64N(2*ms)
	}
	s.ChunkTokens[7] = 2
	if index%50 == 3 {
		s.StampUncertainty, s.CoalescedChunks = 60_000, 2
	}
	s.FirstToken, s.FirstOutput, s.LastToken = s.Sent+s.ChunkOffsets[0], s.Sent+s.ChunkOffsets[0], s.Sent+s.ChunkOffsets[18]
	s.End = s.LastToken + ms
	return s
}

// breakIt makes a request fail before it had an answer.
func breakIt(s *measure.Sample, status measure.Status, kind, message string, http int32) {
	end := s.Sent + 50*ms
	*s = measure.Sample{
		Index: s.Index, Session: s.Session, Phase: s.Phase, Attempt: 1, Status: status,
		ScheduleOffset: s.ScheduleOffset, Intended: s.Intended, Sent: s.Sent,
		Headers: measure.Absent, FirstToken: measure.Absent, FirstOutput: measure.Absent, LastToken: measure.Absent, End: end,
		InputTokens: -1, OutputTokens: -1, ReasoningTokens: -1, CachedTokens: -1, OutputTokensAsked: 20,
		ErrorKind: kind, ErrorMessage: message, HTTPStatus: http,
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func build(t testing.TB, f *fixture) *Report {
	t.Helper()
	r, err := Build(f.in)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
