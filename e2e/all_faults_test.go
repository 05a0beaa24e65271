package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stampede-bench/stampede/e2e/harness"
)

// A value of a wrong type hides no other fault: not that of a load function, nor of
// data that can't be had, nor of a gate.
func TestAllFaultsAreToldAtOnce(t *testing.T) {
	t.Parallel()
	c := harness.StartController(t)
	s := site{t, "http://" + c.HTTP}
	body := `{"url": 5, "model": "m", "endpoint_type": "openai", "dataset_name": "synthesizer", "random_seed": "x",
		"dataset_config": {"func": "lambda t: t * 1e9", "prompt_source": "no.jsonl"}, "kwargs": {"temperature": "hot"}}`
	want := []string{"body.dataset_config.func", "body.dataset_config.prompt_source", "body.kwargs.temperature", "body.random_seed", "body.url"}
	for _, route := range []string{"/register_test", "/tests/register"} {
		var answer struct{ Detail []struct{ Loc []string } }
		a := s.do("POST", route, body)
		if err := json.Unmarshal([]byte(a.body), &answer); err != nil || a.status != 422 {
			t.Fatalf("%s: %d %s: %v", route, a.status, a.body, err)
		}
		var got []string
		for _, d := range answer.Detail {
			got = append(got, strings.Join(d.Loc, "."))
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", route, got, want)
		}
	}

	spec := `{"endpoint": {"url": "http://127.0.0.1:9/v1", "model": 5.5, "stream": "maybe"}, "gates": ["ttfd.p99<1s"], "slo": {"tpot": "soon"},
		"load": {"stages": [{"func": "lambda t: t * 1e9"}, {"rate": "many", "duration": "1s"}]}}`
	keys := []string{"endpoint.stream", "gates[0]", "load.stages[0].func", "load.stages[1].rate", "slo.tpot"}
	a := s.do("POST", "/v1/tests", fmt.Sprintf(`{"spec": %s}`, spec))
	var problem struct{ Violations []struct{ Field string } }
	if err := json.Unmarshal([]byte(a.body), &problem); err != nil || a.status != 400 {
		t.Fatalf("REST: %d %s: %v", a.status, a.body, err)
	}
	var got []string
	for _, v := range problem.Violations {
		got = append(got, v.Field)
	}
	if slices.Sort(got); !slices.Equal(got, keys) {
		t.Errorf("REST: %v, want %v", got, keys)
	}
	file := harness.WriteSpec(t, spec)
	for _, args := range [][]string{{"run", "--out="}, {"plan"}, {"register", "--controller", c.GRPC}} {
		r := harness.Stampede(t, append(args, "-f", file, "--input-tokens", "long", "--slo", "ttft=never")...)
		for _, key := range append([]string{"dataset.input_tokens", "--slo"}, keys...) {
			if r.Code != 2 || strings.Count(r.Err, "stampede: error: "+key+": ") != 1 {
				t.Errorf("%v: exit %d, want %s once in\n%s", args, r.Code, key, r.Err)
			}
		}
	}
	if strings.Count(harness.Stampede(t, "plan", "-f", file).Err, "error: ") != len(keys) {
		t.Errorf("more than %v: %s", keys, harness.Stampede(t, "plan", "-f", file).Err)
	}
}
