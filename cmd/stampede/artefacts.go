package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/stampede-bench/stampede/client"
	"github.com/stampede-bench/stampede/report"
)

// writeArtefacts puts what a run made into dir and returns its files. Of a test with
// trials that is one set a trial, and the report of all under the test's id.
func writeArtefacts(ctx context.Context, c *client.Client, dir string, rep *report.Report, raw []byte, plots bool, exports ...string) ([]string, error) {
	if rep.Trials == nil {
		return writeRun(ctx, c, dir, rep, raw, plots, exports...)
	}
	var errs []error
	var files []string
	for _, id := range rep.Trials.Runs {
		one, oneRaw, err := c.Report(ctx, id)
		if err == nil {
			var made []string
			made, err = writeRun(ctx, c, dir, one, oneRaw, plots, exports...)
			files = append(files, made[:min(len(made), 1)]...)
		}
		errs = append(errs, err)
	}
	file := filepath.Join(dir, fmt.Sprintf("report_%s.json", rep.TestID))
	errs = append(errs, writeFile(file, func(w *bufio.Writer) error { _, err := w.Write(raw); return err }))
	return append([]string{file}, files...), errors.Join(errs...)
}

// writeRun puts report, rows and workload hash into dir, under the run's id and, as
// the latest run, under the test's; then what is exported from them, and drawn. It
// returns the files of the run.
func writeRun(ctx context.Context, c *client.Client, dir string, rep *report.Report, raw []byte, plots bool, exports ...string) ([]string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("--out: %w", err)
	}
	writers := []struct {
		name  string
		write func(*bufio.Writer) error
	}{
		{"report_%s.json", func(w *bufio.Writer) error { _, err := w.Write(raw); return err }},
		{"requests_%s.jsonl", func(w *bufio.Writer) error { _, err := c.WriteRows(ctx, rep.ID, w); return err }},
		{"workload_hash_%s.txt", func(w *bufio.Writer) error { _, err := fmt.Fprintln(w, rep.WorkloadHash); return err }},
	}
	var files []string
	var errs []error
	for _, a := range writers {
		file := filepath.Join(dir, fmt.Sprintf(a.name, rep.ID))
		if err := writeFile(file, a.write); err != nil {
			errs = append(errs, err)
			continue
		}
		files = append(files, file)
		if rep.TestID != "" && rep.TestID != rep.ID {
			errs = append(errs, alias(file, filepath.Join(dir, fmt.Sprintf(a.name, rep.TestID))))
		}
	}
	if len(exports) > 0 && errors.Join(errs...) == nil {
		exported, err := writeExports(dir, rep, exports)
		files, errs = append(files, exported...), append(errs, err)
	}
	if plots {
		drawn, err := writePlots(dir, rep)
		files, errs = append(files, drawn...), append(errs, err)
	}
	return files, errors.Join(errs...)
}

// writeFile writes beside the name and renames, so that a full disk leaves no
// half file under it.
func writeFile(name string, write func(*bufio.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+"-*")
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
			err = fmt.Errorf("write %s: %w", name, err)
		}
	}()
	w := bufio.NewWriterSize(f, 256<<10)
	if err = errors.Join(write(w), w.Flush(), f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

// alias makes the same file stand under another name.
func alias(from, to string) error {
	_ = os.Remove(to)
	if err := os.Link(from, to); err == nil {
		return nil
	}
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o644)
}
