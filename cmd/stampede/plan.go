package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/stampede-bench/stampede/schedule"
	"github.com/stampede-bench/stampede/workload"
	"github.com/stampede-bench/stampede/workload/dataset"
)

func newPlanCommand(io streams) *cobra.Command {
	var spec *specFlags
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Show what a run would send and when, without sending anything",
		Example: `  stampede plan -f spec.yaml
  stampede plan --url http://localhost:8000/v1 --rate 10 --duration 60s`,
		RunE: func(*cobra.Command, []string) error {
			s, _, err := spec.spec(io.in, "")
			if err != nil {
				return err
			}
			return plan(io.out, s)
		},
	}
	spec = addSpecFlags(cmd.Flags())
	return cmd
}

func plan(w io.Writer, spec *workload.Spec) error {
	effective, notices := spec.WithDefaults()
	if err := effective.NotYet(); err != nil {
		return err
	}
	corpus, more, err := openCorpus(effective)
	if err != nil {
		return err
	}
	p, err := schedule.Compile(effective, corpus)
	if err != nil {
		return err
	}
	for _, n := range append(notices, more...) {
		fmt.Fprintln(w, n)
	}
	if err := schedule.Plot(w, p, min(width(w), 120), 12); err != nil {
		return err
	}
	planTotals(w, p, corpus)
	fmt.Fprintf(w, "workload hash %s\n", schedule.WorkloadHash(p, corpus, effective, make([]int64, len(p.Phases)), schedule.Whole))
	return nil
}

func openCorpus(spec *workload.Spec) (dataset.Corpus, []string, error) {
	if spec.Dataset.Path == "" {
		return dataset.Open(spec, "", nil, dataset.Options{})
	}
	data, err := os.ReadFile(spec.Dataset.Path)
	if err != nil {
		return nil, nil, usageError(fmt.Errorf("dataset.path: %w", err), "")
	}
	return dataset.Open(spec, filepath.Base(spec.Dataset.Path), data, dataset.Options{})
}

// planTotals prints what is known before anything was sent; a closed loop that
// time bounds sends as many as the endpoint answers.
func planTotals(w io.Writer, p *schedule.Plan, corpus dataset.Corpus) {
	var total, tokensIn, tokensOut int64
	first := int64(0)
	for _, ph := range p.Phases {
		if ph.Sessions == schedule.Unbounded {
			continue
		}
		in, out := tokens(corpus, first, first+ph.Sessions)
		first += ph.Sessions
		if !ph.Warmup {
			total, tokensIn, tokensOut = total+ph.Sessions, tokensIn+in, tokensOut+out
		}
	}
	fmt.Fprintf(w, "requests %d · input tokens %d · output tokens %d (asked)\n", total, tokensIn, tokensOut)
}

func tokens(corpus dataset.Corpus, from, to int64) (in, out int64) {
	for i := from; i < to; i++ {
		for _, t := range corpus.Session(i).Turns {
			in += int64(t.InputTokens)
			out += int64(t.OutputTokens)
		}
	}
	return in, out
}
