package main

import (
	"errors"
	"strconv"
	"strings"

	"github.com/stampede-bench/stampede/workload"
)

// loadFlagNames are the flags any of which replaces all of the file's stages.
var loadFlagNames = []string{"rate", "arrival", "burstiness", "max-concurrency", "concurrency", "func", "trace", "duration", "requests", "concurrency-of", "time-scale", "trace-offset", "trace-loop"}

// load replaces the file's stages when any load flag was given.
func (s *specFlags) load(spec *workload.Spec) error {
	if s.warmup != "" {
		w, err := workload.ParseWarmup(s.warmup)
		if err != nil {
			return flagError("warmup", err)
		}
		spec.Load.Warmup = w
	}
	given := false
	for _, name := range loadFlagNames {
		given = given || s.given(name)
	}
	if !given {
		return nil
	}
	stages, err := s.stages()
	if err != nil {
		return err
	}
	spec.Load.Stages = stages
	return nil
}

func (s *specFlags) stages() ([]workload.Stage, error) {
	kinds := 0
	for _, name := range []string{"rate", "concurrency", "func", "trace"} {
		if !s.given(name) {
			continue
		}
		kinds++
		if strings.TrimSpace(s.flags.Lookup(name).Value.String()) == "" {
			return nil, flagError(name, errors.New("must not be empty")) // a variable of a script that is not set
		}
	}
	for _, name := range []string{"time-scale", "trace-offset", "trace-loop"} {
		if s.given(name) && s.trace == "" {
			return nil, usageError(errors.New("--"+name+" needs --trace"), "")
		}
	}
	if kinds > 1 {
		return nil, usageError(errors.New("--rate, --concurrency, --func and --trace each say what the load is; give one"), "to bound requests in flight under a rate, use --max-concurrency")
	}
	switch {
	case s.rate != "":
		return s.rateStages()
	case s.concurrency != "":
		return s.concurrencyStages(s.concurrency)
	case s.function != "":
		return []workload.Stage{s.bounded(workload.Stage{Func: &s.function})}, nil
	case s.trace != "":
		return []workload.Stage{s.bounded(s.replay())}, nil
	}
	if s.maxConcurrency > 0 {
		// vLLM's habit: its rate is inf unless given, so the cap alone is the load.
		most := strconv.Itoa(s.maxConcurrency)
		s.notices = append(s.notices, "no rate given: --max-concurrency "+most+" is taken as a closed loop, --concurrency "+most)
		s.maxConcurrency = 0
		return s.concurrencyStages(most)
	}
	return s.concurrencyStages(strconv.Itoa(workload.DefaultConcurrency))
}

func (s *specFlags) rateStages() ([]workload.Stage, error) {
	rates, err := workload.ParseRateList(s.rate)
	if err != nil {
		return nil, flagError("rate", err)
	}
	var stages []workload.Stage
	for _, r := range rates {
		stages = append(stages, s.bounded(workload.Stage{Rate: &r}))
	}
	return drained(stages), nil
}

func (s *specFlags) concurrencyStages(list string) ([]workload.Stage, error) {
	counts, err := workload.ParseConcurrencyList(list)
	if err != nil {
		return nil, flagError("concurrency", err)
	}
	var stages []workload.Stage
	for _, n := range counts {
		stages = append(stages, s.bounded(workload.Stage{Concurrency: &n, ConcurrencyOf: s.concurrencyOf}))
	}
	return drained(stages), nil
}

// bounded gives a stage what the other load flags say; Validate refuses what does
// not go with its load.
func (s *specFlags) bounded(stage workload.Stage) workload.Stage {
	stage.Duration = workload.Duration(s.duration)
	stage.Requests = s.requests
	stage.Arrival, stage.MaxConcurrency = s.arrival, s.maxConcurrency
	if s.given("burstiness") {
		stage.Burstiness = &s.burstiness
	}
	return stage
}

// drained makes each of several stages wait for the one before, so that a list
// compares its entries.
func drained(stages []workload.Stage) []workload.Stage {
	if len(stages) > 1 {
		for i := range stages {
			stages[i].Drain = "full"
		}
	}
	return stages
}
