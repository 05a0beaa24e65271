// Package export writes a run in the files of other tools, so that what reads
// those keeps working: vLLM's bench serve, AIPerf, GuideLLM, inference-perf and
// the llm-d benchmark report.
//
// Figures are computed from the rows by the formula that the tool publishes, in
// its unit and with its kind of percentile; a figure that has the same name but
// another formula there is not copied. Package report has our own formulas. This
// package opens no files and reads no flags.
//
// Only measured requests are in an export; warmup is not. What a tool writes and
// no run of ours knows (generated texts, GPU telemetry) is empty or left out.
package export

import (
	"bufio"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/stampede-bench/stampede/report"
)

// Rows yields the rows of a run; it may be walked more than once.
type Rows func() iter.Seq2[report.Row, error]

// File is one file of an export.
type File struct {
	// Name of the file, such as vllm_ID.json.
	Name string
	// Write writes it whole.
	Write func(w *bufio.Writer) error
}

// tool is one kind of export.
type tool struct {
	name  string
	files func(d *data, rows Rows) []File
}

var tools = []tool{
	{"vllm", vllmFiles},
	{"aiperf", aiperfFiles},
	{"guidellm", guidellmFiles},
	{"inference-perf", inferencePerfFiles},
	{"llm-d", llmdFiles},
}

// Names lists the tools whose files can be written.
func Names() []string {
	names := make([]string, len(tools))
	for i, t := range tools {
		names[i] = t.name
	}
	return names
}

// Check refuses names that are none of Names.
func Check(names []string) error {
	for _, n := range names {
		if !slices.Contains(Names(), n) {
			return fmt.Errorf("must be of %s, got %q", strings.Join(Names(), ", "), n)
		}
	}
	return nil
}

// Files reads the rows once and returns the files to be written for the tools
// named. In memory it keeps a fixed number of bytes for each request and the gaps
// between its chunks, which exact percentiles need.
func Files(names []string, r *report.Report, rows Rows) ([]File, error) {
	if err := Check(names); err != nil {
		return nil, err
	}
	d, err := collect(r, rows())
	if err != nil {
		return nil, fmt.Errorf("export %s: %w", r.ID, err)
	}
	var files []File
	for _, t := range tools {
		if slices.Contains(names, t.name) {
			files = append(files, t.files(d, rows)...)
		}
	}
	return files, nil
}

// jsonFile is one JSON document.
func jsonFile(name string, document func() object) File {
	return File{Name: name, Write: func(w *bufio.Writer) error {
		if err := document().json(w, 0); err != nil {
			return err
		}
		return w.WriteByte('\n')
	}}
}
