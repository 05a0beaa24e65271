package report

import (
	"testing"

	"github.com/stampede-bench/stampede/measure"
)

// TestGeneratorTellsWhatSamplesTell: chunks that shared a read, and detail that was
// shed by an agent that did not live to say so.
func TestGeneratorTellsWhatSamplesTell(t *testing.T) {
	g := build(t, steady()).Generator
	if g.CoalescedChunks != 8 || *g.DetailShed != 0 { // two in each of requests 53, 103, 153 and 203
		t.Errorf("%d chunks shared a read, want 8; %d samples without detail, want 0", g.CoalescedChunks, *g.DetailShed)
	}
	f := makeFixture(steady().in.Spec, func(i int, s *measure.Sample) {
		if i >= 100 && i < 107 {
			s.DetailShed, s.ChunkOffsets, s.ChunkTokens = true, nil, nil
		}
	})
	for i := range f.in.Agents {
		f.in.Agents[i].Audit = nil
	}
	r := build(t, f)
	if *r.Generator.DetailShed != 7 || r.Verdict.State != Degraded || r.Verdict.Reasons[0].Figure != "detail_shed" {
		t.Errorf("%d samples without detail, want 7: %+v", *r.Generator.DetailShed, r.Verdict)
	}
}

// TestOfferedIsOfTheStagesThatBegan: a run that is stopped in its first stage was
// offered that one's rate.
func TestOfferedIsOfTheStagesThatBegan(t *testing.T) {
	f := makeFixture(fixtureSpec("endpoint: {url: 'http://h/v1', model: m}\nload: {stages: [{rate: 10, duration: 20s}, {rate: 20, duration: 20s}]}"),
		func(i int, s *measure.Sample) {
			if i >= 200 {
				s.Status = measure.Unsent
			}
		})
	f.in.Phases[1].Begin, f.in.Phases[1].End, f.in.Phases[1].Beyond = 0, 0, 400
	set := measure.NewSet(measure.Config{Phases: []measure.PhaseInfo{{Name: "one"}, {Name: "two"}}, Streaming: true})
	for agent, samples := range f.samples {
		for i := range samples {
			set.Fold(agent, &samples[i])
		}
	}
	set.Window(0, f.in.Phases[0].Begin, f.in.Phases[0].End)
	f.in.Set, f.in.Intervals = set, nil
	got := build(t, f).Throughput
	if got.OfferedRate == nil || *got.OfferedRate != 10 || got.AchievedRate == nil || *got.AchievedRate != 10 {
		t.Errorf("offered %v, achieved %v, want 10/s", or(got.OfferedRate, -1), or(got.AchievedRate, -1))
	}
}
