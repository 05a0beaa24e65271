package schedule

import (
	"errors"
	"testing"

	"github.com/stampede-bench/stampede/workload"
)

func TestCheckFindsFaultsOfFunctions(t *testing.T) {
	for source, fault := range map[string]bool{
		"lambda t: int(t / 0.1 + 1) if t < 60 else None": false,
		"lambda t: t":          false, // it never ends, which Compile finds
		"lambda t: None":       true,
		"lambda t: intt(t)":    true,
		"lambda t":             true,
		"__import__('os')":     true,
		"lambda t: 'x'":        true,
		"lambda t: 10**10**10": true,
	} {
		spec := &workload.Spec{Load: workload.Load{Stages: []workload.Stage{{}, {Func: &source}}}}
		err := Check(spec)
		var errs workload.Errors
		if (err != nil) != fault || fault && (!errors.As(err, &errs) || errs[0].Path != "load.stages[1].func" || errs[0].Message == "") {
			t.Errorf("%s: %v", source, err)
		}
	}
}
