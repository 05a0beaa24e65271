package schedule

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/workload"
)

func TestCheckFindsFaultsOfFunctions(t *testing.T) {
	one := workload.Rate(1)
	for source, fault := range map[string]bool{
		"lambda t: int(t / 0.1 + 1) if t < 60 else None": false,
		"lambda t: t":       true,
		"lambda t: t * 1e9": true,
		"lambda t: 0 * t + 0 if t < 60 else None":  true,
		"lambda t: 1 / (t - 3) if t < 5 else None": true,
		"lambda t: None":       true,
		"lambda t: intt(t)":    true,
		"lambda t":             true,
		"__import__('os')":     true,
		"lambda t: 'x'":        true,
		"lambda t: 10**10**10": true,
	} {
		spec := &workload.Spec{Load: workload.Load{Stages: []workload.Stage{{Rate: &one, Duration: 1e9}, {Func: &source}}}}
		err := Check(spec, nil)
		var errs workload.Errors
		if (err != nil) != fault || fault && (!errors.As(err, &errs) || errs[0].Path != "load.stages[1].func" || errs[0].Message == "") {
			t.Errorf("%s: %v", source, err)
		}
	}
}

func TestCheckLeavesOpenWhatTakesLong(t *testing.T) {
	long := "lambda t: " + strings.Repeat("t - t + ", 20) + "t"
	many, random := workload.Rate(1e5), workload.Stage{Rate: new(workload.Rate), Duration: 1e9 * 3600}
	*random.Rate = many
	ramp := random
	ramp.EndRate = &many
	for name, stage := range map[string]workload.Stage{
		"function": {Func: &long}, "random": random, "ramp": ramp, "replay": {Replay: &workload.Replay{}},
	} {
		began := time.Now()
		if err := Check(&workload.Spec{Load: workload.Load{Stages: []workload.Stage{stage}}}, nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("%s: took %v", name, took)
		}
	}
	bad := random
	bad.Requests = -1
	err := Check(&workload.Spec{Load: workload.Load{Stages: []workload.Stage{random, bad, {Func: new(string)}}}}, nil)
	var errs workload.Errors
	if !errors.As(err, &errs) || len(errs) != 2 || errs[0].Path != "load.stages[1].requests" || errs[1].Path != "load.stages[2].func" {
		t.Errorf("got %v", err)
	}
	spec := &workload.Spec{}
	for range 1000 { // the bounds are on all together
		spec.Load.Stages = append(spec.Load.Stages, workload.Stage{Func: &long, Requests: 1e9}, workload.Stage{Rate: &many, Duration: 1e9})
	}
	began := time.Now()
	if err := Check(spec, nil); err != nil || time.Since(began) > 5*time.Second {
		t.Errorf("many stages: %v after %v", err, time.Since(began))
	}
}

func TestAScheduleWithoutARequestIsRefused(t *testing.T) {
	low, high := workload.Rate(1e-9), workload.Rate(10)
	nothing := workload.Stage{Rate: &low, Duration: 1e9}
	spec := &workload.Spec{Load: workload.Load{Stages: []workload.Stage{nothing, nothing}}}
	if err := Check(spec, nil); err == nil || !strings.HasPrefix(err.Error(), "load.stages: plan no request at all") {
		t.Errorf("got %v", err)
	}
	spec.Load.Stages = append(spec.Load.Stages, workload.Stage{Rate: &high, Duration: 1e9})
	if err := Check(spec, nil); err != nil {
		t.Errorf("a stage without a request beside one with some: %v", err)
	}
}

func BenchmarkCheckAtItsLimit(b *testing.B) {
	source := "lambda t: int(t / 0.1 + 1)"
	spec := &workload.Spec{Load: workload.Load{Stages: []workload.Stage{{Func: &source}}}}
	for b.Loop() {
		_ = Check(spec, nil)
	}
}
