package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/term"

	"github.com/stampede-bench/stampede/internal/gather"
	"github.com/stampede-bench/stampede/workload"
	"github.com/stampede-bench/stampede/workload/dataset"
	"github.com/stampede-bench/stampede/workload/source"
)

// gathered is a dataset in the form of a corpus, in a temporary file.
type gathered struct {
	*dataset.File
	name   string // what notices call it
	schema string // what its rows were taken for
	path   string
	done   func() // frees what it takes
}

// gatherEnv is this process's environment; what is fetched is shown on w.
func gatherEnv(w io.Writer) gather.Env {
	return gather.Env{
		Lookup: os.LookupEnv, Progress: downloadBar(w),
		Notice: func(text string) { fmt.Fprintf(w, "stampede: %s\n", text) },
	}
}

// gatherCorpus brings a dataset into the form of a corpus.
func gatherCorpus(ctx context.Context, env gather.Env, d workload.Dataset) (*gathered, error) {
	data, err := env.Find(ctx, d)
	if err != nil {
		return nil, err
	}
	defer data.Close()
	folder, err := os.MkdirTemp("", "stampede-corpus-*")
	if err != nil {
		return nil, fmt.Errorf("dataset: %w", err)
	}
	g := &gathered{name: data.Name, path: filepath.Join(folder, "corpus"), done: func() { _ = os.RemoveAll(folder) }}
	o := source.OptionsOf(d)
	if d.Path != "" {
		o.ReadFile = source.ReadBeside(d.Path)
	}
	c, err := source.Convert(ctx, data.Inputs, o, g.path)
	if err == nil {
		g.schema = c.Schema
		err = g.open(c.Bytes)
	}
	if err != nil {
		g.done()
		return nil, source.OfSpec(d, err)
	}
	return g, nil
}

func (g *gathered) open(size int64) error {
	made, err := os.Open(g.path)
	if err != nil {
		return fmt.Errorf("dataset: %w", err)
	}
	free := g.done
	g.done = func() {
		_ = made.Close() // it was only read
		free()
	}
	g.File, err = dataset.OpenFile(made, size)
	return err
}

// openCorpus makes the corpus of a spec from what this process finds. done frees
// what it takes.
func openCorpus(ctx context.Context, env gather.Env, spec *workload.Spec) (c dataset.Corpus, notices []string, done func(), err error) {
	tokens, err := localTokens(spec.Dataset)
	if err != nil {
		return nil, nil, nil, err
	}
	options := dataset.Options{Tokens: tokens}
	if spec.Dataset.Path == "" && !spec.Dataset.OnHub() {
		c, notices, err = dataset.Open(spec, "", nil, options)
		return c, notices, func() {}, err
	}
	g, err := gatherCorpus(ctx, env, spec.Dataset)
	if err != nil {
		return nil, nil, nil, err
	}
	if c, notices, err = dataset.Open(spec, g.name, g.File, options); err != nil {
		g.done()
	}
	return c, notices, g.done, err
}

// downloadBar shows how far a download is: a line that is rewritten on a terminal,
// two lines a file elsewhere.
func downloadBar(w io.Writer) func(file string, done, total int64) {
	f, ok := w.(*os.File)
	live := ok && term.IsTerminal(int(f.Fd()))
	var last time.Time
	shown := ""
	return func(file string, done, total int64) {
		ended := total > 0 && done >= total
		switch {
		case live && (ended || time.Since(last) > 100*time.Millisecond):
			last = time.Now()
			fmt.Fprintf(w, "\r\x1b[K%s", downloadLine(file, done, total))
			if ended {
				fmt.Fprintln(w)
			}
		case !live && shown != file:
			shown = file
			fmt.Fprintf(w, "stampede: fetching %s, %s\n", file, cmp.Or(megabytes(total), "of unknown size"))
		case !live && ended:
			fmt.Fprintf(w, "stampede: fetched %s\n", file)
		}
	}
}

func downloadLine(file string, done, total int64) string {
	if total <= 0 {
		return fmt.Sprintf("  fetching %s  %s", file, megabytes(done))
	}
	const cells = 20
	full := int(done * cells / total)
	bar := make([]rune, cells)
	for i := range bar {
		if bar[i] = '░'; i < full {
			bar[i] = '█'
		}
	}
	return fmt.Sprintf("  fetching %s  %s %3d %%  %s", file, string(bar), done*100/total, megabytes(total))
}

func megabytes(n int64) string {
	switch {
	case n <= 0:
		return ""
	case n < 1e6:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}
