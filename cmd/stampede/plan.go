package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/stampede-bench/stampede/schedule"
	"github.com/stampede-bench/stampede/workload"
)

func newPlanCommand(io streams) *cobra.Command {
	var spec *specFlags
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Show what a run would send and when, without sending anything",
		Example: `  stampede plan -f spec.yaml
  stampede plan --url http://localhost:8000/v1 --rate 10 --duration 60s`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, said, err := spec.spec(io.in, "")
			if err != nil {
				return err
			}
			tell(io, said)
			return spec.inFile(plan(cmd.Context(), io, s))
		},
	}
	spec = addSpecFlags(cmd.Flags())
	return cmd
}

func plan(ctx context.Context, io streams, spec *workload.Spec) error {
	w := io.out
	effective, notices := spec.WithDefaults()
	if err := effective.NotYet(); err != nil {
		return err
	}
	corpus, more, done, err := openCorpus(ctx, gatherEnv(io.err), effective)
	if err != nil {
		return err
	}
	defer done()
	if err := schedule.Check(effective, corpus); err != nil {
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
	if err := planTotals(w, effective, p, p.Play(corpus)); err != nil {
		return err
	}
	if p.Sessions() == schedule.Unbounded {
		fmt.Fprintln(w, "workload hash: known when it is known how many sessions were begun")
		return nil
	}
	hash, err := schedule.WorkloadHash(p, corpus, effective, make([]int64, len(p.Phases)), schedule.Whole)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "workload hash %s\n", hash)
	return nil
}
