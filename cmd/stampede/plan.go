package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/stampede-bench/stampede/schedule"
	"github.com/stampede-bench/stampede/workload"
	"github.com/stampede-bench/stampede/workload/dataset"
	"github.com/stampede-bench/stampede/workload/source"
)

func newPlanCommand(io streams) *cobra.Command {
	var spec *specFlags
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Show what a run would send and when, without sending anything",
		Example: `  stampede plan -f spec.yaml
  stampede plan --url http://localhost:8000/v1 --rate 10 --duration 60s`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, _, err := spec.spec(io.in, "")
			if err != nil {
				return err
			}
			return plan(cmd.Context(), io.out, s)
		},
	}
	spec = addSpecFlags(cmd.Flags())
	return cmd
}

func plan(ctx context.Context, w io.Writer, spec *workload.Spec) error {
	effective, notices := spec.WithDefaults()
	if err := effective.NotYet(); err != nil {
		return err
	}
	corpus, more, done, err := openCorpus(ctx, effective)
	if err != nil {
		return err
	}
	defer done()
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

// openCorpus makes the corpus of a spec from this process's files. done frees
// what it takes.
func openCorpus(ctx context.Context, spec *workload.Spec) (c dataset.Corpus, notices []string, done func(), err error) {
	tokens, err := localTokens(spec.Dataset)
	if err != nil {
		return nil, nil, nil, err
	}
	options := dataset.Options{Tokens: tokens}
	if spec.Dataset.Path == "" {
		c, notices, err = dataset.Open(spec, "", nil, options)
		return c, notices, func() {}, err
	}
	file, done, err := convertFile(ctx, spec.Dataset)
	if err != nil {
		return nil, nil, nil, err
	}
	if c, notices, err = dataset.Open(spec, filepath.Base(spec.Dataset.Path), file, options); err != nil {
		done()
	}
	return c, notices, done, err
}

// convertFile brings a file into the form of a corpus, in a temporary file.
func convertFile(ctx context.Context, d workload.Dataset) (file *dataset.File, done func(), err error) {
	in, err := os.Open(d.Path)
	if err != nil {
		return nil, nil, usageError(fmt.Errorf("dataset.path: %w", err), "")
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return nil, nil, fmt.Errorf("dataset.path: %w", err)
	}
	folder, err := os.MkdirTemp("", "stampede-corpus-*")
	if err != nil {
		return nil, nil, fmt.Errorf("dataset: %w", err)
	}
	path := filepath.Join(folder, "corpus")
	input := source.Input{Name: filepath.Base(d.Path), Data: in, Size: info.Size()}
	converted, err := source.Convert(ctx, []source.Input{input}, source.Options{Schema: d.Schema(), Most: d.SampleSize}, path)
	if err != nil {
		_ = os.RemoveAll(folder)
		return nil, nil, err
	}
	made, err := os.Open(path)
	if err == nil {
		file, err = dataset.OpenFile(made, converted.Bytes)
	}
	done = func() {
		_ = made.Close()
		_ = os.RemoveAll(folder)
	}
	if err != nil {
		done()
		return nil, nil, fmt.Errorf("dataset: %w", err)
	}
	return file, done, nil
}
