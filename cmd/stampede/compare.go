package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stampede-bench/stampede/report"
)

func newCompareCommand(io streams) *cobra.Command {
	format := formatText
	cmd := &cobra.Command{
		Use:   "compare A.json B.json …",
		Short: "Hold reports side by side, against the first",
		Long: `Compare shows the figures of reports side by side: the difference against the
first in percent, better or worse, and whether the 95 % intervals overlap. It
reads report_ID.json and what vllm bench serve --save-result writes.

It warns when the runs did not send the same requests, when their specs differ,
and when a verdict says not to trust one. Exit status: 0 compared, 2 a file is
missing or no report.`,
		Example: `  stampede compare results/report_before.json results/report_after.json
  stampede compare results/report_ours.json vllm-result.json --format markdown`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) < 2 {
				return usageError(fmt.Errorf("%s takes two reports or more, got %d", cmd.CommandPath(), len(args)), "results/report_ID.json is what a run leaves behind")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if err := checkFormat(format, formatText, formatJSON, formatMarkdown); err != nil {
				return err
			}
			return compare(io, args, format)
		},
	}
	cmd.Flags().StringVar(&format, "format", format, "what to print: text, json or markdown")
	return cmd
}

func compare(io streams, files []string, format string) error {
	runs, err := readCompared(files)
	if err != nil {
		return err
	}
	c, err := report.Compare(runs)
	if err != nil {
		return usageError(err, "")
	}
	switch format {
	case formatJSON:
		enc := json.NewEncoder(io.out)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		return enc.Encode(c)
	case formatMarkdown:
		return report.CompareMarkdown(io.out, c)
	default:
		return report.CompareText(io.out, c, report.TextOptions{Color: colorful(io.out), Width: width(io.out)})
	}
}

// readCompared reads all files, and says of all what is wrong with them.
func readCompared(files []string) ([]report.ComparedRun, error) {
	var runs []report.ComparedRun
	var wrong []string
	for _, file := range files {
		data, err := readReport(file)
		if err == nil {
			var run report.ComparedRun
			run, err = report.ReadCompared(file, data)
			runs = append(runs, run)
		}
		if err != nil {
			wrong = append(wrong, err.Error())
		}
	}
	if len(wrong) > 0 {
		return nil, usageError(errors.New(strings.Join(wrong, "; ")), "")
	}
	return runs, nil
}

// maxReportBytes bounds a file to compare. vLLM's, with their detail, are the
// largest.
const maxReportBytes = 1 << 30

func readReport(file string) ([]byte, error) {
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("there is no file %s", file)
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, fmt.Errorf("%s: is a folder; give a report_ID.json", file)
	case info.Size() > maxReportBytes:
		return nil, fmt.Errorf("%s: has %d bytes, at most %d are read", file, info.Size(), maxReportBytes)
	}
	return os.ReadFile(file)
}
