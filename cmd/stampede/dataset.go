package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/stampede-bench/stampede/internal/gather"
	"github.com/stampede-bench/stampede/internal/plural"
	"github.com/stampede-bench/stampede/workload"
	"github.com/stampede-bench/stampede/workload/dataset"
	"github.com/stampede-bench/stampede/workload/source"
)

func newDatasetCommand(io streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dataset",
		Short: "List datasets, look into them, and convert them",
		Example: `  stampede dataset list
  stampede dataset show dolly
  stampede dataset count ./questions.parquet --columns prompt=question,answer=reply
  stampede dataset convert arena arena.corpus`,
		Args: noCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newDatasetListCommand(io), newDatasetShowCommand(io), newDatasetCountCommand(io), newDatasetConvertCommand(io))
	return cmd
}

func newDatasetListCommand(io streams) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the datasets that are known by name, and whether they are in the cache",
		Example: "  stampede dataset list",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			hub, err := gatherEnv(io.err).Hub(workload.Dataset{})
			w := tabwriter.NewWriter(io.out, 0, 4, 2, ' ', 0)
			fmt.Fprintln(w, "NAME\tCACHE\tREPOSITORY\tWHAT")
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", workload.DatasetSynthetic, "", "", "prompts of random words, as long as is asked for; the default")
			for _, d := range source.NamedDatasets() {
				there := ""
				if err == nil && gather.Cached(hub, d) {
					there = "yes"
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", d.Name, there, d.Repository, d.Description)
			}
			fmt.Fprintf(w, "hf://OWNER/NAME\t\t\t%s\n", "any dataset of the hub: hf://OWNER/NAME[@REVISION][/CONFIG/SPLIT]")
			fmt.Fprintf(w, "FILE\t\t\t%s\n", "JSON, JSONL, CSV, TSV, Parquet; packed by gzip or zstd; or a corpus")
			return w.Flush()
		},
	}
}

// dataFlags say how a dataset is read.
type dataFlags struct {
	columns    map[string]string
	schema     string
	sampleSize int64
}

func (f *dataFlags) add(flags *pflag.FlagSet) {
	flags.StringToStringVar(&f.columns, "columns", nil, "which `COLUMN` holds what: prompt=question,answer=response; also messages, system, time, input_tokens, output_tokens")
	flags.StringVar(&f.schema, "as", "", "read a file as the dataset `NAME` is read (default: as its columns say)")
	flags.Int64Var(&f.sampleSize, "sample-size", 0, "take at most so many conversations (default all)")
}

func (f *dataFlags) dataset(name string) (workload.Dataset, error) {
	d := workload.ParseDataset(name)
	if f.schema != "" {
		if d.Path == "" {
			return d, usageError(errors.New("--as is for files"), "")
		}
		d.Name = f.schema
	}
	if len(f.columns) > 0 {
		columns, err := workload.ParseColumns(f.columns)
		if err != nil {
			return d, flagError("columns", err)
		}
		d.Columns = columns
	}
	d.SampleSize = f.sampleSize
	spec := workload.Spec{Endpoint: workload.Endpoint{URL: "http://localhost"}, Dataset: d}
	if d.Synthetic() {
		return d, usageError(errors.New("synthetic prompts are made as they are sent"), "stampede plan shows what a run would send")
	}
	return d, spec.Validate()
}

// dataCommand is a command about one dataset.
func dataCommand(io streams, cmd *cobra.Command, more int, do func(g *gathered, args []string) error) *cobra.Command {
	f := &dataFlags{}
	f.add(cmd.Flags())
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) != 1+more {
			return usageError(fmt.Errorf("%s takes %s, got %d", cmd.CommandPath(), plural.Of(1+more, "argument"), len(args)), cmd.CommandPath()+" --help shows an example")
		}
		return nil
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		d, err := f.dataset(args[0])
		if err != nil {
			return err
		}
		g, err := gatherCorpus(cmd.Context(), gatherEnv(io.err), d)
		if err != nil {
			return ofArgument(err)
		}
		defer g.done()
		return do(g, args[1:])
	}
	return cmd
}

// ofArgument says what is wrong with the data of an argument, which no key of a
// spec stands for.
func ofArgument(err error) error {
	var faults workload.Errors
	if !errors.As(err, &faults) {
		return err
	}
	for i := range faults {
		if faults[i].Path == "dataset.path" || faults[i].Path == "dataset.name" {
			faults[i].Path = ""
		}
	}
	return faults
}

func newDatasetShowCommand(io streams) *cobra.Command {
	n, full := int64(3), false
	cmd := &cobra.Command{
		Use:     "show NAME|FILE",
		Short:   "Show the first conversations as they would be sent",
		Example: "  stampede dataset show sharegpt -n 1\n  stampede dataset show questions.csv --columns prompt=question",
	}
	cmd.Flags().Int64VarP(&n, "number", "n", n, "how many to show")
	cmd.Flags().BoolVar(&full, "full", full, "show whole texts")
	return dataCommand(io, cmd, 0, func(g *gathered, _ []string) error {
		if n < 0 {
			return usageError(fmt.Errorf("--number: must not be negative, got %d", n), "")
		}
		if err := headline(io.out, g); err != nil {
			return err
		}
		for i := range min(n, g.Len()) {
			r, err := g.Record(i)
			if err != nil {
				return err
			}
			showRecord(io.out, i, &r, full)
		}
		return nil
	})
}

// headline says what the data was taken for, and what was left out of it.
func headline(w io.Writer, g *gathered) error {
	what := g.schema
	if what == "" {
		what = "a corpus"
	}
	fmt.Fprintf(w, "%s, read as %s: %s", g.name, what, plural.Of(g.Len(), "conversation"))
	if g.Timed() && g.Len() > 0 {
		fmt.Fprintf(w, " over %s", time.Duration(g.Offset(g.Len()-1)))
	}
	fmt.Fprintln(w)
	for _, n := range g.Notes() {
		fmt.Fprintf(w, "%s: %d\n", n.Text, n.Count)
	}
	if g.Len() == 0 {
		return usageError(fmt.Errorf("%s: holds no conversation that could be sent", g.name), "")
	}
	return nil
}

func showRecord(w io.Writer, i int64, r *dataset.Record, full bool) {
	fmt.Fprintf(w, "\n%d", i)
	if r.OffsetNanos >= 0 {
		fmt.Fprintf(w, " at %s", time.Duration(r.OffsetNanos))
	}
	if r.OneRequest && len(r.Turns) > 1 {
		fmt.Fprint(w, ", one request unless turns are kept apart")
	}
	fmt.Fprintln(w)
	for t := range r.Turns {
		turn := &r.Turns[t]
		fmt.Fprintf(w, "  turn %d", t+1)
		if turn.Skip > 0 {
			fmt.Fprintf(w, ", in reply to turn %d", t-turn.Skip)
		}
		fmt.Fprintf(w, ": %s\n", lengths(turn))
		for _, m := range turn.Messages {
			fmt.Fprintf(w, "    %s: %s\n", m.Role, excerpt(m.Content, full))
		}
		if turn.Answer != "" {
			fmt.Fprintf(w, "    (recorded answer: %s)\n", excerpt(turn.Answer, full))
		}
	}
}

// lengths says what is known of a turn's lengths, and guesses the rest.
func lengths(t *dataset.Turn) string {
	in, out := turnTokens(t)
	text := "about " + plural.Of(in, "token") + " in"
	if t.InputTokens > 0 {
		text = plural.Of(in, "token") + " in"
	}
	switch {
	case t.OutputTokens > 0:
		text += fmt.Sprintf(", %d asked for", out)
	case out > 0:
		text += fmt.Sprintf(", about %d in the recorded answer", out)
	}
	if t.OffsetNanos >= 0 {
		text += fmt.Sprintf(", %s after the first", time.Duration(t.OffsetNanos))
	}
	return text
}

// turnTokens are a turn's lengths: as recorded, or else by its words.
func turnTokens(t *dataset.Turn) (in, out int) {
	if in = t.InputTokens; in == 0 {
		words := 0
		for _, m := range t.Messages {
			words += len(strings.Fields(m.Content))
		}
		in = int(float64(words)*dataset.TokensPerTextWord + 0.5)
	}
	if out = t.OutputTokens; out == 0 {
		out = int(float64(len(strings.Fields(t.Answer)))*dataset.TokensPerTextWord + 0.5)
	}
	return in, out
}

func excerpt(text string, full bool) string {
	const most = 160
	if full {
		return strings.ReplaceAll(text, "\n", "\n      ")
	}
	line := []rune(strings.Join(strings.Fields(text), " "))
	if len(line) > most {
		return string(line[:most]) + fmt.Sprintf("… (%d characters)", len([]rune(text)))
	}
	return string(line)
}
