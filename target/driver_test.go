package target

import (
	"testing"

	"github.com/stampede-bench/stampede/workload"
)

// What a spec may name either has a driver or is refused as not yet supported.
func TestEveryTypeHasADriver(t *testing.T) {
	for _, name := range []string{
		workload.TypeOpenAI, workload.TypeVLLM, workload.TypeSGLang, workload.TypeTGI, workload.TypeTriton,
		workload.TypeBedrock, workload.TypeTogether, workload.TypeFriendliAI,
	} {
		spec := workload.Spec{Endpoint: workload.Endpoint{Type: name, URL: "http://127.0.0.1:8000/v1", Model: "m"}}
		if spec.NotYet() != nil {
			continue
		}
		if _, err := newDriver(Config{Endpoint: spec.Endpoint, Sampling: spec.Sampling}); err != nil {
			t.Error(err)
		}
	}
}
