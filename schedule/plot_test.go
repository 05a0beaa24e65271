package schedule

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/stampede-bench/stampede/workload"
)

func TestPlots(t *testing.T) {
	var out strings.Builder
	for _, c := range []struct {
		title  string
		warmup workload.Warmup
		stages []workload.Stage
	}{
		{"constant with warmup, then a ramp", workload.Warmup{Duration: seconds64(5)}, []workload.Stage{stageWith(20, "constant", 20, 0), withEnd(stageWith(10, "constant", 60, 0), 50)}},
		{"poisson", workload.Warmup{}, []workload.Stage{stageWith(50, "poisson", 60, 0)}},
		{"the seed's function", workload.Warmup{}, []workload.Stage{funcStage("lambda t: int(t / 0.1 + 1) if t < 60 else None")}},
		{"three rates and all at once", workload.Warmup{}, []workload.Stage{
			stageWith(1, "constant", 30, 0), stageWith(5, "constant", 30, 0), stageWith(10, "constant", 30, 0),
			{Rate: ptr(workload.Rate(math.Inf(1))), Requests: 100},
		}},
		{"closed loops", workload.Warmup{Requests: 8}, []workload.Stage{
			{Concurrency: ptr(8), Duration: seconds64(30), Drain: "full"}, {Concurrency: ptr(16), Requests: 100},
			{Rate: ptr(workload.Rate(10)), Duration: seconds64(10), MaxConcurrency: 4},
		}},
		{"nothing with a time", workload.Warmup{}, []workload.Stage{{Concurrency: ptr(2), Requests: 10}}},
	} {
		plan, err := Compile(&workload.Spec{Load: workload.Load{Warmup: c.warmup, Stages: c.stages}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		out.WriteString("# " + c.title + "\n")
		if err := Plot(&out, plan, 64, 8); err != nil {
			t.Fatal(err)
		}
		out.WriteString("\n")
	}
	golden(t, "plots.txt", out.String())
}

func TestPlotOfAnySizeFits(t *testing.T) {
	plan := compile(t, 0, stageWith(20, "constant", 20, 0), workload.Stage{Concurrency: ptr(1), Requests: 1}, stageWith(0.01, "poisson", 1, 0))
	for width := -1; width < 130; width += 13 {
		for height := -1; height < 30; height += 7 {
			var out strings.Builder
			if err := Plot(&out, plan, width, height); err != nil {
				t.Fatal(err)
			}
			for _, line := range strings.Split(out.String(), "\n") {
				if strings.Contains(line, "|") && len(line) > max(width, 10)+12 {
					t.Errorf("%dx%d: line of %d: %s", width, height, len(line), line)
				}
			}
		}
	}
}

type brokenWriter struct{}

var errBroken = errors.New("broken")

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

func TestPlotReturnsTheWritersError(t *testing.T) {
	if err := Plot(brokenWriter{}, &Plan{}, 10, 10); !errors.Is(err, errBroken) {
		t.Errorf("got %v", err)
	}
}
