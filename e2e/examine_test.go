package e2e

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stampede-bench/stampede/e2e/harness"
)

// Doctor asks every agent about its host and its way to the endpoint: one may
// load it, one may not, and no load comes of it.
func TestDoctorAsksEveryAgent(t *testing.T) {
	sim := harness.StartSimulator(t, "--api-key", "sk-the-endpoints-own")
	c := harness.StartController(t)
	c.StartAgent(t, "near", c.GRPC)
	harness.Start(t, "agent", "--controller", c.GRPC, "--name", "far", "--allow-target", "10.0.0.0/8")
	c.AwaitAgents(t, 2)
	t.Setenv("SIM_KEY", "sk-the-endpoints-own")
	r := harness.Stampede(t, "doctor", "--controller", c.GRPC, "--url", sim.URL(), "--api-key-env", "SIM_KEY", "--format", "json").Must(t, 1)
	var out struct {
		Findings []struct{ Agent, Check, Level, Message string }
	}
	if err := json.Unmarshal([]byte(r.Out), &out); err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, f := range out.Findings {
		found[f.Agent+" "+f.Check] = f.Level + ": " + f.Message
	}
	for about, want := range map[string]string{
		" url: models":            "ok: the endpoint serves stampede-sim",
		" controller":             "ok: ",
		"near url: models":        "ok: the endpoint serves stampede-sim",
		"near controller's clock": "ok: ",
		"near kernel stamps":      "ok: ",
		"far url: tcp":            "fail: no connection: ",
		"far open files":          "ok: ",
	} {
		if !strings.HasPrefix(found[about], want) {
			t.Errorf("%q: got %q, want %q…", about, found[about], want)
		}
	}
	if !strings.Contains(found["far url: tcp"], "--allow-target") {
		t.Errorf("far: %s", found["far url: tcp"])
	}
	if _, asked := found["far url: models"]; asked || strings.Contains(r.Out+r.Err, "sk-the-endpoints-own") {
		t.Errorf("the agent asked where it may not, or the key was shown:\n%s", r.Out)
	}
	if n := len(sim.Account(t)); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}
