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
	"github.com/stampede-bench/stampede/report/parquet"
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
		name   string
		beside string // a file that write makes, too
		write  func(*bufio.Writer) error
	}{
		{"report_%s.json", "", func(w *bufio.Writer) error { _, err := w.Write(raw); return err }},
		{"requests_%s.jsonl", parquetName, func(lines *bufio.Writer) error {
			return writeFile(filepath.Join(dir, fmt.Sprintf(parquetName, rep.ID)), func(columns *bufio.Writer) error {
				return writeRows(ctx, c, rep.ID, lines, columns)
			})
		}},
		{"workload_hash_%s.txt", "", func(w *bufio.Writer) error { _, err := fmt.Fprintln(w, rep.WorkloadHash); return err }},
	}
	var files []string
	var errs []error
	for _, a := range writers {
		if err := writeFile(filepath.Join(dir, fmt.Sprintf(a.name, rep.ID)), a.write); err != nil {
			errs = append(errs, err)
			continue
		}
		for _, name := range []string{a.name, a.beside} {
			if name == "" {
				continue
			}
			file := filepath.Join(dir, fmt.Sprintf(name, rep.ID))
			files = append(files, file)
			if rep.TestID != "" && rep.TestID != rep.ID {
				errs = append(errs, alias(file, filepath.Join(dir, fmt.Sprintf(name, rep.TestID))))
			}
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

const parquetName = "requests_%s.parquet"

// writeRows writes the rows of a run as lines and as columns, in memory that does
// not grow with the run.
func writeRows(ctx context.Context, c *client.Client, id string, lines, columns *bufio.Writer) error {
	var line []byte
	table := parquet.NewWriter(columns)
	for samples, err := range c.Samples(ctx, id) {
		if err != nil {
			return err
		}
		for i := range samples.Samples {
			line = report.EncodeRow(line[:0], &samples.Context, &samples.Samples[i])
			if _, err := lines.Write(line); err != nil {
				return err
			}
			if err := table.Sample(&samples.Context, &samples.Samples[i]); err != nil {
				return err
			}
		}
	}
	return table.Close()
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
