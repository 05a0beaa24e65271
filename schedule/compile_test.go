package schedule

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stampede-bench/stampede/workload"
	"github.com/stampede-bench/stampede/workload/dataset"
)

func TestPhases(t *testing.T) {
	spec := &workload.Spec{Load: workload.Load{
		Warmup: workload.Warmup{Duration: seconds64(5)},
		Stages: []workload.Stage{
			withEnd(stageWith(60, "constant", 10, 0), 20),
			{Concurrency: ptr(4), Requests: 100, ThinkTime: seconds64(1), Drain: "full"},
			{Name: "capped", Rate: ptr(workload.Rate(10)), Arrival: "constant", Requests: 25, MaxConcurrency: 3},
			{Concurrency: ptr(8), Duration: seconds64(3)},
			{Concurrency: ptr(8), Duration: seconds64(3), Requests: 7},
			{Rate: ptr(workload.Rate(math.Inf(1))), Requests: 50, Drain: "full"},
			stageWith(0.5, "poisson", 10, 0),
		},
	}}
	plan, err := Compile(spec, nil)
	if err != nil {
		t.Fatal(err)
	}
	second := int64(time.Second)
	want := []Phase{
		{Name: "warmup", Warmup: true, Stage: -1, Sessions: 300, Duration: 5 * second, Predictable: true, Judged: true, Rate: 60},
		{Name: "rate 60 to 20", Stage: 0, Sessions: 400, Duration: 10 * second, Nominal: 5 * second, Predictable: true, Judged: true, Rate: 40},
		{Name: "concurrency 4", Stage: 1, Kind: Closed, Sessions: 100, Nominal: 15 * second, DrainFull: true, Slots: 4, ThinkTime: second},
		{Name: "capped", Stage: 2, Sessions: 25, Duration: 2500 * second / 1000, Nominal: 15 * second, Predictable: true, MaxConcurrency: 3, Rate: 10},
		{Name: "concurrency 8", Stage: 3, Kind: Closed, Sessions: Unbounded, Duration: 3 * second, Nominal: 17500 * second / 1000, Slots: 8},
		{Name: "concurrency 8", Stage: 4, Kind: Closed, Sessions: 7, Duration: 3 * second, Nominal: 20500 * second / 1000, Slots: 8},
		{Name: "rate inf", Stage: 5, Sessions: 50, Nominal: 23500 * second / 1000, DrainFull: true, Rate: math.Inf(1)},
		{Name: "rate 0.5", Stage: 6, Sessions: plan.Phases[7].Sessions, Duration: 10 * second, Nominal: 23500 * second / 1000, Predictable: true, Judged: true, Rate: 0.5},
	}
	for i, p := range plan.Phases {
		got := *p
		got.times = nil
		want[i].Index = i
		if i < 4 { // behind that nobody knows which sessions they are
			want[i].Entries = want[i].Sessions
		}
		if got != want[i] {
			t.Errorf("phase %d:\n got %+v\nwant %+v", i, got, want[i])
		}
	}
	if plan.Sessions() != Unbounded {
		t.Errorf("the plan has %d sessions, want Unbounded", plan.Sessions())
	}
	if got := plan.Duration(); got != 33500*second/1000 {
		t.Errorf("the plan lasts %d", got)
	}
}

func TestBoundsOfOpenLoops(t *testing.T) {
	for _, c := range []struct {
		stage    workload.Stage
		sessions int64
		duration time.Duration
	}{
		{stageWith(60, "constant", 10, 0), 600, 10 * time.Second},
		{stageWith(60, "constant", 10, 600), 600, 10 * time.Second},
		{stageWith(60, "constant", 10, 599), 599, 9983333334},
		{stageWith(60, "constant", 10, 601), 600, 10 * time.Second},
		{stageWith(60, "constant", 0, 6), 6, 100 * time.Millisecond},
		{stageWith(0.1, "constant", 60, 0), 6, time.Minute},
		{stageWith(0.1, "constant", 60.000000001, 0), 7, time.Minute + 1},
		{stageWith(1.1, "constant", 10, 0), 11, 10 * time.Second},
		{stageWith(1e9, "constant", 0.000001, 0), 1000, time.Microsecond},
		{stageWith(1e-9, "constant", 10, 0), 1, 10 * time.Second},
		{withEnd(stageWith(10, "constant", 60, 0), 50), 1800, time.Minute},
		{withEnd(stageWith(10, "constant", 60, 1800), 50), 1800, time.Minute},
		{withEnd(stageWith(10, "constant", 60, 1), 50), 1, 99668871},
		{withEnd(stageWith(0, "constant", 10, 0), 1), 5, 10 * time.Second},
		{withEnd(stageWith(1, "constant", 10, 0), 0), 5, 10 * time.Second},
		{withEnd(stageWith(7, "constant", 10, 0), 7), 70, 10 * time.Second},
	} {
		p := compile(t, 0, c.stage).Phases[0]
		if p.Sessions != c.sessions || p.Duration != int64(c.duration) {
			t.Errorf("%s for %v or %d: %d sessions in %v, want %d in %v", p.Name, c.stage.Duration.D(), c.stage.Requests,
				p.Sessions, time.Duration(p.Duration), c.sessions, c.duration)
		}
	}
}

func TestRandomGapsHaveTheirMomentsAndSeeds(t *testing.T) {
	const n = 40000
	for _, shape := range []float64{0.1, 0.5, 1, 3, 20} {
		p := compile(t, 7, withShape(stageWith(100, "", 0, n), shape)).Phases[0]
		var sum, squares float64
		last := int64(0)
		for _, offset := range p.Arrivals(Whole, 0) {
			gap := float64(offset-last) / nanosPerSecond
			sum, squares, last = sum+gap, squares+gap*gap, offset
		}
		mean := sum / n
		variation := math.Sqrt(squares/n-mean*mean) / mean
		if math.Abs(mean*100-1) > 4/math.Sqrt(n*shape) {
			t.Errorf("shape %v: mean gap %v s, want 0.01", shape, mean)
		}
		if want := 1 / math.Sqrt(shape); math.Abs(variation/want-1) > 0.1 {
			t.Errorf("shape %v: coefficient of variation %v, want %v", shape, variation, want)
		}
	}
	a := compile(t, 1, stageWith(100, "poisson", 10, 0), stageWith(100, "poisson", 10, 0))
	b := compile(t, 2, stageWith(100, "poisson", 10, 0))
	if a.Phases[0].Offset(3) == a.Phases[1].Offset(3) || a.Phases[0].Offset(3) == b.Phases[0].Offset(3) {
		t.Error("stages or seeds share their draws")
	}
	gamma := compile(t, 1, withShape(stageWith(100, "", 10, 0), 1))
	if a.Phases[0].Offset(3) != gamma.Phases[0].Offset(3) {
		t.Error("gamma of shape 1 is not Poisson")
	}
}

func TestCompileErrorsNameTheirKeys(t *testing.T) {
	year := workload.Stage{Rate: ptr(workload.Rate(1)), Duration: seconds64(400 * 86400)}
	for _, c := range []struct {
		stage workload.Stage
		want  string
	}{
		{workload.Stage{}, "load.stages[0]: must have exactly one of rate, concurrency, func and replay"},
		{workload.Stage{Replay: &workload.Replay{}}, "load.stages[0].replay: needs recorded arrivals, which the dataset does not have"},
		{stageWith(-3, "", 1, 0), "load.stages[0].rate: must be from 1e-09 to 1e+09, or inf, got -3"},
		{stageWith(math.NaN(), "", 1, 0), "load.stages[0].rate: must be from 1e-09 to 1e+09, or inf, got NaN"},
		{stageWith(10, "", 0, 0), "load.stages[0]: needs a duration or requests, or it never ends"},
		{stageWith(10, "uniform", 1, 0), `load.stages[0].arrival: must be constant, poisson or gamma, got "uniform"`},
		{withShape(stageWith(10, "", 1, 0), 0), "load.stages[0].burstiness: must be from 0.001 to 1000000, got 0"},
		{stageWith(math.Inf(1), "", 1, 0), "load.stages[0].requests: must be given with a rate of inf"},
		{withEnd(stageWith(math.Inf(1), "", 1, 5), 5), "load.stages[0].end_rate: can't be reached from a rate of inf"},
		{withEnd(stageWith(1, "", 0, 5), 5), "load.stages[0].duration: must be given with end_rate"},
		{withEnd(stageWith(-1, "", 1, 0), 5), "load.stages[0].rate: must be from 1e-09 to 1e+09, or 0, got -1"},
		{withEnd(stageWith(1, "", 1, 0), -5), "load.stages[0].end_rate: must be from 1e-09 to 1e+09, or 0, got -5"},
		{withEnd(stageWith(0, "", 1, 0), 0), "load.stages[0].end_rate: must be greater than 0 when rate is 0"},
		{stageWith(1e9, "constant", 10, 0), "load.stages[0]: asks for 10000000000 requests, at most 1000000000 are allowed"},
		{stageWith(1e9, "poisson", 10, 0), "load.stages[0]: asks for about 1e+10 requests, at most 1000000000 are allowed"},
		{withEnd(stageWith(1e9, "", 10, 0), 1e9), "load.stages[0]: asks for about 10000000000 requests, at most 1000000000 are allowed"},
		{stageWith(0.001, "constant", 0, 1e6), "load.stages[0].requests: would take longer than 366 days"},
		{stageWith(1e-9, "poisson", 0, 10), "load.stages[0]: would take longer than 366 days or more than 1000000000 requests"},
		{stageWith(1, "", 1, -1), "load.stages[0].requests: must be from 0 to 1000000000, got -1"},
		{year, "load.stages[0].duration: must be from 0 to 366 days, got 9600h0m0s"},
		{workload.Stage{Concurrency: ptr(0), Requests: 1}, "load.stages[0].concurrency: must be from 1 to 1000000, got 0"},
		{workload.Stage{Concurrency: ptr(1)}, "load.stages[0]: needs a duration or requests, or it never ends"},
		{workload.Stage{Concurrency: ptr(1), Requests: 1, ThinkTime: -1}, "load.stages[0].think_time: must be from 0 to 366 days, got -1ns"},
		{workload.Stage{Rate: ptr(workload.Rate(1)), Requests: 1, MaxConcurrency: -1}, "load.stages[0].max_concurrency: must be at least 0, got -1"},
	} {
		_, err := Compile(&workload.Spec{Load: workload.Load{Stages: []workload.Stage{c.stage}}}, nil)
		var list workload.Errors
		if !errors.As(err, &list) || err.Error() != c.want {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
	_, err := Compile(&workload.Spec{}, nil)
	if err == nil || err.Error() != "load.stages: must have at least one stage" {
		t.Errorf("no stages: %v", err)
	}
	_, err = Compile(&workload.Spec{Load: workload.Load{
		Warmup: workload.Warmup{Requests: 1},
		Stages: []workload.Stage{funcStage("lambda t: t if t < 5 else None")},
	}}, nil)
	if want := "load.warmup: needs a first stage with a rate or a concurrency to take its load from"; err == nil || err.Error() != want {
		t.Errorf("warmup before func: got %v, want %s", err, want)
	}
}

func TestLongPlansAreRefused(t *testing.T) {
	stages := make([]workload.Stage, 200)
	for i := range stages {
		stages[i] = workload.Stage{Concurrency: ptr(1), Duration: seconds64(366 * 86400)}
	}
	_, err := Compile(&workload.Spec{Load: workload.Load{Stages: stages}}, nil)
	if err == nil || err.Error() != "load.stages: must take less than 100 years in all" {
		t.Errorf("got %v", err)
	}
}

func BenchmarkArrivals(b *testing.B) {
	for _, c := range []struct {
		name  string
		stage workload.Stage
	}{
		{"constant", stageWith(1000, "constant", 0, 1e6)},
		{"poisson", stageWith(1000, "poisson", 0, 1e6)},
		{"gamma", withShape(stageWith(1000, "", 0, 1e6), 0.5)},
		{"ramp", withEnd(stageWith(1000, "constant", 1000, 0), 2000)},
		{"func", workload.Stage{Func: ptr("lambda t: 1000 * t"), Requests: 1e6, Spread: true}},
	} {
		p := compile(b, 1, c.stage).Phases[0]
		for _, stride := range []int64{1, 8} {
			b.Run(fmt.Sprintf("%s/shards=%d", c.name, stride), func(b *testing.B) {
				b.ReportAllocs()
				n := 0
				for n < b.N {
					for range p.Arrivals(Shard{0, stride}, 0) {
						if n++; n >= b.N {
							break
						}
					}
				}
			})
		}
	}
}

func BenchmarkCompilePoisson(b *testing.B) {
	for b.Loop() {
		compile(b, 1, stageWith(1000, "poisson", 0, 1e5))
	}
}

// A plan that nobody waits for any more is left undone, wherever its time goes:
// into arrivals that are drawn, also on a ramp, or turns that are.
func TestCompileEndsWithItsContext(t *testing.T) {
	chats := &workload.Spec{Dataset: workload.Dataset{Name: "synthetic", Chat: &workload.Chat{Turns: "uniform:1:9"}}}
	for name, tc := range map[string]struct {
		stage  workload.Stage
		corpus dataset.Corpus
	}{
		"poisson":        {workload.Stage{Rate: ptr(workload.Rate(1e6)), Requests: maxSessions}, nil},
		"gamma":          {workload.Stage{Rate: ptr(workload.Rate(1e6)), Burstiness: ptr(0.5), Requests: maxSessions}, nil},
		"ramp":           {workload.Stage{Rate: ptr(workload.Rate(1e6)), EndRate: ptr(workload.Rate(2e6)), Duration: seconds64(600)}, nil},
		"turns":          {workload.Stage{Concurrency: ptr(8), Requests: maxSessions}, open(t, chats, dataset.Options{})},
		"turns, by time": {workload.Stage{Rate: ptr(workload.Rate(1e6)), Arrival: "constant", Duration: seconds64(1000)}, open(t, chats, dataset.Options{})},
		"turns, a rate":  {workload.Stage{Rate: ptr(workload.Rate(1000)), Arrival: "constant", Requests: maxSessions}, open(t, chats, dataset.Options{})},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			began := time.Now()
			plan, err := CompileContext(ctx, &workload.Spec{Load: workload.Load{Stages: []workload.Stage{tc.stage}}}, tc.corpus)
			if !errors.Is(err, context.DeadlineExceeded) || plan != nil {
				t.Errorf("got %v, %v", plan, err)
			}
			if took := time.Since(began); took > 5*time.Second { // to the end it is half a minute and more
				t.Errorf("it took %v", took)
			}
		})
	}
}
