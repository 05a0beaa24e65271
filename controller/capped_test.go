package controller

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/schedule"
)

// TestFewerPlacesThanAgents: of four agents those go without a shard that would have
// no place of two.
func TestFewerPlacesThanAgents(t *testing.T) {
	for spec, want := range map[string]int{
		`load: {stages: [{rate: 30, arrival: constant, duration: 2s, max_concurrency: 2}]}`:                                                 2,
		`load: {stages: [{rate: 30, duration: 2s, max_concurrency: 3}, {rate: 5, duration: 1s, max_concurrency: 1}]}` + "\nagents: 4":       1,
		`load: {stages: [{rate: 30, arrival: constant, duration: 2s, max_concurrency: 4}, {concurrency: 2, duration: 1s}]}` + "\nagents: 4": 4,
	} {
		inBubble(t, Config{}, func(r *rig) {
			for _, name := range []string{"a", "b", "c", "d"} {
				r.agent(name).join()
			}
			end := r.finished(r.run(endpoint + spec))
			wantState(t, end, stampedev1.State_STATE_SUCCEEDED)
			if len(end.GetAgents()) != want {
				t.Errorf("%s: agents %v, want %d", spec, end.GetAgents(), want)
			}
			told := strings.Contains(r.report(end.GetRunId()), "of 4 agents the run took")
			if told != (want < 4) {
				t.Errorf("%s: the report tells of agents that were left: %v", spec, told)
			}
		})
	}
}

// TestPlacesAreNeverMore: however often shards are split among heirs, the places that
// agents take of a cap (at least one each) are as many as there are.
func TestPlacesAreNeverMore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 40).Draw(t, "cap")
		r := &run{phases: []*phase{{Phase: &schedule.Phase{Kind: schedule.Open, MaxConcurrency: limit}}}}
		shards := schedule.Whole.Split(r.heirsOf(schedule.Whole, rapid.IntRange(1, 50).Draw(t, "agents")))
		for range rapid.IntRange(0, 4).Draw(t, "losses") {
			i := rapid.IntRange(0, len(shards)-1).Draw(t, "lost")
			parts := shards[i].Split(r.heirsOf(shards[i], rapid.IntRange(1, 9).Draw(t, "heirs")))
			shards = append(append(shards[:i:i], parts...), shards[i+1:]...)
		}
		places := int64(0)
		for _, s := range shards {
			places += max(1, s.Count(int64(limit)))
		}
		if places != int64(limit) {
			t.Fatalf("%d places of %d in %v", places, limit, shards)
		}
	})
}
