package schedule

import (
	"flag"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/workload"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "rewrite the files in testdata")

// golden compares text with a file of testdata, or rewrites the file.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs (-update rewrites it); got:\n%s", path, got)
	}
}

func ptr[T any](v T) *T { return &v }

func seconds64(s float64) workload.Duration { return workload.Duration(s * float64(time.Second)) }

// stageWith is a stage with a rate, bounded by time and count (0: none).
func stageWith(rate float64, arrival string, duration float64, requests int64) workload.Stage {
	return workload.Stage{Rate: ptr(workload.Rate(rate)), Arrival: arrival, Duration: seconds64(duration), Requests: requests}
}

func withEnd(s workload.Stage, endRate float64) workload.Stage {
	s.EndRate = ptr(workload.Rate(endRate))
	return s
}

func withShape(s workload.Stage, shape float64) workload.Stage {
	s.Arrival, s.Burstiness = "gamma", ptr(shape)
	return s
}

func funcStage(source string) workload.Stage { return workload.Stage{Func: &source} }

func compile(t interface{ Fatalf(string, ...any) }, seed int64, stages ...workload.Stage) *Plan {
	plan, err := Compile(&workload.Spec{Seed: seed, Load: workload.Load{Stages: stages}}, nil)
	if err != nil {
		t.Fatalf("compile: %v", err)
	}
	return plan
}

// anyStage draws a stage of any open-loop kind with at most some thousands of
// entries.
func anyStage() *rapid.Generator[workload.Stage] {
	return rapid.Custom(func(t *rapid.T) workload.Stage {
		rate := rapid.OneOf(rapid.Float64Range(0.001, 300), rapid.SampledFrom([]float64{0.1, 1, 3, 7.3, 60, 1000, 1e6, 1e9})).Draw(t, "rate")
		n := rapid.Int64Range(1, 3000).Draw(t, "requests")
		span := rapid.Float64Range(0.3, 2).Draw(t, "span")
		s := workload.Stage{Rate: ptr(workload.Rate(rate))}
		bound := rapid.SampledFrom([]string{"count", "time", "both"}).Draw(t, "bound")
		if bound != "time" {
			s.Requests = n
		}
		if bound != "count" {
			s.Duration = workload.Duration(max(math.Min(span*float64(n)/rate, 1e6)*1e9, 1))
		}
		switch rapid.SampledFrom([]string{"constant", "poisson", "gamma", "ramp", "random ramp", "inf", "func"}).Draw(t, "kind") {
		case "constant":
			s.Arrival = "constant"
		case "poisson":
			s.Arrival = "poisson"
		case "gamma":
			s = withShape(s, rapid.Float64Range(0.05, 30).Draw(t, "shape"))
		case "ramp":
			s = withEnd(s, rapid.Float64Range(0.001, 300).Draw(t, "end rate"))
			s.Arrival = "constant"
			s.Duration = seconds64(rapid.Float64Range(0.001, 20).Draw(t, "duration"))
			s.Requests = n
		case "random ramp":
			s = withShape(withEnd(s, rapid.Float64Range(0.001, 300).Draw(t, "end rate")), rapid.Float64Range(0.1, 5).Draw(t, "shape"))
			s.Duration = seconds64(rapid.Float64Range(0.001, 20).Draw(t, "duration"))
			s.Requests = n
		case "inf":
			s = workload.Stage{Rate: ptr(workload.Rate(math.Inf(1))), Requests: n}
		case "func":
			s = funcStage(rapid.SampledFrom([]string{
				"lambda t: int(t / 0.1 + 1) if t < 60 else None",
				"lambda t: t ** 2 if t <= 30 else None",
				"lambda t: 500 * math.sin(t / 10) if t < 40 else None",
				"lambda t: [3, 0, 70, 7, 71][t] if t < 5 else None",
			}).Draw(t, "func"))
			s.Spread = rapid.Bool().Draw(t, "spread")
			s.Requests = rapid.SampledFrom([]int64{0, 1, 500}).Draw(t, "most")
			s.Duration = seconds64(rapid.SampledFrom([]float64{0, 2.5, 30}).Draw(t, "for"))
		}
		return s
	})
}
