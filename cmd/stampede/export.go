package main

import (
	"bufio"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"github.com/stampede-bench/stampede/report"
	"github.com/stampede-bench/stampede/report/export"
)

// Formats in which a report is printed.
const (
	formatText     = "text"
	formatJSON     = "json"
	formatMarkdown = "markdown"
	formatJUnit    = "junit"

	formatList = "text, json, markdown or junit"
)

func addExportFlag(f *pflag.FlagSet, exports *[]string) {
	f.StringSliceVar(exports, "export", nil, "write the files of other `TOOLS`, too: "+strings.Join(export.Names(), ","))
}

// checkOutput refuses, before any load is sent, what could not be written after.
func checkOutput(format string, exports []string, out string) error {
	if err := checkFormat(format, formatText, formatJSON, formatMarkdown, formatJUnit); err != nil {
		return err
	}
	if err := export.Check(exports); err != nil {
		return usageError(fmt.Errorf("--export: %w", err), "")
	}
	if len(exports) > 0 && out == "" {
		return usageError(errors.New("--export writes files, but no folder is given for them"), "add --out results")
	}
	return nil
}

func checkFormat(format string, allowed ...string) error {
	for _, a := range allowed {
		if format == a {
			return nil
		}
	}
	return usageError(fmt.Errorf("--format: must be one of %s, got %q", strings.Join(allowed, ", "), format), "")
}

func printReport(io streams, rep *report.Report, raw []byte, format string, files []string) error {
	switch format {
	case formatJSON:
		_, err := io.out.Write(append(raw, '\n'))
		return err
	case formatMarkdown:
		return report.Markdown(io.out, rep)
	case formatJUnit:
		return report.JUnit(io.out, rep)
	default:
		return report.Text(io.out, rep, report.TextOptions{Color: colorful(io.out), Width: width(io.out), Files: files})
	}
}

// writeExports writes the files of other tools beside the report's, from the rows
// that lie in dir. It returns the files of the run.
func writeExports(dir string, rep *report.Report, tools []string) ([]string, error) {
	rows := rowsOf(filepath.Join(dir, fmt.Sprintf("requests_%s.jsonl", rep.ID)))
	exports, err := export.Files(tools, rep, rows)
	if err != nil {
		return nil, err
	}
	var files []string
	var errs []error
	for _, e := range exports {
		file := filepath.Join(dir, e.Name)
		if err := writeFile(file, func(w *bufio.Writer) error { return e.Write(w) }); err != nil {
			errs = append(errs, err)
			continue
		}
		files = append(files, file)
		if rep.TestID != "" && rep.TestID != rep.ID {
			errs = append(errs, alias(file, filepath.Join(dir, strings.Replace(e.Name, rep.ID, rep.TestID, 1))))
		}
	}
	return files, errors.Join(errs...)
}

// rowsOf reads a requests_ID.jsonl, anew each time.
func rowsOf(file string) export.Rows {
	return func() iter.Seq2[report.Row, error] {
		return func(yield func(report.Row, error) bool) {
			f, err := os.Open(file)
			if err != nil {
				yield(report.Row{}, err)
				return
			}
			defer f.Close()
			for row, err := range report.ReadRows(f) {
				if !yield(row, err) {
					return
				}
			}
		}
	}
}
