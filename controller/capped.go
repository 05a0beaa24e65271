package controller

import (
	"fmt"

	"github.com/stampede-bench/stampede/internal/plural"
	"github.com/stampede-bench/stampede/schedule"
)

// A cap on requests in flight is dealt to shards in whole places, and a shard
// without one could send nothing. So a run with a cap is never split into more shards
// than it has places.

// fewestPlaces is how many of n agents may share a run.
func (r *run) fewestPlaces(n int) int {
	for _, stage := range r.spec.Load.Stages {
		if stage.MaxConcurrency > 0 {
			n = min(n, stage.MaxConcurrency)
		}
	}
	return n
}

// noteUnused tells of agents that such a run did without.
func (r *run) noteUnused(n, took int) {
	if took < n {
		r.facts.notices = append(r.facts.notices, fmt.Sprintf("of %s the run took %d: a stage has no more requests in flight than that (max_concurrency)", plural.Of(n, "agent"), took))
	}
}

// heirsOf is how many of n agents may share what is left of a shard.
func (r *run) heirsOf(s schedule.Shard, n int) int {
	for _, p := range r.phases {
		if p.Kind == schedule.Open && p.MaxConcurrency > 0 {
			n = min(n, int(max(1, s.Count(int64(p.MaxConcurrency)))))
		}
	}
	return n
}
