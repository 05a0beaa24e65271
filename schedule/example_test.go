package schedule_test

import (
	"fmt"
	"time"

	"github.com/stampede-bench/stampede/schedule"
	"github.com/stampede-bench/stampede/workload"
)

// Two agents share a constant rate of 4 requests per second; together they send
// what one agent would.
func Example() {
	rate := workload.Rate(4)
	spec := &workload.Spec{Load: workload.Load{Stages: []workload.Stage{
		{Rate: &rate, Arrival: "constant", Duration: workload.Duration(2 * time.Second)},
	}}}
	plan, err := schedule.Compile(spec, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	phase := plan.Phases[0]
	fmt.Println(phase.Name, "has", phase.Sessions, "sessions")
	for i, shard := range schedule.Whole.Split(2) {
		for k, offset := range phase.Arrivals(shard, 0) {
			fmt.Printf("agent %d sends session %d at %v\n", i, k, time.Duration(offset))
		}
	}
	// Output:
	// rate 4 has 8 sessions
	// agent 0 sends session 0 at 0s
	// agent 0 sends session 2 at 500ms
	// agent 0 sends session 4 at 1s
	// agent 0 sends session 6 at 1.5s
	// agent 1 sends session 1 at 250ms
	// agent 1 sends session 3 at 750ms
	// agent 1 sends session 5 at 1.25s
	// agent 1 sends session 7 at 1.75s
}
