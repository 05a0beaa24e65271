package agent

import (
	"testing"

	"github.com/stampede-bench/stampede/workload"
	"github.com/stampede-bench/stampede/workload/dataset"
)

func openCorpus(t testing.TB, s *workload.Spec) dataset.Corpus {
	t.Helper()
	c, _, err := dataset.Open(s, "", nil, dataset.Options{RunID: "run"})
	if err != nil {
		t.Fatal(err)
	}
	return c
}
