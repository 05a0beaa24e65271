package controller

import (
	"testing"

	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
)

const openSpec = `
endpoint: {url: "http://127.0.0.1:1/v1", model: m}
load: {stages: [{rate: 20, arrival: constant, duration: 5s}]}
`

func TestOpenLoopOnOneAgent(t *testing.T) {
	inBubble(t, Config{}, func(r *rig) {
		f := r.agent("one").join()
		end := r.finished(r.run(openSpec))
		if end.GetState() != stampedev1.State_STATE_SUCCEEDED {
			t.Fatalf("ended %v: %s", end.GetState(), end.GetReason())
		}
		if p := end.GetProgress(); p.GetPlannedCount() != 100 || p.GetSucceededCount() != 100 {
			t.Errorf("progress %v", p)
		}
		if rows := r.samples(end.GetRunId()); len(rows) != 100 {
			t.Errorf("%d rows, want 100", len(rows))
		}
		if len(f.served) != 100 {
			t.Errorf("%d served", len(f.served))
		}
	})
}
