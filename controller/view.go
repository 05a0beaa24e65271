package controller

import (
	"encoding/json"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/stampede-bench/stampede/controller/store"
	stampedev1 "github.com/stampede-bench/stampede/proto/stampede/v1"
	"github.com/stampede-bench/stampede/workload"
)

// testProto shows a test and the run that is meant, which may be nil.
func testProto(t *store.Test, r *store.Run) *stampedev1.Test {
	m := &stampedev1.Test{
		TestId: t.ID, Spec: publicSpec(t.Spec), State: stampedev1.State_STATE_REGISTERED,
		Revision: t.Revision, CreateTime: timestamp(t.CreateTime),
	}
	if r == nil {
		return m
	}
	m.RunId, m.State, m.Reason, m.Revision = r.ID, r.State, r.Reason, r.Revision
	if r.Hint != "" {
		m.Reason += " (hint: " + r.Hint + ")"
	}
	m.InvalidSpec = r.InvalidSpec
	m.StartTime, m.EndTime = timestamp(r.StartTime), timestamp(r.EndTime)
	m.Progress, m.Agents = r.Progress, r.Agents
	showTrial(m, r)
	return m
}

// publicSpec is a spec without its secrets: marshalling masks them, and those
// with a field of their own are left out.
func publicSpec(s *workload.Spec) *stampedev1.Spec {
	masked, err := json.Marshal(s)
	if err != nil {
		return nil
	}
	m := &stampedev1.Spec{}
	if err := protojson.Unmarshal(masked, m); err != nil {
		return nil
	}
	if m.Endpoint != nil {
		m.Endpoint.ApiKey = ""
	}
	if m.Dataset != nil {
		m.Dataset.HubToken = ""
	}
	return m
}

// stateWord is a state as people read it.
func stateWord(s stampedev1.State) string {
	const prefix = len("STATE_")
	return s.String()[prefix:]
}
