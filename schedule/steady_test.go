package schedule

import (
	"testing"

	"github.com/stampede-bench/stampede/workload"
)

func TestSteady(t *testing.T) {
	for _, tt := range []struct {
		stage string
		want  bool
	}{
		{"{rate: 10, arrival: constant, duration: 60s}", true},
		{"{rate: 10, arrival: gamma, burstiness: 0.3, duration: 60s}", true},
		{"{rate: 10, end_rate: 10, arrival: constant, duration: 60s}", true},
		{"{rate: 10, end_rate: 50, arrival: constant, duration: 60s}", false},
		{"{rate: inf, requests: 100}", false},
		{"{concurrency: 8, duration: 60s}", true},
		{"{func: 'lambda t: int(t / 0.1 + 1) if t < 60 else None'}", true},
		{"{func: 'lambda t: int(t / 3) if t < 60 else None'}", true},
		{"{func: 'lambda t: 20 * t if t < 10 else None', spread: true}", true},
		{"{func: 'lambda t: t * t if t < 60 else None'}", false},
		{"{func: 'lambda t: 10 * t + 30 * math.sin(t / 3) if t < 60 else None'}", false},
		{"{func: 'lambda t: 10 if t < 60 else None'}", true}, // all at the begin, then nothing
		{"{func: 'lambda t: 10 * t if t < 3 else None'}", false},
	} {
		spec, _, err := workload.Parse([]byte(`{endpoint: {url: "http://h/v1"}, load: {stages: [` + tt.stage + `]}}`))
		if err != nil {
			t.Fatalf("%s: %v", tt.stage, err)
		}
		spec, _ = spec.WithDefaults()
		plan, err := Compile(spec, nil)
		if err != nil {
			t.Fatalf("%s: %v", tt.stage, err)
		}
		if got := plan.Phases[0].Steady(&spec.Load.Stages[0]); got != tt.want {
			t.Errorf("%s: steady %v, want %v", tt.stage, got, tt.want)
		}
	}
}
